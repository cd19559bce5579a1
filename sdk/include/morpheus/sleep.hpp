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

class [[nodiscard]] sleep_awaiter : detail::stop_target {
 public:
  explicit sleep_awaiter(std::uint64_t deadline_ns) noexcept
      : stop_target(&sleep_awaiter::on_stop), timer_(deadline_ns) {}
  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <detail::task_coroutine P>
  [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<P> waiting) {
    timer_.prepare();
    return suspend(detail::job_of(waiting));
  }
  void await_resume() {
    detail::task_stop::withdraw(task_);
    if (timer_.was_stopped()) throw cancelled();
  }

  /// For the library.
  [[nodiscard]] detail::timer& timer() noexcept { return timer_; }

 protected:
  [[nodiscard]] std::coroutine_handle<> suspend(detail::job* me) {
    task_ = me;
    if (!detail::task_stop::begin_wait(me, published())) timer_.stop();
    try {
      if (timer_.start(me)) return detail::here->next();
    } catch (...) {
      detail::task_stop::withdraw(me);
      throw;
    }
    return detail::here->transfer(me);
  }

 private:
  static void on_stop(stop_target& self) noexcept {
    static_cast<sleep_awaiter&>(self).timer_.stop();
  }

  detail::timer timer_;
  detail::job* task_ = nullptr;
};

class [[nodiscard]] stoppable_sleep_awaiter : public sleep_awaiter {
 public:
  stoppable_sleep_awaiter(std::uint64_t deadline_ns, std::stop_token stop) noexcept
      : sleep_awaiter(deadline_ns), stop_(std::move(stop)) {}
  template <detail::task_coroutine P>
  [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<P> waiting) {
    timer().prepare();
    on_stop_.emplace(stop_, stopper{&timer()});
    return suspend(detail::job_of(waiting));
  }
  void await_resume() {
    on_stop_.reset();
    sleep_awaiter::await_resume();
  }

 private:
  struct stopper {
    detail::timer* timer;
    void operator()() const noexcept { timer->stop(); }
  };

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
/// A stop request of `stop` ends the wait, too.
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
