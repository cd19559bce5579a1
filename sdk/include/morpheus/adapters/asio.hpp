// SPDX-License-Identifier: GPL-2.0-only
// Boost.Asio with morpheus, both ways: Asio operations are awaited in tasks, Asio handlers run on a
// runtime, and the runtime's threads run an io_context between tasks. Needs Boost 1.81 or later.
#pragma once

#include <morpheus/detail/driver.hpp>
#include <morpheus/detail/promise.hpp>
#include <morpheus/error.hpp>
#include <morpheus/runtime.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/execution.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>

#include <chrono>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace morpheus {

/// The completion token of tasks: `std::size_t n = co_await socket.async_read_some(buffer,
/// use_task)`. An error_code that comes first is thrown as boost::system::system_error, an
/// exception_ptr as what it holds; asio::as_tuple(use_task) gives everything instead. The task goes
/// on in its own runtime, whichever thread completes the operation. If the operation is dropped
/// because its io_context is destroyed, the task gets `cancelled`.
struct use_task_t {};
inline constexpr use_task_t use_task{};

namespace detail {

template <class... Args>
struct asio_result {
  using type = std::tuple<Args...>;
  static type take(type&& all) { return std::move(all); }
};
template <>
struct asio_result<> {
  using type = void;
  static void take(std::tuple<>&&) {}
};
template <class One>
struct asio_result<One> {
  using type = One;
  static type take(std::tuple<One>&& all) { return std::get<0>(std::move(all)); }
};

/// What completes an operation: Args are those of the handler's signature.
template <class... Args>
class asio_operation {
 public:
  class handler {
   public:
    explicit handler(asio_operation& operation) noexcept : operation_(&operation) {}
    handler(handler&& other) noexcept : operation_(std::exchange(other.operation_, nullptr)) {}
    handler& operator=(handler&&) = delete;
    ~handler() {
      if (operation_ != nullptr) operation_->resume();  // without results
    }
    void operator()(Args... args) {
      asio_operation& operation = *std::exchange(operation_, nullptr);
      operation.results_.emplace(std::move(args)...);
      operation.resume();
    }

   private:
    asio_operation* operation_;
  };

  void is_suspended(job* task) noexcept {
    task_ = task;
    where_ = here->where();
  }
  [[nodiscard]] std::tuple<Args...> take() {
    if (!results_) throw cancelled();
    return std::move(*results_);
  }

 private:
  void resume() noexcept { schedule(task_, where_); }

  job* task_ = nullptr;
  lane* where_ = nullptr;
  std::optional<std::tuple<Args...>> results_;
};

template <class First>
inline constexpr bool kIsError =
    std::is_same_v<First, boost::system::error_code> || std::is_same_v<First, std::exception_ptr>;

inline void throw_error(const boost::system::error_code& error) {
  if (error) throw boost::system::system_error(error);
}
inline void throw_error(const std::exception_ptr& error) {
  if (error) std::rethrow_exception(error);
}

template <class... Args>
auto results_without_error(std::tuple<Args...>&& all) {
  return asio_result<Args...>::take(std::move(all));
}
template <class First, class... Rest>
  requires kIsError<First>
auto results_without_error(std::tuple<First, Rest...>&& all) {
  throw_error(std::get<0>(all));
  return std::apply(
      [](First&, Rest&... rest) {
        return asio_result<Rest...>::take(std::tuple<Rest...>(std::move(rest)...));
      },
      all);
}

template <class Initiation, class InitArgs, class... Args>
class [[nodiscard]] asio_awaiter {
 public:
  asio_awaiter(Initiation initiation, InitArgs args)
      : initiation_(std::move(initiation)), args_(std::move(args)) {}
  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <task_coroutine P>
  [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<P> self) {
    operation_.is_suspended(job_of(self));
    // Once it has begun, the operation may complete elsewhere: this object may be gone.
    Initiation initiation = std::move(initiation_);
    InitArgs args = std::move(args_);
    typename asio_operation<Args...>::handler handler(operation_);
    std::apply(
        [&](auto&&... each) {
          std::move(initiation)(std::move(handler), std::forward<decltype(each)>(each)...);
        },
        std::move(args));
    return here->next();
  }
  auto await_resume() { return results_without_error(operation_.take()); }

