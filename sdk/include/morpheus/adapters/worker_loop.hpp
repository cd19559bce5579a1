// SPDX-License-Identifier: GPL-2.0-only
// A small thread pool whose threads are workers: posted jobs run with a safe point between any two
// of them.
#pragma once

#include <morpheus/attachment.hpp>
#include <morpheus/worker.hpp>

#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace morpheus {

/// Jobs must not throw. A job that runs long should call checkpoint_here() itself.
class worker_loop {
 public:
  using job = std::function<void()>;

  /// Starts `threads` workers of the attached process. Throws std::system_error if one cannot be
  /// started or registered; none is left behind.
  worker_loop(const attachment&, unsigned threads, const worker_options& options = {}) {
    std::vector<std::future<void>> started;
    try {
      for (unsigned i = 0; i < threads; ++i) {
        std::promise<void> promise;
        started.push_back(promise.get_future());
        threads_.emplace_back(&worker_loop::run, this, options, std::move(promise));
      }
      for (auto& each : started) each.get();
    } catch (...) {
      stop();
      throw;
    }
  }
  worker_loop(const worker_loop&) = delete;
  worker_loop& operator=(const worker_loop&) = delete;
  /// Finishes what was posted, then ends the threads.
  ~worker_loop() { stop(); }

  /// Runs `work` on one of the workers. Any thread, a job's own included.
  void post(job work) {
    {
      const std::scoped_lock lock(lock_);
      jobs_.push_back(std::move(work));
    }
    changed_.notify_one();
  }

 private:
  void run(const worker_options& options, std::promise<void> started) {
    try {
      const worker self(options);
      started.set_value();
      safe_point here;
      while (job next = take()) {
        next();
        here.checkpoint();
      }
    } catch (const std::system_error&) {
      started.set_exception(std::current_exception());
    }
  }

  // The next job; an empty one when the loop ends.
  job take() {
    std::unique_lock lock(lock_);
    changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (jobs_.empty()) return {};
    job next = std::move(jobs_.front());
    jobs_.pop_front();
    return next;
  }

  void stop() {
    {
      const std::scoped_lock lock(lock_);
      stopping_ = true;
    }
    changed_.notify_all();
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }

  std::mutex lock_;
  std::condition_variable changed_;
  std::deque<job> jobs_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace morpheus
