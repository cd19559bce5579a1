// SPDX-License-Identifier: GPL-2.0-only
// Closes descriptors that clients sent. close(2) of a foreign descriptor can take for ever (a
// socket that lingers, a file of a FUSE server that does not answer), so no such close happens on
// the daemon's loop. A well-behaved client never needs this: a pidfd, known by the kernel's own
// word, is closed on the spot.
#pragma once

#include <sys/types.h>

#include <memory>

#include "proto/unique_fd.hpp"

namespace morpheus::daemon {

/// All calls from the loop. Each user has at most one thread, which lasts as long as there is
/// something to close: a descriptor that blocks holds up those of the same user only.
class Closer {
 public:
  Closer();

  /// Closes what `uid` sent, now if that cannot block.
  void close(uid_t uid, FdList fds);
  /// Ends a connection. What the peer sent and nobody has read may hold descriptors, too.
  void close_connection(uid_t uid, UniqueFd socket);
  /// How many descriptors of this user wait; the one that blocks is among them.
  [[nodiscard]] std::size_t waiting(uid_t uid) const;

 private:
  struct State;  // outlives this: a thread that is stuck cannot be joined
  std::shared_ptr<State> state_;
};

}  // namespace morpheus::daemon
