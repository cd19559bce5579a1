// SPDX-License-Identifier: GPL-2.0-only
#include "sdk/src/client/socket_watch.hpp"

#include <limits.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <filesystem>

namespace morpheus::sdk {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kNews =
    IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_EXCL_UNLINK;

}  // namespace

void SocketWatch::arm() {
  if (!inotify_) inotify_.reset(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  // A directory that appears while one above it is chosen would be missed: choose again until the
  // choice stays the same.
  while (inotify_ && watch_nearest()) {
  }
}

void SocketWatch::disarm() {
  inotify_.reset();
  watch_ = -1;
}

/// Whether the watched directory is another one than before.
bool SocketWatch::watch_nearest() {
  fs::path child = fs::path(socket_).lexically_normal();
  while (child.has_relative_path()) {
    fs::path directory = child.parent_path();
    if (directory.empty()) directory = ".";
    const int watch = ::inotify_add_watch(inotify_.get(), directory.c_str(), kNews);
    if (watch >= 0) {
      awaited_ = child.filename();
      if (watch == watch_) return false;
      if (watch_ >= 0) ::inotify_rm_watch(inotify_.get(), watch_);
      watch_ = watch;
      return true;
    }
    child = child.parent_path();
  }
  disarm();  // not even the root directory: this user may have too many watches
  return false;
}

bool SocketWatch::has_news() {
  alignas(inotify_event) char events[16 * (sizeof(inotify_event) + NAME_MAX + 1)];
  bool found = false;
  while (true) {
    const ssize_t got = ::read(inotify_.get(), events, sizeof events);
    if (got <= 0) return found;
    for (ssize_t at = 0; at < got;) {
      const auto& event = *reinterpret_cast<const inotify_event*>(events + at);
      at += static_cast<ssize_t>(sizeof event + event.len);
      if (event.wd != watch_) continue;  // of a directory that was watched before
      const bool is_directory_gone =
          (event.mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED)) != 0;
      if (is_directory_gone) watch_ = -1;
      found = found || is_directory_gone || (event.len > 0 && awaited_ == event.name);
    }
  }
}

}  // namespace morpheus::sdk
