// SPDX-License-Identifier: GPL-2.0-only
// Reports when a daemon may have begun to listen at a path, so that the client need not try again
// and again.
#pragma once

#include <string>

#include "proto/unique_fd.hpp"

namespace morpheus::sdk {

/// For one thread at a time.
class SocketWatch {
 public:
  explicit SocketWatch(const std::string& socket) : socket_(socket) {}

  /// Watches the directory of the socket, or the nearest one above it that exists. If it is called
  /// before each attempt to connect, no socket that appears after the attempt is missed.
  void arm();
  /// Watches nothing until it is armed again.
  void disarm();
  /// Readable when something appeared there; negative: nothing can be watched.
  [[nodiscard]] int fd() const { return inotify_.get(); }
  /// Whether that was the socket, or the next directory on the way to it. Reads all events.
  [[nodiscard]] bool has_news();

 private:
  [[nodiscard]] bool watch_nearest();

  const std::string socket_;
  UniqueFd inotify_;
  int watch_ = -1;
  std::string awaited_;  // the name within the watched directory
};

}  // namespace morpheus::sdk
