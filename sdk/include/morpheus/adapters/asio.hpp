// SPDX-License-Identifier: GPL-2.0-only
// Boost.Asio with morpheus, both ways: Asio operations are awaited in tasks, Asio handlers run on a
// runtime, and the runtime's threads run an io_context between tasks. Needs Boost 1.81 or later.
#pragma once

#include <morpheus/detail/asio_link.hpp>
#include <morpheus/detail/asio_operation.hpp>
#include <morpheus/detail/asio_spawn.hpp>
#include <morpheus/runtime.hpp>

#include <boost/asio/async_result.hpp>
#include <boost/asio/execution.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/io_context.hpp>

#include <tuple>
#include <type_traits>
#include <utility>

namespace morpheus {

/// The completion token of tasks: `std::size_t n = co_await socket.async_read_some(buffer,
/// use_task)`. An error_code that comes first is thrown as boost::system::system_error, an
/// exception_ptr as what it holds; asio::as_tuple(use_task) gives everything instead. The task goes
/// on in its own runtime, whichever thread completes the operation. If its initiation throws, so
/// does the await. A stop of the task cancels the operation (cancellation_type::terminal), and the
/// task gets `cancelled`, or operation_aborted where as_tuple asks for it; so it does if the
/// operation is dropped because its io_context is destroyed. That waits until the task has gone on
/// to its next await or its end: it may own objects of the context.
///
/// Works with bind_cancellation_slot (the slot then stands for the task's stop), bind_allocator,
/// redirect_error, as_tuple, append, deferred and bind_executor; with the last, a composed
/// operation can be cancelled safely only if that executor runs one thing at a time.
struct use_task_t {};
inline constexpr use_task_t use_task{};

/// A runtime as an Asio executor: `asio::post(asio_executor(runtime, context), f)` runs f() on one
/// of its threads, at the end of the queue. Its execution context, which holds the services of
/// sockets and timers, is that io_context: run it with run_on. A handler that throws ends the
/// program. Copies are cheap; the context must outlive them. After the runtime's end, what they are
/// given runs where the context is run.
class asio_executor {
 public:
  asio_executor(runtime& on, boost::asio::io_context& context)
      : link_(&detail::asio_links::between(on, context)) {}

  template <class F>
  void execute(F&& body) const {
    link_->execute(std::forward<F>(body));
  }
  [[nodiscard]] boost::asio::execution_context& query(
      boost::asio::execution::context_t) const noexcept {
    return link_->context();
  }
  [[nodiscard]] static constexpr boost::asio::execution::blocking_t::never_t query(
      boost::asio::execution::blocking_t) noexcept {
    return boost::asio::execution::blocking.never;
  }
  [[nodiscard]] bool operator==(const asio_executor&) const noexcept = default;

 private:
  detail::asio_link* link_;
};

/// While it lives, the threads of a runtime run an io_context: its handlers between tasks, with a
/// safe point after each, and a thread without tasks waits in it. Nothing else need run the
/// context. One that was stopped, or ran out of work, goes on: what ends it is the end of this
/// object. A runtime that ends while its tasks still wait for I/O runs the context once more until
/// they have ended. One for each runtime at a time; not to be destroyed in a handler of the
/// context. A handler that throws ends the program.
///
///     boost::asio::io_context context;
///     morpheus::runtime runtime;
///     morpheus::run_on io(runtime, context);
class run_on {
 public:
  /// Throws std::logic_error if the runtime runs one already.
  run_on(runtime& on, boost::asio::io_context& context)
      : link_(detail::asio_links::between(on, context)), executor_(on, context) {
    link_.begin_driving();
  }
  run_on(const run_on&) = delete;
  run_on& operator=(const run_on&) = delete;
  ~run_on() { link_.end_driving(); }

  [[nodiscard]] asio_executor get_executor() const noexcept { return executor_; }

 private:
  detail::asio_link& link_;
  asio_executor executor_;
};

/// Starts a task in `where`, a runtime or a group of one, as an operation of Asio with a completion
/// token of your choice, whose handler gets a std::exception_ptr and, unless it is void, the task's
/// result (T() beside an exception). So what is written for Asio waits for tasks:
///
///     int n = co_await morpheus::co_spawn(runtime, answer(), boost::asio::use_awaitable);
///     std::future<int> later = morpheus::co_spawn(runtime, answer(), boost::asio::use_future);
///
/// The handler is called by its associated executor, and if it has none, on the thread on which the
/// task ends. Cancelling the operation asks the task to stop. Any thread.
template <detail::place Place, class T, class CompletionToken>
auto co_spawn(Place& where, task<T> started, CompletionToken&& token) {
  return boost::asio::async_initiate<CompletionToken,
                                     typename detail::asio_spawn_signature<T>::type>(
      detail::asio_spawn_initiation<T>(), token, &where.home(), std::move(started));
}

}  // namespace morpheus

/// How Asio makes an operation awaitable.
template <class R, class... Args>
class boost::asio::async_result<morpheus::use_task_t, R(Args...)> {
 public:
  using return_type =
      morpheus::detail::asio_awaiter<morpheus::detail::any_initiation<std::decay_t<Args>...>,
                                     std::tuple<>, std::decay_t<Args>...>;

  template <class Initiation, class... InitArgs>
  static auto initiate(Initiation initiation, morpheus::use_task_t, InitArgs... args) {
    return morpheus::detail::asio_awaiter<Initiation, std::tuple<InitArgs...>,
                                          std::decay_t<Args>...>(
        std::move(initiation), std::tuple<InitArgs...>(std::move(args)...));
  }
};
