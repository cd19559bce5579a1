// SPDX-License-Identifier: GPL-2.0-only
// The process as the daemon knows it: the link, the shared memory and the registered threads. One
// per process. One lock serialises everything but the workers' slow path, which never takes it.
#pragma once

#include <morpheus/morpheus.h>

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "sdk/src/client/client_thread.hpp"
#include "sdk/src/client/daemon_link.hpp"
#include "sdk/src/client/shared_lines.hpp"
#include "sdk/src/client/socket_watch.hpp"

namespace morpheus::sdk {

/// Functions return morpheus_error codes and may be called on any thread unless they say otherwise.
class Registry {
 public:
  static constexpr std::uint32_t kMaxWorkers = 4095;  // the protocol's limit for one daemon

  /// Never destroyed: threads may unregister while the process exits.
  [[nodiscard]] static Registry& instance();

  /// The program's own attachment: see morpheus_attach() and morpheus_detach().
  [[nodiscard]] int attach(const LinkSpec& spec);
  [[nodiscard]] int detach();
  /// A runtime's share of the attachment: makes one unless there is one, and keeps it until the
  /// last share is gone and the program has detached. False: the process cannot be attached.
  [[nodiscard]] bool share(const LinkSpec& spec);
  void unshare();
  void status(morpheus_status& out);
  /// Lock-free; all 0 before the first attach.
  [[nodiscard]] morpheus_global_pressure pressure() const { return lines_.pressure(); }

  // On the worker's own thread.
  [[nodiscard]] int add(ClientThread& worker);
  [[nodiscard]] int remove(ClientThread& worker);
  [[nodiscard]] int set_state(ClientThread& worker, morpheus_worker_state state);

 private:
  Registry() = default;

  [[nodiscard]] Result<void> prepare();
  // Under both locks.
  [[nodiscard]] int start_link(const LinkSpec& spec);
  void end_link(std::unique_lock<std::mutex>& lock);
  [[nodiscard]] std::uint32_t guided() const;
  void note(const Error& error);
  void wake_link_thread() const;

  // How the link comes and goes: registry_link.cpp. All under lock_, but keep_link().
  void keep_link();  // the link thread
  [[nodiscard]] bool is_link_alive() const;
  [[nodiscard]] bool connect();
  void lose_link();
  void guide(ClientThread& worker, std::uint64_t base);
  void change_epoch(std::uint64_t base);
  [[nodiscard]] std::uint64_t next_base() const;
  void drop_unused_lines();

  // fork(): registry_fork.cpp
  static void watch_forks();
  void forget_parent();

  std::mutex attaching_;  // held by a thread that attaches or detaches, before lock_
  std::mutex lock_;
  bool is_attached_ = false;
  bool is_stopping_ = false;
  bool is_programs_ = false;  // the program attached, and has not detached
  unsigned shares_ = 0;       // of runtimes
  LinkSpec spec_;
  std::optional<DaemonLink> link_;
  bool is_daemon_absent_ = false;  // nothing listened at the last attempt to connect
  std::uint32_t attaches_ = 0;
  std::string last_error_;
  std::vector<ClientThread*> workers_;
  SharedLines lines_;
  UniqueFd wake_fd_;
  std::optional<SocketWatch> socket_watch_;  // the link thread's
  std::unique_ptr<std::thread> link_thread_;
};

}  // namespace morpheus::sdk
