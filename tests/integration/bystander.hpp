// SPDX-License-Identifier: GPL-2.0-only
// What the tests of hostile clients share: one client that must notice nothing, and raw bytes for
// the others.
#pragma once

#include <poll.h>
#include <unistd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <optional>
#include <span>
#include <string>

#include "proto/varlink_socket.hpp"
#include "tests/programs/daemon_process.hpp"

namespace morpheus::test {

/// A client that goes on working and measures its longest wait.
class Bystander {
 public:
  explicit Bystander(const DaemonProcess& daemon) : attached_(daemon) {
    slot_ = attached_.register_thread(::gettid());
    attached_.run(slot_);
  }
  // A loop that blocks on a peer waits for seconds.
  ~Bystander() { CHECK(worst_ < std::chrono::milliseconds(500)); }
  void work() {
    for (int i = 0; i < 20; ++i) {
      const auto start = std::chrono::steady_clock::now();
      const char* state = i % 2 == 0 ? "QUIESCING" : "RUNNING";
      REQUIRE(attached_.client.call("io.morpheus.Worker.SetState",
                                    {{"slot", slot_}, {"state", state}}));
      worst_ = std::max(worst_, std::chrono::steady_clock::now() - start);
    }
  }

 private:
  Attached attached_;
  int slot_ = 0;
  std::chrono::steady_clock::duration worst_{};
};

inline UniqueFd raw_connection(const DaemonProcess& daemon) {
  auto socket = varlink::connect_unix(daemon.socket());
  REQUIRE(socket);
  return std::move(*socket);
}

inline void send_all(int socket, std::string_view bytes, std::span<const int> fds = {}) {
  while (!bytes.empty()) {
    auto sent = varlink::send_some(socket, bytes, fds);
    if (!sent && sent.error().code != EAGAIN) return;  // dropped: what we want to see
    if (sent) bytes.remove_prefix(*sent), fds = {};
  }
}

/// Everything that comes until the daemon closes; nothing if it does not close in five seconds.
inline std::optional<std::string> read_to_end(int socket) {
  std::string all;
  std::array<char, 65536> buffer;
  pollfd watched{socket, POLLIN, 0};
  while (::poll(&watched, 1, 5000) > 0) {
    auto got = varlink::receive_some(socket, buffer, 16);
    if (!got && got.error().code == EAGAIN) continue;
    if (!got || got->size == 0) return all;
    all.append(buffer.data(), got->size);
  }
  return std::nullopt;
}

}  // namespace morpheus::test
