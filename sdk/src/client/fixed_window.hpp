// SPDX-License-Identifier: GPL-2.0-only
// A range of addresses that never moves while the memory behind it changes: a daemon's memfd, or
// zeros. Readers need no lock and never fault, whatever happens to the daemon.
#pragma once

#include <cstddef>

#include "proto/result.hpp"

namespace morpheus::sdk {

/// Read-only. Stays reserved until the process ends: safe points may point into it.
class FixedWindow {
 public:
  /// Reserves `size` bytes, rounded up to pages, showing zeros. Not more than once.
  [[nodiscard]] Result<void> reserve(std::size_t size);
  /// Shows the first `size` bytes of the daemon's memory `fd`, and zeros after them. Refuses memory
  /// that is too short, or can be made so: touching it would be fatal.
  [[nodiscard]] Result<void> show(int fd, std::size_t size);
  /// Shows zeros. Cannot fail once the range is reserved.
  void hide();

  [[nodiscard]] const void* data() const { return data_; }

 private:
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Whether `fd`, once mapped, holds `size` bytes for as long as it is mapped: a memfd that is long
/// enough and sealed against shrinking, or a BPF map (Linux 6.12), which cannot be mapped beyond
/// its end.
[[nodiscard]] Result<void> check_memory(int fd, std::size_t size);

}  // namespace morpheus::sdk
