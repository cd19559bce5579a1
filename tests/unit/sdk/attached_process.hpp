// SPDX-License-Identifier: GPL-2.0-only
// This process, attached at a socket of the test's own and detached at the end.
#pragma once

#include <morpheus/morpheus.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>

namespace morpheus::test {

/// A directory of its own, so that tests can run side by side.
class SocketPath {
 public:
  SocketPath() {
    char name[] = "/tmp/morpheus-sdk-XXXXXX";
    if (::mkdtemp(name) == nullptr) throw std::runtime_error("mkdtemp");
    directory_ = name;
  }
  SocketPath(const SocketPath&) = delete;
  SocketPath& operator=(const SocketPath&) = delete;
  ~SocketPath() {
    ::unlink(text().c_str());
    ::rmdir(directory_.c_str());
  }
  [[nodiscard]] std::string text() const { return directory_ + "/socket"; }

 private:
  std::string directory_;
};

/// The calling thread, if registered, is unregistered at the end.
class AttachedProcess {
 public:
  explicit AttachedProcess(const std::string& socket, std::uint32_t max_workers = 8) {
    morpheus_options options{};
    options.socket = socket.c_str();
    options.name = "test";
    options.max_workers = max_workers;
    if (morpheus_attach(&options) != MORPHEUS_OK) throw std::runtime_error("attach");
  }
  AttachedProcess(const AttachedProcess&) = delete;
  AttachedProcess& operator=(const AttachedProcess&) = delete;
  ~AttachedProcess() {
    (void)morpheus_worker_unregister();
    (void)morpheus_detach();
  }
  [[nodiscard]] static morpheus_status status() {
    morpheus_status now{};
    (void)morpheus_get_status(&now);
    return now;
  }
};

/// Waits at most five seconds for `condition`.
template <class F>
[[nodiscard]] bool eventually(F condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

[[nodiscard]] inline morpheus_stats stats() {
  morpheus_stats now{};
  (void)morpheus_get_stats(&now);
  return now;
}

/// Registers the calling thread and starts it.
inline morpheus_thread* start_worker() {
  morpheus_thread* self = nullptr;
  if (morpheus_worker_register(&self) != MORPHEUS_OK) throw std::runtime_error("register");
  if (morpheus_worker_set_state(MORPHEUS_WORKER_RUNNING) != MORPHEUS_OK)
    throw std::runtime_error("start");
  return self;
}

}  // namespace morpheus::test
