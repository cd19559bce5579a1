// SPDX-License-Identifier: GPL-2.0-only
#include "sdk/src/runtime/shared/blocking_threads.hpp"

#include <pthread.h>

#include <chrono>
#include <system_error>
#include <thread>

#include "sdk/src/sync/race_detector.hpp"

namespace morpheus::sdk {
namespace {
constexpr std::chrono::seconds kIdle{1};
}

void BlockingThreads::end() {
  std::unique_lock lock(lock_);
  is_ending_ = true;
  changed_.notify_all();
  ended_.wait(lock, [this] { return threads_ == 0; });
}

void BlockingThreads::run(detail::blocking_call& call) {
  note_release(&call);
  const std::scoped_lock lock(lock_);
  if (waiting_ >= idle_ && threads_ < most_) {
    try {
      std::thread([this] { work(); }).detach();
      ++threads_;
    } catch (const std::system_error&) {
      if (threads_ == 0) throw;
    }
  }
  (first_ == nullptr ? first_ : last_->next) = &call;
  last_ = &call;
  ++waiting_;
  changed_.notify_one();
}

void BlockingThreads::work() {
  pthread_setname_np(pthread_self(), "blocking");
  std::unique_lock lock(lock_);
  while (detail::blocking_call* const call = take(lock)) {
    lock.unlock();
    note_acquire(call);
    call->run(*call);
    lock.lock();
  }
  if (--threads_ == 0) ended_.notify_all();
}

/// The next call; null: the thread ends.
detail::blocking_call* BlockingThreads::take(std::unique_lock<std::mutex>& lock) {
  ++idle_;
  changed_.wait_for(lock, kIdle, [this] { return first_ != nullptr || is_ending_; });
  --idle_;
  detail::blocking_call* const call = first_;
  if (call == nullptr) return nullptr;
  first_ = call->next;
  call->next = nullptr;
  --waiting_;
  return call;
}

}  // namespace morpheus::sdk
