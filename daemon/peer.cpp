// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/peer.hpp"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif
#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

namespace morpheus::daemon {
namespace {

int open_pidfd(pid_t pid, unsigned flags) {
  return static_cast<int>(::syscall(SYS_pidfd_open, pid, flags));
}

Result<UniqueFd> peer_pidfd(int socket, pid_t pid) {
  int fd = -1;
  socklen_t size = sizeof(fd);
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &fd, &size) == 0) return UniqueFd(fd);
  if (errno != ENOPROTOOPT) return fail_errno("ask for the peer's pidfd");
  // before Linux 6.5; the number might have been used again, as with every pid
  UniqueFd opened(open_pidfd(pid, 0));
  if (!opened) return fail_errno("open the peer's pidfd");
  return opened;
}

std::vector<gid_t> peer_groups(int socket) {
  std::vector<gid_t> groups(64);
  while (true) {
    socklen_t size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    const int got = ::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size);
    if (got != 0 && errno != ERANGE) return {};  // unknown groups grant nothing
    groups.resize(size / sizeof(gid_t));
    if (got == 0) return groups;
  }
}

}  // namespace

Result<Peer> Peer::of(int socket) {
  ucred credentials{};
  socklen_t size = sizeof(credentials);
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
    return fail_errno("ask for the peer's credentials");
  auto pidfd = peer_pidfd(socket, credentials.pid);
  if (!pidfd) return tl::unexpected(pidfd.error());
  return Peer{credentials.pid, credentials.uid, credentials.gid, peer_groups(socket),
              std::move(*pidfd)};
}

AdminRule AdminRule::for_group(const std::string& name) {
  AdminRule rule{::geteuid(), std::nullopt};
  if (const struct ::group* found = ::getgrnam(name.c_str())) rule.group = found->gr_gid;
  return rule;
}

bool AdminRule::allows(const Peer& peer) const {
  if (peer.uid == 0 || peer.uid == daemon_uid) return true;
  if (!group) return false;
  return peer.gid == *group || std::ranges::find(peer.groups, *group) != peer.groups.end();
}

tl::expected<ThreadRef, ThreadError> open_thread_of(const Peer& peer, pid_t tid) {
  if (tid <= 0) return tl::unexpected(ThreadError::no_such_thread);
  UniqueFd pidfd(open_pidfd(tid, PIDFD_THREAD));
  if (!pidfd) return tl::unexpected(ThreadError::no_such_thread);
  const std::string path = "/proc/" + std::to_string(peer.pid) + "/task/" + std::to_string(tid);
  const bool listed = ::faccessat(AT_FDCWD, path.c_str(), F_OK, AT_EACCESS) == 0;
  // Both must still live: only then did neither number change hands while we looked.
  if (!is_alive(pidfd.get())) return tl::unexpected(ThreadError::no_such_thread);
  if (!listed || !is_alive(peer.pidfd.get())) return tl::unexpected(ThreadError::not_yours);
  return ThreadRef{tid, std::move(pidfd)};
}

std::optional<pid_t> thread_of_pidfd(int fd) {
  // signal 0 reaches nobody; it fails with EBADF for whatever is no pidfd
  if (::syscall(SYS_pidfd_send_signal, fd, 0, nullptr, 0) != 0 && errno != EPERM)
    return std::nullopt;
  std::ifstream file("/proc/self/fdinfo/" + std::to_string(fd));
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return parse_pidfd_info(text);
}

std::optional<pid_t> parse_pidfd_info(const std::string& text) {
  constexpr std::string_view kKey = "Pid:\t";
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    std::string_view line(text.data() + start, end - start);
    start = end + 1;
    if (!line.starts_with(kKey)) continue;
    line.remove_prefix(kKey.size());
    pid_t pid = 0;
    const auto parsed = std::from_chars(line.data(), line.data() + line.size(), pid);
    // 0: in a PID namespace that is not visible here; -1: gone
    if (parsed.ec != std::errc{} || pid <= 0) return std::nullopt;
    return pid;
  }
  return std::nullopt;
}

bool is_alive(int pidfd) {
  pollfd watched{pidfd, POLLIN, 0};
  return ::poll(&watched, 1, 0) == 0;
}

}  // namespace morpheus::daemon
