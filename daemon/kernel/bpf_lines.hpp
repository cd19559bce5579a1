// SPDX-License-Identifier: GPL-2.0-only
// How workers' lines reach the BPF programs: by user pointers into the clients' memfds, or on
// Linux 6.12, which has none, through array maps. Only this and bpf/lines.bpf.h know the
// difference.
#pragma once

#include <array>

#include "daemon/kernel/kernel_side.hpp"

struct morpheus_bpf;

namespace morpheus::daemon {

class BpfLines {
 public:
  /// `user_pointers`: whether the running kernel has them (6.13+).
  explicit BpfLines(bool user_pointers) : in_maps_(!user_pointers) {}

  /// Fits the object to the kernel, after it is opened and before it is loaded. `skeleton` is
  /// borrowed until the next call.
  void prepare(morpheus_bpf& skeleton);

  [[nodiscard]] Result<ClientLines> make(std::uint32_t workers) const;
  /// Initialises the worker's kernel line and hands both lines to the programs.
  [[nodiscard]] Result<void> add(const WorkerSpec& spec);
  /// The slot is in use.
  void set_state(std::uint32_t slot, morpheus_worker_state state);
  /// The thread may be gone; false if the slot was not in use.
  bool remove(std::uint32_t slot);

 private:
  struct Entry {
    int pidfd = 0;  // borrowed; 0, which no pidfd is: not in use
    const ClientLines* lines = nullptr;
    std::uint32_t line = 0;
  };
  [[nodiscard]] Result<void> show_maps(const WorkerSpec& spec);
  [[nodiscard]] Result<void> store_line(morpheus_line_update update);

  bool in_maps_;
  morpheus_bpf* skeleton_ = nullptr;
  std::array<Entry, MORPHEUS_MAX_WORKERS> entries_;
};

}  // namespace morpheus::daemon
