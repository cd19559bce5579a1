// SPDX-License-Identifier: GPL-2.0-only
// when_any(): waits for the first of several things.
#pragma once

#include <morpheus/detail/foreign_awaiter.hpp>
#include <morpheus/detail/select.hpp>
#include <morpheus/event.hpp>
#include <morpheus/scope.hpp>
#include <morpheus/sleep.hpp>
#include <morpheus/task.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <exception>
#include <optional>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace morpheus {

namespace detail {

/// Awaiters that a task can select among, so that only the first takes something.
template <class A>
concept waits_in_queue = std::derived_from<A, waits<A>>;
template <class A>
concept selectable = waits_in_queue<A> || std::same_as<A, sleep_awaiter>;

template <class A>
using awaited_t = decltype(std::declval<awaiter_type<A>&>().await_resume());

/// What when_any() keeps of its argument: an event gives its awaiter; what is no temporary is kept
/// by reference.
template <class A>
struct kept {
  using type = std::conditional_t<std::is_lvalue_reference_v<A>, A, std::remove_cvref_t<A>>;
};
template <class A>
  requires selectable<std::remove_cvref_t<awaiter_type<A>>>
struct kept<A> {
  using type = std::remove_cvref_t<awaiter_type<A>>;
};
template <class A>
using kept_t = typename kept<A>::type;

template <class A>
[[nodiscard]] kept_t<A> keep(A&& awaited) {
  if constexpr (selectable<kept_t<A>>)
    return awaiter_of(std::forward<A>(awaited));
  else
    return std::forward<A>(awaited);
}

template <waits_in_queue A>
[[nodiscard]] select_arm arm_of(A& awaiter) noexcept {
  return {.in_queue = &awaiter, .take = [](waiter& self, waiter*& woken) {
            return static_cast<A&>(self).take_locked(woken);
          }};
}
[[nodiscard]] inline select_arm arm_of(sleep_awaiter& awaiter) noexcept {
  return {.until = &awaiter.timer()};
}

/// The result of an arm that was served.
template <class A, class R>
void take_served(A& awaiter, std::optional<R>& result) {
  if constexpr (std::is_void_v<awaited_t<A&>>)
    result.emplace();
  else
    result.emplace(awaiter.result());
}

/// A task that awaits what cannot be selected, and says that it has ended.
template <class A, class R>
task<> run_arm(A awaited, std::optional<R>& result, event& ended) {
  struct at_end {
    event& ended;
    ~at_end() { ended.set(); }
  } const guard{ended};
  if constexpr (std::is_void_v<awaited_t<A>>) {
    co_await std::forward<A>(awaited);
    result.emplace();
  } else {
    result.emplace(co_await std::forward<A>(awaited));
  }
}

/// Until the first of `arms`, or of `others`, which are run beside: none goes on afterwards. Gives
/// the number of the arm that was served, or arms.size().
inline task<std::size_t> select_beside(std::vector<select_arm> arms, std::vector<task<>> others,
                                       event& one_ended) {
  auto ended = one_ended.wait();
  if (!others.empty()) arms.push_back(arm_of(ended));
  scope running;
  std::exception_ptr failure;
  std::size_t served = 0;
  try {
    select_awaiter first(arms);
    for (auto& other : others) running.spawn(std::move(other));
    served = co_await first;
  } catch (...) {
    failure = std::current_exception();
  }
  if (!others.empty()) running.request_stop();
  co_await running.join();
  if (failure) std::rethrow_exception(failure);
  co_return served;
}

template <class... A>
using any_results = std::tuple<std::optional<storable_t<awaited_t<A>>>...>;

/// What a when_any() of `A...` keeps, and what becomes of it.
template <class... A>
struct any_of {
  std::tuple<A...> awaited;
  any_results<A...> results = {};
  event one_ended = event();
  std::vector<select_arm> arms = {};
  std::vector<task<>> others = {};

  template <std::size_t... I>
  void prepare(std::index_sequence<I...>) {
    (prepare_one<I>(), ...);
  }
  template <std::size_t... I>
  void take(std::size_t served, std::index_sequence<I...>) {
    std::size_t number = 0;
    (take_one<I>(served, number), ...);
    if (!(... || std::get<I>(results).has_value())) throw cancelled();
  }

 private:
  template <std::size_t I>
  using each = std::tuple_element_t<I, std::tuple<A...>>;
  template <std::size_t I>
  void prepare_one() {
    if constexpr (selectable<each<I>>)
      arms.push_back(arm_of(std::get<I>(awaited)));
    else
      others.push_back(run_arm<each<I>>(std::forward<each<I>>(std::get<I>(awaited)),
                                        std::get<I>(results), one_ended));
  }
  template <std::size_t I>
  void take_one(std::size_t served, std::size_t& number) {
    if constexpr (selectable<each<I>>)
      if (number++ == served) take_served(std::get<I>(awaited), std::get<I>(results));
  }
};

template <class... A>
task<any_results<A...>> when_any_of(std::tuple<A...> awaited) {
  any_of<A...> state{std::move(awaited)};
  state.prepare(std::index_sequence_for<A...>());
  const std::size_t served =
      co_await select_beside(std::move(state.arms), std::move(state.others), state.one_ended);
  state.take(served, std::index_sequence_for<A...>());
  co_return std::move(state.results);
}

}  // namespace detail

/// Waits for the first of several things, each of which can be awaited: a message, a permit, an
/// event, a time, a task, an I/O operation. Gives a tuple with a std::optional for each (a
/// std::monostate for void, a std::reference_wrapper for a reference); the one that came first has
/// its value.
///
///     auto [message, late] = co_await when_any(inbox.receive(), sleep_for(1s));
///     if (!late) use(*message);  // what receive() gives
///
/// What waits for a channel, a semaphore, a mutex, an event or a time takes something only if it is
/// the first: no message and no permit is lost. Tasks and all else run beside each other, as tasks;
/// once one thing has come, they are asked to stop and awaited. One that has a result all the same
/// gives it, too. If a task fails, its exception is thrown instead, or `failures` if several do; if
/// all are `cancelled`, that.
///
/// Temporaries are moved, and lvalues must outlive the wait. Two waits for the same channel,
/// semaphore, mutex or event throw std::invalid_argument.
template <class... A>
  requires(sizeof...(A) > 0)
task<detail::any_results<detail::kept_t<A>...>> when_any(A&&... awaited) {
  return detail::when_any_of(
      std::tuple<detail::kept_t<A>...>(detail::keep(std::forward<A>(awaited))...));
}

/// The same for any number of things of one type, as `std::vector<task<int>>`. Throws
/// std::invalid_argument if there are none.
template <class A>
task<std::vector<std::optional<detail::storable_t<detail::awaited_t<A>>>>> when_any(
    std::vector<A> awaited) {
  if (awaited.empty()) throw std::invalid_argument("when_any: nothing to wait for");
  std::vector<std::optional<detail::storable_t<detail::awaited_t<A>>>> results(awaited.size());
  std::vector<detail::select_arm> arms;
  std::vector<task<>> others;
  event one_ended;
  for (std::size_t i = 0; i < awaited.size(); ++i) {
    if constexpr (detail::selectable<A>)
      arms.push_back(detail::arm_of(awaited[i]));
    else
      others.push_back(detail::run_arm<A>(std::move(awaited[i]), results[i], one_ended));
  }
  const std::size_t served =
      co_await detail::select_beside(std::move(arms), std::move(others), one_ended);
  if constexpr (detail::selectable<A>) detail::take_served(awaited[served], results[served]);
  for (const auto& result : results)
    if (result) co_return results;
  throw cancelled();
}

}  // namespace morpheus
