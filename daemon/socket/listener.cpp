// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/socket/listener.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "daemon/config/config.hpp"
#include "daemon/log.hpp"

namespace morpheus::daemon {
namespace {

constexpr int kFirstInheritedFd = 3;  // SD_LISTEN_FDS_START

Result<void> remove_stale(const std::string& path) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return {};
    return fail_errno("look at " + path);
  }
  if (!S_ISSOCK(info.st_mode)) return fail(path + " exists and is not a socket");
  if (::unlink(path.c_str()) != 0) return fail_errno("remove stale socket " + path);
  return {};
}

bool environment_says(const char* name, long least) {
  const char* value = std::getenv(name);
  return value != nullptr && std::strtol(value, nullptr, 10) >= least;
}

}  // namespace

Result<Listener> Listener::lock(const std::string& path) {
  if (const auto checked = check_socket_path(path); !checked)
    return fail("socket '" + path + "' " + checked.error().what, ENAMETOOLONG);
  Listener listener;
  std::error_code failed;
  const auto directory = std::filesystem::path(path).parent_path();
  if (std::filesystem::create_directories(directory, failed))
    log::info("made the directory {}", directory.string());
  else if (failed && !directory.empty())
    return fail("make the directory " + directory.string(), failed.value());
  const std::string lock_path = path + ".lock";
  constexpr int kFlags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW;
  listener.lock_.reset(::open(lock_path.c_str(), kFlags, 0600));
  if (!listener.lock_) return fail_errno("open " + lock_path);
  if (::flock(listener.lock_.get(), LOCK_EX | LOCK_NB) != 0) return fail_errno("lock " + lock_path);
  listener.path_ = path;
  return listener;
}

Result<Listener> Listener::inherited() {
  const char* pid = std::getenv("LISTEN_PID");
  if (pid == nullptr || std::strtol(pid, nullptr, 10) != ::getpid()) return fail("", ENOENT);
  if (!environment_says("LISTEN_FDS", 1)) return fail("", ENOENT);
  Listener listener;
  listener.socket_.reset(kFirstInheritedFd);
  int listening = 0;
  socklen_t size = sizeof(listening);
  if (::getsockopt(kFirstInheritedFd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0 ||
      listening == 0)
    return fail("the descriptor passed by systemd is no listening socket", EINVAL);
  ::fcntl(kFirstInheritedFd, F_SETFD, FD_CLOEXEC);
  ::fcntl(kFirstInheritedFd, F_SETFL, ::fcntl(kFirstInheritedFd, F_GETFL) | O_NONBLOCK);
  return listener;
}

Result<void> Listener::listen(std::uint32_t mode) {
  if (path_.empty()) return {};
  if (auto removed = remove_stale(path_); !removed) return removed;
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail_errno("create socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path_.data(), path_.size());
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    return fail_errno("bind " + path_);
  socket_ = std::move(socket);
  if (::chmod(path_.c_str(), mode) != 0) return fail_errno("set mode of " + path_);
  if (::listen(socket_.get(), SOMAXCONN) != 0) return fail_errno("listen on " + path_);
  return {};
}

Listener::~Listener() {
  // The lock file stays: removing it would let two daemons hold locks on different files. An
  // inherited socket belongs to systemd.
  if (!path_.empty() && socket_) ::unlink(path_.c_str());
}

}  // namespace morpheus::daemon
