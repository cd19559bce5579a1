// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/rights/peer.hpp"

#include <fcntl.h>
#include <linux/types.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
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
  if (errno != ENOPROTOOPT) return fail_errno("get the peer's pidfd");
  // before Linux 6.5; the number may be another process's by now, as with every pid
  UniqueFd opened(open_pidfd(pid, 0));
  if (!opened) return fail_errno("open the peer's pidfd");
  return opened;
}

// From linux/pidfd.h, which older build machines lack. Kernels write as much of it as they know.
struct PidfdInfo {
  __u64 mask;
  __u64 cgroupid;
  __u32 pid, tgid, ppid;
  __u32 ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
  __s32 exit_code;
};
static_assert(sizeof(PidfdInfo) == 64);
constexpr unsigned long kPidfdGetInfo = _IOWR(0xFF, 11, PidfdInfo);
constexpr __u64 kPidfdInfoPid = 1;

// The thread and process of a pidfd, by their numbers here, without /proc (which hidepid may hide).
// Nothing before Linux 6.13, and for threads that are gone or not visible in our PID namespace.
std::optional<PidfdInfo> pidfd_info(int fd) {
  PidfdInfo info{};
  info.mask = kPidfdInfoPid;
  if (::ioctl(fd, kPidfdGetInfo, &info) != 0 || (info.mask & kPidfdInfoPid) == 0)
    return std::nullopt;
  return info;
}

bool is_listed(pid_t pid, pid_t tid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/task/" + std::to_string(tid);
  return ::faccessat(AT_FDCWD, path.c_str(), F_OK, AT_EACCESS) == 0;
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

std::string command_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/comm");
  std::string name;
  std::getline(file, name);
  return name;
}

Result<Peer> Peer::of(int socket) {
  ucred credentials{};
  socklen_t size = sizeof(credentials);
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
    return fail_errno("get the peer's credentials");
  auto pidfd = peer_pidfd(socket, credentials.pid);
  if (!pidfd) return tl::unexpected(pidfd.error());
  return Peer{credentials.pid, credentials.uid, credentials.gid, peer_groups(socket),
              std::move(*pidfd)};
}

Result<ThreadRef> open_thread_of(const Peer& peer, pid_t tid) {
  const auto refuse = [&](int code) { return fail("open thread " + std::to_string(tid), code); };
  if (tid <= 0) return refuse(ESRCH);
  UniqueFd pidfd(open_pidfd(tid, PIDFD_THREAD));
  if (!pidfd) return refuse(ESRCH);
  const auto info = pidfd_info(pidfd.get());
  const bool listed = info ? info->tgid == static_cast<__u32>(peer.pid) : is_listed(peer.pid, tid);
  // Both must still live: only then did no other thread get either number meanwhile.
  if (!is_alive(pidfd.get())) return refuse(ESRCH);
  if (!listed || !is_alive(peer.pidfd.get())) return refuse(EPERM);
  return ThreadRef{tid, std::move(pidfd)};
}

bool is_pidfd(int fd) {
  // signal 0 has no effect; it fails with EBADF if this is no pidfd, with ESRCH if the thread is
  // dead
  return ::syscall(SYS_pidfd_send_signal, fd, 0, nullptr, 0) == 0 || errno == EPERM ||
         errno == ESRCH || errno == EINVAL;
}

std::optional<pid_t> thread_of_pidfd(int fd) {
  if (!is_pidfd(fd)) return std::nullopt;
  if (const auto info = pidfd_info(fd)) {
    if (info->pid == 0) return std::nullopt;
    return static_cast<pid_t>(info->pid);
  }
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
