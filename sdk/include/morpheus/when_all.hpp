// SPDX-License-Identifier: GPL-2.0-only
// when_all(): several tasks at once, and their results.
#pragma once

#include <morpheus/detail/fork.hpp>
#include <morpheus/task.hpp>

#include <coroutine>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

namespace morpheus {

namespace detail {

/// A task's result as a value that can be stored.
template <class T>
struct storable {
  using type = T;
};
template <>
struct storable<void> {
  using type = std::monostate;
};
template <class T>
using storable_t = typename storable<T>::type;

template <class T>
storable_t<T> take_result(const task<T>& ended) {
  if constexpr (std::is_void_v<T>) {
    ended.frame().promise().take();
    return {};
  } else {
    return ended.frame().promise().take();
  }
}

}  // namespace detail

template <class... T>
class [[nodiscard]] when_all_awaiter {
 public:
  explicit when_all_awaiter(task<T>... children) noexcept : children_(std::move(children)...) {}

  [[nodiscard]] static bool await_ready() noexcept { return sizeof...(T) == 0; }
  template <detail::task_coroutine P>
  [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<P> parent) noexcept {
    return std::apply(
        [&](auto&... child) {
          detail::job* const jobs[] = {detail::job_of(child.frame())...};
          return fork_.start(parent, jobs, sizeof...(T));
        },
        children_);
  }
  std::tuple<detail::storable_t<T>...> await_resume() {
    return std::apply(
        [](auto&... child) {
          return std::tuple<detail::storable_t<T>...>{detail::take_result(child)...};
        },
        children_);
  }

 private:
  std::tuple<task<T>...> children_;
  detail::fork_block fork_;
};

/// `auto [a, b] = co_await when_all(f(), g())` runs the tasks beside each other and waits for all
/// of them; void results come as std::monostate. The first runs at once on this thread; the others
/// follow there, newest first, unless threads without work have taken them. That makes it the
/// cheapest way to fork and join. If tasks throw, the exception of the leftmost is thrown once all
/// have ended.
template <class... T>
when_all_awaiter<T...> when_all(task<T>... children) {
  return when_all_awaiter<T...>(std::move(children)...);
}

template <class T>
class [[nodiscard]] when_all_range_awaiter {
 public:
  explicit when_all_range_awaiter(std::vector<task<T>> children) : children_(std::move(children)) {}

  [[nodiscard]] bool await_ready() const noexcept { return children_.empty(); }
  template <detail::task_coroutine P>
  [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<P> parent) {
    std::vector<detail::job*> jobs;
    jobs.reserve(children_.size());
    for (const auto& child : children_) jobs.push_back(detail::job_of(child.frame()));
    return fork_.start(parent, jobs.data(), jobs.size());
  }
  std::vector<detail::storable_t<T>> await_resume() {
    std::vector<detail::storable_t<T>> results;
    results.reserve(children_.size());
    for (const auto& child : children_) results.push_back(detail::take_result(child));
    return results;
  }

 private:
  std::vector<task<T>> children_;
  detail::fork_block fork_;
};

/// The same for any number of tasks of one type.
template <class T>
when_all_range_awaiter<T> when_all(std::vector<task<T>> children) {
  return when_all_range_awaiter<T>(std::move(children));
}

}  // namespace morpheus
