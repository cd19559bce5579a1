// SPDX-License-Identifier: GPL-2.0-only
// Messages on their way to one peer, with their descriptors.
#pragma once

#include <cstddef>
#include <deque>
#include <string>

#include "proto/result.hpp"
#include "proto/unique_fd.hpp"

namespace morpheus::daemon {

class OutputQueue {
 public:
  void push(std::string bytes, FdList fds);
  /// Adds to the message pushed last.
  void append(std::string bytes);
  /// Writes what the socket takes. True: all is written; false: the socket is full.
  [[nodiscard]] Result<bool> write_to(int socket);
  [[nodiscard]] bool empty() const { return messages_.empty(); }
  [[nodiscard]] std::size_t messages() const { return messages_.size(); }
  /// Bytes that wait.
  [[nodiscard]] std::size_t size() const { return waiting_; }

 private:
  struct Item {
    std::string bytes;
    FdList fds;
    std::size_t sent = 0;
  };
  std::deque<Item> messages_;
  std::size_t waiting_ = 0;
};

}  // namespace morpheus::daemon
