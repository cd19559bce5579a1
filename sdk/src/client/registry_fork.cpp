// SPDX-License-Identifier: GPL-2.0-only
// fork(): the child has one thread, none of the parent's rights with the daemon, and a copy of
// every mapping. It must never write to its parent's lines, so it lets go of all of them before any
// of its code runs, and starts anew as a process that has not attached.
#include <pthread.h>

#include "sdk/src/client/registry.hpp"
#include "sdk/src/client/this_thread.hpp"

namespace morpheus::sdk {

void Registry::watch_forks() {
  // The locks are held across the fork, so the child never sees a half-made change.
  static constexpr auto kUnlock = [] {
    instance().lock_.unlock();
    instance().attaching_.unlock();
  };
  [[maybe_unused]] static const int registered = ::pthread_atfork(
      [] {
        instance().attaching_.lock();
        instance().lock_.lock();
      },
      [] { kUnlock(); },
      [] {
        instance().forget_parent();
        kUnlock();
      });
}

void Registry::forget_parent() {
  if (ClientThread* worker = ThisThread::worker()) {
    worker->abandon();
    ThisThread::set_worker(nullptr);
  }
  workers_.clear();
  lines_.forget();
  link_.reset();
  socket_watch_.reset();
  DaemonAbsence::set({});
  // The thread exists in the parent only; a std::thread that is not joined must not be destroyed.
  [[maybe_unused]] auto* parents = link_thread_.release();
  is_attached_ = false;
  is_programs_ = false;
  shares_ = 0;
}

}  // namespace morpheus::sdk
