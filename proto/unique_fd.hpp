// SPDX-License-Identifier: GPL-2.0-only
// Ownership of one file descriptor. Errors of close() are ignored: no UniqueFd holds a file with
// data still to be written.
#pragma once

#include <unistd.h>

#include <utility>
#include <vector>

namespace morpheus {

/// Owns a descriptor or none (-1). Move-only.
class UniqueFd {
 public:
  UniqueFd() = default;
  /// Takes ownership of `fd`; any negative value means none.
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    reset(other.release());
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { reset(); }

  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] explicit operator bool() const { return fd_ >= 0; }
  /// Gives the descriptor to the caller.
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }
  /// Closes the present descriptor, then takes ownership of `fd`.
  void reset(int fd = -1) {
    const int old = std::exchange(fd_, fd);
    if (old >= 0 && old != fd) ::close(old);
  }

 private:
  int fd_ = -1;
};

using FdList = std::vector<UniqueFd>;

}  // namespace morpheus
