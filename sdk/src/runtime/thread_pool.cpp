// SPDX-License-Identifier: GPL-2.0-only
#include "sdk/src/runtime/thread_pool.hpp"

#include <sched.h>

#include <algorithm>
#include <utility>

#include "sdk/src/sync/futex.hpp"

namespace morpheus::sdk {
namespace {

std::size_t usable_cpus() {
  cpu_set_t mine;
  if (::sched_getaffinity(0, sizeof mine, &mine) != 0) return 1;
  return static_cast<std::size_t>(std::max(1, CPU_COUNT(&mine)));
}

}  // namespace

ThreadPool::ThreadPool(runtime& owner, const runtime_options& options)
    : state_(owner, options, usable_cpus()), lanes_(state_) {
  (void)can_barrier_all_threads();
  if (options.guided) has_attached_ = morpheus_attach(nullptr) == MORPHEUS_OK;
  for (unsigned i = 0; i < state_.threads(); ++i) {
    auto& added =
        threads_.emplace_back(std::make_unique<RuntimeThread>(state_, lanes_, runners_, i));
    runners_.push_back(added.get());
    lanes_.add_own(added->name(), added->inbox());
  }
  try {
    // A lone thread has no other that could take over its jobs: without stalls to report there is
    // nothing to watch.
    if (threads_.size() > 1 || options.stall_threshold.count() > 0)
      watch_.emplace(state_, threads_);
    for (auto& thread : threads_) thread->start();
  } catch (...) {
    join_all();
    throw;
  }
}

ThreadPool::~ThreadPool() {
  stop().request_stop();
  state_.lifetime.wait_for_tasks();
  join_all();
}

void ThreadPool::join_all() {
  if (watch_) watch_->end();
  state_.lifetime.end_threads();
  for (auto& thread : threads_) thread->sleeper().wake();
  for (auto& thread : threads_) thread->join();
  if (has_attached_) (void)morpheus_detach();
}

std::vector<thread_stats> ThreadPool::stats() const {
  std::vector<thread_stats> all;
  all.reserve(threads_.size());
  for (const auto& thread : threads_) all.push_back(thread->stats());
  return all;
}

void ThreadPool::trace(std::function<void(const trace_event&)> hook) {
  state_.trace.set(std::move(hook), [this](bool is_on) {
    for (auto& thread : threads_) thread->trace(is_on);
  });
}

bool ThreadPool::set_driver(detail::driver* driver) {
  if (!state_.driver_seat.set(driver)) return false;
  // One of them waits in it from now on.
  for (auto& thread : threads_) thread->sleeper().wake();
  return true;
}

}  // namespace morpheus::sdk
