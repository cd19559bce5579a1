// SPDX-License-Identifier: GPL-2.0-only
// Closes descriptors that clients sent. close(2) of a foreign descriptor can block for ever (a
// socket that lingers, a file of a FUSE server that does not answer), so it never happens on the
// daemon's loop. Well-behaved clients send only pidfds, which are closed on the spot.
#pragma once

#include <sys/types.h>

#include <memory>

#include "proto/unique_fd.hpp"

namespace morpheus::daemon {

/// For the loop's thread. Each user has at most one closing thread, which lasts as long as there is
/// something to close: a descriptor that blocks holds up only those of the same user.
class Closer {
 public:
  Closer();

  /// Closes what `uid` sent, now if that cannot block.
  void close(uid_t uid, FdList fds);
  /// Ends a connection. What the peer sent and we have not read may hold descriptors, too.
  void close_connection(uid_t uid, UniqueFd socket);
  /// How many descriptors of this user wait; the one that blocks is among them.
  [[nodiscard]] std::size_t waiting(uid_t uid) const;

 private:
  struct State;  // outlives this: a thread that is stuck cannot be joined
  std::shared_ptr<State> state_;
};

}  // namespace morpheus::daemon
