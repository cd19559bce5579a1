// SPDX-License-Identifier: GPL-2.0-only
// The listening socket: made at a path under a lock, so that a dead daemon's socket is taken over
// and a living one's is not, or inherited from systemd.
#pragma once

#include <cstdint>
#include <string>

#include "proto/result.hpp"
#include "proto/unique_fd.hpp"

namespace morpheus::daemon {

/// A listening, non-blocking AF_UNIX socket. Removes its path when it goes.
class Listener {
 public:
  /// Locks `path`.lock for as long as the object lasts. Error code EWOULDBLOCK: another daemon has
  /// the lock. Makes the directory (0755) if it is missing. No client can connect yet.
  [[nodiscard]] static Result<Listener> lock(const std::string& path);
  /// Uses the first socket that systemd passed to this process. Error code ENOENT: it passed none.
  [[nodiscard]] static Result<Listener> inherited();

  /// Makes the socket, replacing a stale one; does nothing for an inherited one.
  [[nodiscard]] Result<void> listen(std::uint32_t mode);

  [[nodiscard]] int fd() const { return socket_.get(); }

  Listener(Listener&&) = default;
  Listener& operator=(Listener&&) = delete;
  ~Listener();

 private:
  Listener() = default;
  std::string path_;  // empty if inherited
  UniqueFd lock_;
  UniqueFd socket_;
};

}  // namespace morpheus::daemon
