// SPDX-License-Identifier: GPL-2.0-only
// A link: one connection of this process to one daemon, with the memory that came with it. It ends
// with the daemon; the next daemon gets a new one.
#pragma once

#include <morpheus/morpheus.h>

#include <cstdint>
#include <memory>
#include <string>

#include "proto/mapping.hpp"
#include "proto/scb.h"
#include "proto/unique_fd.hpp"

namespace morpheus::sdk {

/// What a process tells the daemon about itself.
struct LinkSpec {
  static constexpr std::uint32_t kDefaultWorkers = 256;

  /// With the defaults for what `options`, which may be null, does not say.
  [[nodiscard]] static LinkSpec from(const morpheus_options* options);

  std::string socket;
  std::string name;
  std::uint32_t workers = 0;
};

/// Not thread-safe. Calls take at most about a second; after a transport failure is_open() is false
/// and every further call fails at once.
class DaemonLink {
 public:
  DaemonLink(DaemonLink&&) noexcept;
  DaemonLink& operator=(DaemonLink&&) noexcept;
  ~DaemonLink();

  /// Connects and attaches.
  [[nodiscard]] static Result<DaemonLink> open(const LinkSpec& spec);

  /// Registers thread `tid` of this process. Its sequence then starts at `base`, without a hint.
  /// Returns the slot, below LinkSpec::workers.
  [[nodiscard]] Result<std::uint32_t> add_worker(int tid, std::uint64_t base);
  [[nodiscard]] Result<void> set_state(std::uint32_t slot, morpheus_worker_state state);
  [[nodiscard]] Result<void> remove_worker(std::uint32_t slot);

  [[nodiscard]] bool is_open() const { return fd() >= 0; }
  /// Becomes ready (POLLRDHUP, POLLHUP) when the daemon goes.
  [[nodiscard]] int fd() const;

  [[nodiscard]] int kernel_lines() const { return kernel_lines_.get(); }
  [[nodiscard]] int global_block() const { return global_block_.get(); }
  /// The runtime lines, mapped read-write; the caller owns them.
  [[nodiscard]] Mapping take_runtime_lines() { return std::move(runtime_lines_); }

 private:
  class Wire;  // daemon_link.cpp
  explicit DaemonLink(std::unique_ptr<Wire> wire);
  Result<void> attach(const LinkSpec& spec);

  std::unique_ptr<Wire> wire_;
  UniqueFd kernel_lines_;
  UniqueFd global_block_;
  Mapping runtime_lines_;
  std::uint32_t slots_ = 0;
};

}  // namespace morpheus::sdk
