// SPDX-License-Identifier: GPL-2.0-only
// The process at the other end of a connection, as the kernel identifies it, and which threads are
// that process's.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proto/result.hpp"
#include "proto/unique_fd.hpp"

namespace morpheus::daemon {

/// The process that connected. connect() fixed its identity: passing the socket on to another
/// process does not change it.
struct Peer {
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  ///< supplementary
  UniqueFd pidfd;             ///< readable once the process is gone

  /// Reads SO_PEERCRED, SO_PEERPIDFD and SO_PEERGROUPS.
  [[nodiscard]] static Result<Peer> of(int socket);
};

/// The name of a process, as /proc/PID/comm gives it; empty if it is gone.
[[nodiscard]] std::string command_of(pid_t pid);

/// A living thread: its number here, and a pidfd made with PIDFD_THREAD.
struct ThreadRef {
  pid_t tid = 0;
  UniqueFd pidfd;
};

/// Opens thread `tid` of `peer` without a race: the descriptor refers to a thread that was the
/// peer's and alive while it was checked. Error code ESRCH: there is no such thread; EPERM: it is
/// another process's.
[[nodiscard]] Result<ThreadRef> open_thread_of(const Peer& peer, pid_t tid);

/// Whether a descriptor is a pidfd. Has no effect on any other kind of descriptor.
[[nodiscard]] bool is_pidfd(int fd);

/// The thread that a descriptor sent by a peer refers to; nothing if it is no pidfd or its thread
/// is gone or not visible here.
[[nodiscard]] std::optional<pid_t> thread_of_pidfd(int fd);

/// The number in the "Pid:" line of a pidfd's /proc/self/fdinfo text. Pure.
[[nodiscard]] std::optional<pid_t> parse_pidfd_info(const std::string& text);

/// Whether what a pidfd refers to still runs.
[[nodiscard]] bool is_alive(int pidfd);

}  // namespace morpheus::daemon
