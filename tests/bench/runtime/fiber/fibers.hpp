// SPDX-License-Identifier: GPL-2.0-only
// The fibers of the measures: small stacks, recycled by the library's own pool, and threads that
// steal from each other.
#pragma once

#include <boost/fiber/all.hpp>
#include <memory>
#include <string>

#include "../pinned_threads.hpp"

namespace bench {

namespace fibers = boost::fibers;

/// No power of two: the tops of all stacks would share a few sets of the caches.
inline constexpr std::size_t kStack = 16 * 1024 + 320;

/// Whether fibers may end in another thread than they began in, which the library's pool of stacks
/// does not allow.
inline bool stealing = false;

template <class F>
fibers::fiber start(fibers::launch launch, F&& function) {
  static thread_local fibers::pooled_fixedsize_stack pool(kStack);
  if (stealing)
    return {launch, std::allocator_arg, fibers::fixedsize_stack(kStack), std::forward<F>(function)};
  return {launch, std::allocator_arg, pool, std::forward<F>(function)};
}

template <class F>
fibers::fiber start(F&& function) {
  return start(fibers::launch::post, std::forward<F>(function));
}

/// Runs the fiber that became ready last first, as the library's stealing algorithm does in each
/// thread: it keeps the number of stacks in use small where fibers fork.
class NewestFirst : public fibers::algo::round_robin {
 public:
  void awakened(fibers::context* fiber) noexcept override { fiber->ready_link(newest_); }
  fibers::context* pick_next() noexcept override {
    if (newest_.empty()) return nullptr;
    fibers::context* fiber = &newest_.back();
    newest_.pop_back();
    return fiber;
  }
  bool has_ready_fibers() const noexcept override { return !newest_.empty(); }

 private:
  fibers::scheduler::ready_queue_type newest_;
};

inline std::size_t number(std::string_view text) { return std::stoul(std::string(text)); }

/// Calls body() in the first of so many threads, each of which runs the fibers of all; returns the
/// seconds it took. The library does not wake threads that sleep when there is work to steal, so
/// threads that share work must spin. Only once in a program: the library never forgets a thread
/// that steals.
template <class F>
double on_threads(std::size_t threads, F&& body, bool sleep = false) {
  if (threads == 1) {
    const auto start = Clock::now();
    body();
    return seconds_since(start);
  }
  stealing = true;
  bool over = false;
  fibers::mutex mutex;
  fibers::condition_variable ended;
  double seconds = 0;
  const auto member = [&](std::size_t index) {
    pin(index);
    fibers::use_scheduling_algorithm<fibers::algo::work_stealing>(
        static_cast<std::uint32_t>(threads), sleep);
    if (index == 0) {
      const auto start = Clock::now();
      body();
      seconds = seconds_since(start);
      std::unique_lock lock(mutex);
      over = true;
      ended.notify_all();
    } else {
      std::unique_lock lock(mutex);
      ended.wait(lock, [&] { return over; });
    }
  };
  std::vector<std::jthread> members;
  for (std::size_t i = 0; i < threads; ++i) members.emplace_back(member, i);
  members.clear();
  return seconds;
}

}  // namespace bench
