// SPDX-License-Identifier: GPL-2.0-only
// The memory that the workers of this process share with the kernel: one window each for kernel
// lines and global block, which never move, and the runtime lines of each epoch that is in use.
#pragma once

#include <morpheus/morpheus.h>

#include <cstdint>
#include <vector>

#include "proto/mapping.hpp"
#include "sdk/src/client/client_thread.hpp"
#include "sdk/src/client/daemon_link.hpp"
#include "sdk/src/client/fixed_window.hpp"

namespace morpheus::sdk {

/// Under the registry's lock, but pressure().
class SharedLines {
 public:
  /// Reserves the windows; once is enough.
  [[nodiscard]] Result<void> reserve(std::uint32_t most_workers);
  /// Shows the memory of `link`, which serves `epoch`, in the windows.
  [[nodiscard]] Result<void> show(DaemonLink& link, std::uint32_t workers, std::uint64_t epoch);
  /// Shows zeros in the windows.
  void hide();
  /// In a forked child: lets go of the parent's memory.
  void forget();

  /// Where the worker looks and writes in the newest epoch.
  [[nodiscard]] Binding binding_of(const ClientThread& worker, std::uint64_t epoch,
                                   std::uint64_t base) const;
  /// Of the first `workers` kernel lines, and of those that have none.
  [[nodiscard]] std::uint64_t highest_seq(std::uint32_t workers) const;
  /// Unmaps the runtime lines of epochs that no worker uses; `is_current_used`: but the present
  /// one.
  void drop_unused(const std::vector<ClientThread*>& workers, bool is_current_used);
  /// Lock-free; all 0 before reserve().
  [[nodiscard]] morpheus_global_pressure pressure() const;

 private:
  struct RuntimeLines {
    std::uint64_t epoch;
    Mapping memory;
  };
  [[nodiscard]] const morpheus_scb_kernel* kernel_line(std::uint32_t slot) const;

  FixedWindow kernel_window_;
  FixedWindow global_window_;
  std::vector<RuntimeLines> runtime_lines_;  // the newest last
};

}  // namespace morpheus::sdk
