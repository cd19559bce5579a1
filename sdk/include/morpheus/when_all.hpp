// SPDX-License-Identifier: GPL-2.0-only
// when_all(): several tasks at once, and their results.
#pragma once

#include <morpheus/detail/fork.hpp>
#include <morpheus/error.hpp>
#include <morpheus/task.hpp>

#include <algorithm>
#include <array>
#include <coroutine>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace morpheus {

namespace detail {

/// What several tasks that have ended failed with: in the order of `children`, but the first to
/// fail comes first. Throws if one failed, even if only with `cancelled`.
inline void throw_failures(const fork_block& fork, std::span<job* const> children) {
  job* const first = fork.first_failed();
  failure_list all;
  if (first != nullptr) all.add(promise_of(first).error());
  for (job* const child : children)
    if (child != first && promise_of(child).has_failed()) all.add(promise_of(child).error());
  all.throw_all();
  throw cancelled();
}

}  // namespace detail

template <class... T>
class [[nodiscard]] when_all_awaiter {
  template <class Each>
  using given = std::conditional_t<std::is_reference_v<Each>, Each, detail::storable_t<Each>>;

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
  std::tuple<given<T>...> await_resume() {
    fork_.ended();
    return std::apply(
        [this](auto&... child) {
          if (!MORPHEUS_LIKELY(!(... || child.frame().promise().has_failed()))) throw_failures();
          return std::tuple<given<T>...>{detail::take_value(child)...};
        },
        children_);
  }

 private:
  [[noreturn, gnu::cold, gnu::noinline]] void throw_failures() const {
    std::apply(
        [this](auto&... child) {
          detail::throw_failures(fork_, std::array{detail::job_of(child.frame())...});
        },
        children_);
    __builtin_unreachable();
  }

  std::tuple<task<T>...> children_;
  detail::fork_block fork_;
};

/// `auto [a, b] = co_await when_all(f(), g())` runs the tasks beside each other and waits for all
/// of them; void results come as std::monostate. The first runs at once on this thread; the others
/// follow there, newest first, unless threads without work have taken them. That makes it the
/// cheapest way to fork and join. If one throws, the others are asked to stop; once all have ended,
/// its exception is thrown, or `failures` if several have one that is not `cancelled`.
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
    const std::vector<detail::job*> all = jobs();
    return fork_.start(parent, all.data(), all.size());
  }
  std::vector<detail::storable_t<T>> await_resume() {
    fork_.ended();
    if (std::ranges::any_of(children_,
                            [](const auto& child) { return child.frame().promise().has_failed(); }))
      detail::throw_failures(fork_, jobs());
    std::vector<detail::storable_t<T>> results;
    results.reserve(children_.size());
    for (const auto& child : children_) results.push_back(detail::take_value(child));
    return results;
  }

 private:
  [[nodiscard]] std::vector<detail::job*> jobs() const {
    std::vector<detail::job*> all;
    all.reserve(children_.size());
    for (const auto& child : children_) all.push_back(detail::job_of(child.frame()));
    return all;
  }

  std::vector<task<T>> children_;
  detail::fork_block fork_;
};

/// The same for any number of tasks of one type; references come as std::reference_wrapper.
template <class T>
when_all_range_awaiter<T> when_all(std::vector<task<T>> children) {
  return when_all_range_awaiter<T>(std::move(children));
}

}  // namespace morpheus
