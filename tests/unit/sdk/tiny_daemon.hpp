// SPDX-License-Identifier: GPL-2.0-only
// A daemon as far as the SDK can see it: it attaches clients, registers threads, and lets a test
// play the kernel by writing to the workers' lines.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <thread>
#include <vector>

#include "proto/mapping.hpp"
#include "proto/scb.h"
#include "proto/unique_fd.hpp"

namespace morpheus::test {

class TinyDaemon {
 public:
  struct Options {
    bool highest_slot_first = false;  ///< hand out slots from the end
    bool refuse_workers = false;      ///< Register fails with QuotaExceeded
    bool unsealed = false;            ///< the memory can be shrunk
  };

  /// Listens at `path` at once. Throws if it cannot.
  explicit TinyDaemon(std::string path) : TinyDaemon(std::move(path), Options{}) {}
  TinyDaemon(std::string path, Options options);
  /// Like kill -9: every connection ends without a word.
  ~TinyDaemon();

  /// The lines of the `nth` worker, in the order of registration.
  [[nodiscard]] morpheus_scb_kernel& kernel_line(std::size_t nth = 0);
  [[nodiscard]] const morpheus_scb_runtime& runtime_line(std::size_t nth = 0);
  [[nodiscard]] morpheus_global_pressure& global() { return *global_; }
  [[nodiscard]] std::size_t registrations();
  [[nodiscard]] std::size_t connections();
  [[nodiscard]] std::string state(std::size_t nth = 0);

  /// As the kernel does it: reason, then the sequence. Returns the new sequence number.
  std::uint64_t hint(std::size_t nth = 0, morpheus_hint_reason reason = MORPHEUS_HINT_PRESSURE);
  void withdraw(std::size_t nth = 0);
  /// The sequence number that the worker has acknowledged.
  [[nodiscard]] std::uint64_t acknowledged(std::size_t nth = 0);

 private:
  struct Client;
  struct Worker {
    Client* client;
    std::uint32_t slot;
    std::string state;
  };

  void serve();
  void accept_one();
  bool serve_client(Client& client);
  nlohmann::json answer(Client& client, const std::string& method, nlohmann::json& parameters,
                        std::vector<int>& fds);
  nlohmann::json attach(Client& client, const nlohmann::json& parameters, std::vector<int>& fds);
  nlohmann::json add(Client& client, const nlohmann::json& parameters);
  Worker& worker(std::size_t nth);

  std::string path_;
  Options options_;
  UniqueFd listener_;
  UniqueFd stop_;
  UniqueFd global_fd_;
  Mapping global_memory_;
  morpheus_global_pressure* global_ = nullptr;
  std::mutex lock_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<Worker> workers_;
  std::thread thread_;
};

}  // namespace morpheus::test
