// SPDX-License-Identifier: GPL-2.0-only
// Tasks that wait for a time.
#pragma once

#include <morpheus/detail/promise.hpp>
#include <morpheus/detail/timer.hpp>
#include <morpheus/error.hpp>

#include <chrono>
#include <coroutine>
#include <optional>
#include <stop_token>
#include <utility>

namespace morpheus {

class [[nodiscard]] sleep_awaiter {
 public:
  explicit sleep_awaiter(std::uint64_t deadline_ns) noexcept : timer_(deadline_ns) {}
  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <detail::task_coroutine P>
  [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<P> self) {
    (void)timer_.start(detail::job_of(self));
    return detail::here->next();
  }
  static void await_resume() noexcept {}

 private:
  detail::timer timer_;
};

class [[nodiscard]] stoppable_sleep_awaiter {
 public:
  stoppable_sleep_awaiter(std::uint64_t deadline_ns, std::stop_token stop) noexcept
      : timer_(deadline_ns), stop_(std::move(stop)) {}
  [[nodiscard]] bool await_ready() const noexcept { return stop_.stop_requested(); }
  template <detail::task_coroutine P>
  [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<P> self) {
    timer_.prepare();
    on_stop_.emplace(stop_, stopper{&timer_});
    if (!timer_.start(detail::job_of(self))) return self;
    return detail::here->next();
  }
  void await_resume() {
    on_stop_.reset();
    if (stop_.stop_requested()) throw cancelled();
  }

 private:
  struct stopper {
    detail::timer* timer;
    void operator()() const noexcept { timer->stop(); }
  };

  detail::timer timer_;
  std::stop_token stop_;
  std::optional<std::stop_callback<stopper>> on_stop_;
};

namespace detail {
/// `span` from now, in nanoseconds of CLOCK_MONOTONIC; not before now, and at most a century ahead.
/// No number: now.
template <class Rep, class Period>
[[nodiscard]] std::uint64_t deadline_after(std::chrono::duration<Rep, Period> span) {
  using std::chrono::nanoseconds;
  constexpr nanoseconds kLongest = std::chrono::hours(24 * 365 * 100);
  // Compared as seconds in floating point: between other units a comparison could overflow.
  const auto seconds = std::chrono::duration_cast<std::chrono::duration<double>>(span);
  if (!(seconds.count() > 0)) return timer::now_ns();
  const nanoseconds exact = seconds < kLongest ? std::chrono::ceil<nanoseconds>(span) : kLongest;
  return timer::now_ns() + static_cast<std::uint64_t>(exact.count());
}
[[nodiscard]] inline std::uint64_t deadline_at(std::chrono::steady_clock::time_point time) {
  const auto since = std::chrono::ceil<std::chrono::nanoseconds>(time.time_since_epoch()).count();
  return since > 0 ? static_cast<std::uint64_t>(since) : 0;
}
}  // namespace detail

/// `co_await sleep_for(span)` waits at least that long; a span that is not positive yields. Only in
/// a task. docs/runtime.md says how late it may be.
template <class Rep, class Period>
[[nodiscard]] sleep_awaiter sleep_for(std::chrono::duration<Rep, Period> span) {
  return sleep_awaiter(detail::deadline_after(span));
}
/// Throws `cancelled` as soon as it is asked to stop.
template <class Rep, class Period>
[[nodiscard]] stoppable_sleep_awaiter sleep_for(std::chrono::duration<Rep, Period> span,
                                                std::stop_token stop) {
  return {detail::deadline_after(span), std::move(stop)};
}
/// The same until a point in time. steady_clock is CLOCK_MONOTONIC.
[[nodiscard]] inline sleep_awaiter sleep_until(std::chrono::steady_clock::time_point time) {
  return sleep_awaiter(detail::deadline_at(time));
}
[[nodiscard]] inline stoppable_sleep_awaiter sleep_until(std::chrono::steady_clock::time_point time,
                                                         std::stop_token stop) {
  return {detail::deadline_at(time), std::move(stop)};
}

}  // namespace morpheus
