// SPDX-License-Identifier: GPL-2.0-only
// when_any(): several tasks at once, until the first one ends.
#pragma once

#include <morpheus/scope.hpp>
#include <morpheus/task.hpp>

#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace morpheus {

/// What when_any() gives: which task ended first, counted from 0, and its result.
template <class T>
struct first_result {
  std::size_t index;
  T value;
};
template <>
struct first_result<void> {
  std::size_t index;
};

namespace detail {

template <class T>
class race {
  using stored = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

 public:
  /// Runs one of the tasks; the first to end decides and stops the others.
  task<> run(task<T> runner, std::size_t index, std::stop_source stop) {
    std::exception_ptr error;
    std::optional<stored> value;
    try {
      if constexpr (std::is_void_v<T>) {
        co_await std::move(runner);
        value.emplace();
      } else {
        value.emplace(co_await std::move(runner));
      }
    } catch (...) {
      error = std::current_exception();
    }
    if (is_decided_.exchange(true, std::memory_order_acq_rel)) co_return;
    index_ = index;
    error_ = std::move(error);
    if (value) value_.emplace(std::move(*value));
    stop.request_stop();
  }
  first_result<T> result() {
    if (error_) std::rethrow_exception(error_);
    if constexpr (std::is_void_v<T>)
      return {index_};
    else
      return {index_, std::move(*value_)};
  }

 private:
  std::atomic<bool> is_decided_{false};
  std::size_t index_ = 0;
  std::exception_ptr error_;
  std::optional<stored> value_;
};

}  // namespace detail

/// Runs tasks beside each other; the first that ends gives the result or the exception. The others
/// are asked to stop, by the token that they were made with, and awaited: none goes on after
/// when_any() has ended.
///
///     auto first = co_await when_any<int>({[&](std::stop_token stop) { return fetch(a, stop); },
///                                          [&](std::stop_token stop) { return fetch(b, stop); }});
///
/// Throws std::invalid_argument if there are none.
template <class T>
task<first_result<T>> when_any(std::vector<std::function<task<T>(std::stop_token)>> makers) {
  if (makers.empty()) throw std::invalid_argument("when_any: no tasks");
  detail::race<T> race;
  std::stop_source stop;
  scope runners;
  for (std::size_t i = 0; i < makers.size(); ++i)
    runners.spawn(race.run(makers[i](stop.get_token()), i, stop));
  co_await runners.join();
  co_return race.result();
}

}  // namespace morpheus
