// SPDX-License-Identifier: GPL-2.0-only
#include "sdk/src/runtime/thread_pool.hpp"

#include <cstdio>
#include <exception>
#include <string>
#include <system_error>
#include <utility>

#include "sdk/src/runtime/frames/frame_memory.hpp"
#include "sdk/src/sync/futex.hpp"

namespace morpheus::sdk {

ThreadPool::ThreadPool(runtime& owner, const runtime_options& options)
    : state_(owner, options, CpuShare::of_this_process()), lanes_(state_), attached_(options) {
  (void)can_barrier_all_threads();
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
  } catch (const std::system_error& error) {
    join_all();
    throw std::system_error(
        error.code(), "start the " + std::to_string(threads_.size()) + " threads of a runtime");
  }
}

ThreadPool::~ThreadPool() {
  if (is_inside()) {
    std::fputs("morpheus: a runtime is destroyed on one of its own threads\n", stderr);
    std::terminate();  // it would wait for this thread for ever
  }
  state_.lifetime.request_stop();
  // What its tasks wait for may be in an io_context that no run_on runs any more.
  if (state_.guests.drive_again()) state_.idle.call_one();
  state_.lifetime.wait_for_tasks();
  state_.driver_seat.clear();
  state_.guests.end();
  state_.lifetime.wait_for_posts();
  state_.blocking.end();
  join_all();
  FrameStore::instance().trim();
}

bool ThreadPool::is_inside() const {
  const ThreadRunner* const mine = ThreadRunner::current();
  return mine != nullptr && &mine->pool() == &state_;
}

void ThreadPool::join_all() {
  if (watch_) watch_->end();
  state_.lifetime.end_threads();
  for (auto& thread : threads_) thread->sleeper().wake();
  for (auto& thread : threads_) thread->join();
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

}  // namespace morpheus::sdk
