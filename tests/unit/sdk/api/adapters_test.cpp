// SPDX-License-Identifier: GPL-2.0-only
// Runtimes of others, adapted: a plain pool of threads, and the five operations as C has them.
#include <morpheus/adapters/adapter.h>
#include <morpheus/adapters/thread_pool.hpp>

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "tests/unit/sdk/attached_process.hpp"
#include "tests/unit/sdk/tiny_daemon.hpp"

using namespace morpheus::test;

namespace {

/// As it stands in many programs, but for two lines.
class PlainPool {
 public:
  explicit PlainPool(unsigned threads) {
    for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
  }
  ~PlainPool() {
    {
      const std::scoped_lock lock(lock_);
      is_ending_ = true;
    }
    changed_.notify_all();
    for (auto& thread : threads_) thread.join();
  }
  void post(std::function<void()> job) {
    const std::scoped_lock lock(lock_);
    jobs_.push_back(std::move(job));
    changed_.notify_one();
  }

 private:
  void run() {
    morpheus::pool_thread_adapter guided;
    std::unique_lock lock(lock_);
    while (true) {
      changed_.wait(lock, [this] { return is_ending_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      auto job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      job();
      guided.enter_safe_point();
      lock.lock();
    }
  }

  std::mutex lock_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;
  bool is_ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace

TEST_CASE("a pool of plain threads is guided by its adapter") {
  const SocketPath path;
  TinyDaemon daemon(path.text());
  const AttachedProcess process(path.text());
  std::atomic<int> ran{0};
  {
    PlainPool pool(2);
    REQUIRE(eventually([&] {
      return daemon.registrations() == 2 && daemon.state(0) == "RUNNING" &&
             daemon.state(1) == "RUNNING";
    }));
    const std::uint64_t first = daemon.hint(0);
    const std::uint64_t second = daemon.hint(1);
    CHECK(eventually([&] {
      pool.post([&ran] { ++ran; });
      return daemon.acknowledged(0) == first && daemon.acknowledged(1) == second;
    }));
    CHECK(daemon.runtime_line(0).escapable == 1);
  }
  CHECK(ran > 0);
  CHECK(daemon.state(0) == "gone");
}

TEST_CASE("the five operations of C do what they say on a worker, and no harm elsewhere") {
  morpheus_enter_safe_point();
  CHECK_FALSE(morpheus_enter_checkpoint());
  morpheus_enter_critical();
  morpheus_leave_critical();
  CHECK(morpheus_default_escapable(MORPHEUS_LANGUAGE_NATIVE));
  CHECK_FALSE(morpheus_default_escapable(MORPHEUS_LANGUAGE_INTERPRETED));

  const SocketPath path;
  TinyDaemon daemon(path.text());
  const AttachedProcess process(path.text());
  start_worker();
  morpheus_enter_critical();
  CHECK(daemon.runtime_line().is_in_critical_section == 1);
  const std::uint64_t seq = daemon.hint();
  CHECK_FALSE(morpheus_enter_checkpoint());
  morpheus_leave_critical();
  CHECK(morpheus_enter_checkpoint());
  CHECK(daemon.acknowledged() == seq);
  morpheus_yield_worker();
  CHECK(stats().yields == 1);
  daemon.hint();
  morpheus_enter_safe_point();
  CHECK(stats().yields == 2);
}