 private:
  Initiation initiation_;
  InitArgs args_;
  asio_operation<Args...> operation_;
};

/// A function as a job.
template <class F>
class function_job final : job {
 public:
  [[nodiscard]] static job* make(F&& body) {
    return new (here->frames.allocate(sizeof(function_job))) function_job(std::move(body));
  }

 private:
  explicit function_job(F&& body)
      : job{&function_job::run, nullptr, nullptr}, body_(std::move(body)) {}
  static void run(void* memory) {
    auto* const self = static_cast<function_job*>(static_cast<job*>(memory));
    F body = std::move(self->body_);
    self->~function_job();
    here->frames.release(self, sizeof(function_job));
    body();
  }
  F body_;
};

}  // namespace detail

/// A runtime as an Asio executor: `asio::post(asio_executor(runtime, context), f)` runs f() on one
/// of its threads, at the end of the queue. Its execution context, which holds the services of
/// sockets and timers, is that io_context: run it with run_on. A handler that throws ends the
/// program. Copies are cheap; the runtime and the context must outlive them.
class asio_executor {
 public:
  asio_executor(runtime& on, boost::asio::io_context& context) noexcept
      : lane_(&on.home()), context_(&context) {}

  template <class F>
  void execute(F&& body) const {
    using function = std::decay_t<F>;
    detail::schedule(detail::function_job<function>::make(function(std::forward<F>(body))), lane_);
  }
  [[nodiscard]] boost::asio::execution_context& query(
      boost::asio::execution::context_t) const noexcept {
    return *context_;
  }
  [[nodiscard]] static constexpr boost::asio::execution::blocking_t::never_t query(
      boost::asio::execution::blocking_t) noexcept {
    return boost::asio::execution::blocking.never;
  }
  [[nodiscard]] bool operator==(const asio_executor&) const noexcept = default;

 private:
  detail::lane* lane_;
  boost::asio::io_context* context_;
};

/// While it lives, the threads of a runtime run an io_context: its handlers between tasks, with a
/// safe point after each, and a thread without tasks waits in it. Nothing else need run the
/// context. One for each runtime at a time; not to be destroyed on one of its threads. A handler
/// that throws ends the program.
///
///     boost::asio::io_context context;
///     morpheus::runtime runtime;
///     morpheus::run_on io(runtime, context);
class run_on final : detail::driver {
 public:
  /// Throws std::logic_error if the runtime runs one already.
  run_on(runtime& on, boost::asio::io_context& context)
      : runtime_(on), context_(context), work_(context.get_executor()) {
    attach(on);
  }
  ~run_on() { detach(runtime_); }

  [[nodiscard]] asio_executor get_executor() const noexcept {
    return asio_executor(runtime_, context_);
  }

 private:
  void poll() noexcept override { context_.poll(); }
  void wait(std::uint64_t span_ns) noexcept override {
    if (span_ns == kForever)
      context_.run_one();
    else
      context_.run_one_for(std::chrono::nanoseconds(span_ns));
  }
  void interrupt() noexcept override {
    boost::asio::post(context_, [] {});
  }

  runtime& runtime_;
  boost::asio::io_context& context_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
};

}  // namespace morpheus

/// How Asio makes an operation awaitable.
template <class R, class... Args>
class boost::asio::async_result<morpheus::use_task_t, R(Args...)> {
 public:
  template <class Initiation, class... InitArgs>
  static auto initiate(Initiation initiation, morpheus::use_task_t, InitArgs... args) {
    return morpheus::detail::asio_awaiter<Initiation, std::tuple<InitArgs...>,
                                          std::decay_t<Args>...>(
        std::move(initiation), std::tuple<InitArgs...>(std::move(args)...));
  }
};
