// SPDX-License-Identifier: GPL-2.0-only
// The shared memory of proto/scb.h, which the daemon makes: one piece for each client and kind of
// line, and the one global block. A piece is a memfd that the daemon maps for writing and hands out
// sealed or, where BPF cannot reach memfds (Linux 6.12), an array map.
#pragma once

#include <cstdint>

#include "daemon/kernel/pressure.hpp"
#include "proto/events.h"
#include "proto/mapping.hpp"
#include "proto/memfd.hpp"

namespace morpheus::daemon {

/// Both kinds of lines of one client.
class ClientLines {
 public:
  /// Makes room for at least `workers` lines of each kind; whole pages.
  [[nodiscard]] static Result<ClientLines> in_memfds(std::uint32_t workers);
  /// Takes two BPF array maps of `capacity` lines each. The one of the kernel lines is frozen
  /// already: not even the caller can write kernel_line().
  [[nodiscard]] static Result<ClientLines> in_maps(std::uint32_t capacity, UniqueFd kernel_map,
                                                   UniqueFd runtime_map);
  /// How many lines of each kind `workers` get, and how much memory both kinds take. Pure.
  [[nodiscard]] static std::uint32_t capacity_for(std::uint32_t workers);
  [[nodiscard]] static std::uint64_t bytes_for(std::uint32_t workers);

  [[nodiscard]] std::uint32_t capacity() const { return capacity_; }
  /// Line `index` < capacity().
  [[nodiscard]] morpheus_scb_kernel& kernel_line(std::uint32_t index) const;
  [[nodiscard]] morpheus_scb_runtime& runtime_line(std::uint32_t index) const;

  /// Descriptors to send to the client; the caller owns them. That of the kernel lines is
  /// read-only.
  [[nodiscard]] Result<UniqueFd> kernel_fd_for_client() const;
  [[nodiscard]] Result<UniqueFd> runtime_fd_for_client() const;

  /// The memory itself; borrowed.
  [[nodiscard]] int kernel_fd() const { return kernel_fd_.get(); }
  [[nodiscard]] int runtime_fd() const { return runtime_fd_.get(); }

 private:
  std::uint32_t capacity_ = 0;
  bool in_maps_ = false;
  UniqueFd kernel_fd_, runtime_fd_;
  Mapping kernel_, runtime_;
};

/// The global block. Each field is read and stored on its own, without a lock.
class GlobalBlock {
 public:
  [[nodiscard]] static Result<GlobalBlock> create();
  /// `now_ns` is CLOCK_MONOTONIC and becomes the heartbeat; 0 says that the daemon stopped cleanly.
  void update(const Pressure& pressure, morpheus_scheduler_mode mode, std::uint64_t now_ns);
  [[nodiscard]] Result<UniqueFd> fd_for_client() const { return reopen_read_only(fd_.get()); }
  [[nodiscard]] const morpheus_global_pressure& block() const;

 private:
  UniqueFd fd_;
  Mapping mapping_;
};

}  // namespace morpheus::daemon
