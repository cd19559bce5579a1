// SPDX-License-Identifier: GPL-2.0-only
// How a task awaits an operation of Asio.
#pragma once

#include <morpheus/detail/driver.hpp>
#include <morpheus/detail/function_job.hpp>
#include <morpheus/detail/promise.hpp>
#include <morpheus/detail/stop_context.hpp>
#include <morpheus/error.hpp>

#include <pthread.h>

#include <atomic>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/execution.hpp>
#include <boost/system/system_error.hpp>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <thread>
#include <tuple>
#include <type_traits>
#include <utility>

namespace morpheus::detail {

/// Queues functions where a task runs.
class lane_executor {
 public:
  explicit lane_executor(lane* where) noexcept : where_(where) {}
  template <class F>
  void execute(F&& body) const {
    schedule(function_job<std::decay_t<F>>::make(std::forward<F>(body)), where_);
  }
  [[nodiscard]] bool operator==(const lane_executor&) const noexcept = default;

 private:
  lane* where_;
};

/// How a task waits for an operation, whichever threads start, complete, drop and cancel it. While
/// the operation begins, its end is only noted: nothing resumes a task that is not suspended yet.
class asio_wait : stop_target {
 public:
  /// Runs the steps of the operation, one at a time: a composed operation must not be cancelled
  /// while it makes a step. On the thread that asks for it.
  class executor {
   public:
    explicit executor(asio_wait& wait) noexcept : wait_(&wait) {}
    template <class F>
    void execute(F&& step) const {
      wait_->alone(std::forward<F>(step));
    }
    /// Where Asio must not make a step at once.
    [[nodiscard]] lane_executor require(
        boost::asio::execution::blocking_t::never_t) const noexcept {
      return lane_executor(wait_->where_);
    }
    [[nodiscard]] bool operator==(const executor&) const noexcept = default;

   private:
    asio_wait* wait_;
  };

  asio_wait() noexcept : stop_target(&asio_wait::on_stop) {}
  asio_wait(const asio_wait&) = delete;
  asio_wait& operator=(const asio_wait&) = delete;
  ~asio_wait() = default;

  // --- The task
  /// Before the operation begins. Throws std::bad_alloc.
  void begin(job* task) {
    task_stop::enter(task);
    task_ = task;
    where_ = here->where();
  }
  /// The operation has begun, and a stop cancels it from now on.
  void has_begun() noexcept {
    if (!task_stop::begin_wait(task_, published())) cancel();
  }
  /// What to run next: others, and the task once the operation has ended.
  [[nodiscard]] std::coroutine_handle<> suspend() noexcept {
    return is_last(kBegins) ? here->yield(task_) : here->next();
  }
  /// The task goes on. True: because of a stop, maybe.
  [[nodiscard]] bool resumed() noexcept {
    const bool is_stopped = task_stop::withdraw(task_);
    if (dropped_by_ != nullptr) after_this_step(*dropped_by_);
    return is_stopped;
  }

  // --- Any thread
  [[nodiscard]] boost::asio::cancellation_slot slot() noexcept { return signal_.slot(); }
  /// The operation has ended, for once.
  void end() noexcept {
    if (owner_.load(std::memory_order_relaxed) == this_thread())
      has_ended_inside_ = true;
    else
      publish_end();
  }
  /// The operation has ended without a result: its io_context may be about to go, and the task may
  /// own objects of it. Other threads wait until the task has gone on to its next await or its end.
  void drop() noexcept {
    const bool can_wait = (unfinished_.load(std::memory_order_acquire) & kBegins) == 0 &&
                          here->where() == nullptr &&
                          owner_.load(std::memory_order_relaxed) != this_thread();
    if (!can_wait) return end();
    step_end gone_on;
    dropped_by_ = &gone_on;
    end();
    gone_on.wait();
  }

 private:
  // What the task waits for: that it is suspended, and the operation, and the job that cancels it.
  static constexpr std::uint8_t kBegins = 1, kOperation = 2, kCancels = 4;

  /// Cancels in a job, where Asio may call what it likes.
  struct canceller final : job {
    explicit canceller(asio_wait& of) noexcept : job{&canceller::run, nullptr, nullptr}, wait(of) {}
    static void run(void* memory) {
      asio_wait& wait = static_cast<canceller*>(static_cast<job*>(memory))->wait;
      wait.cancel();
      wait.finish(kCancels);
    }
    asio_wait& wait;
  };
  static void on_stop(stop_target& self) noexcept {
    auto& wait = static_cast<asio_wait&>(self);
    std::uint8_t seen = wait.unfinished_.load(std::memory_order_acquire);
    do {
      if ((seen & kOperation) == 0) return;
    } while (
        !wait.unfinished_.compare_exchange_weak(seen, seen | kCancels, std::memory_order_acq_rel));
    schedule(&wait.canceller_, wait.where_);
  }
  /// Once, whether the task or a stop comes first.
  void cancel() noexcept {
    alone([this] {
      const bool has_ended =
          has_ended_inside_ || (unfinished_.load(std::memory_order_acquire) & kOperation) == 0;
      if (has_ended || std::exchange(is_cancelled_, true)) return;
      signal_.emit(boost::asio::cancellation_type::terminal);
    });
  }
  /// Unlike any other thread's.
  [[nodiscard]] static const void* this_thread() noexcept {
    return reinterpret_cast<const void*>(::pthread_self());
  }
  template <class F>
  void alone(F&& step) {
    const void* const me = this_thread();
    if (owner_.load(std::memory_order_relaxed) == me) return std::forward<F>(step)();
    for (const void* none = nullptr;
         !owner_.compare_exchange_weak(none, me, std::memory_order_acquire); none = nullptr)
      std::this_thread::yield();
    std::forward<F>(step)();
    const bool has_ended = has_ended_inside_;
    owner_.store(nullptr, std::memory_order_release);
    if (has_ended) publish_end();
  }
  void publish_end() noexcept { finish(kOperation); }
  void finish(std::uint8_t what) noexcept {
    if (is_last(what)) schedule(task_, where_);
  }
  [[nodiscard]] bool is_last(std::uint8_t what) noexcept {
    return unfinished_.fetch_and(static_cast<std::uint8_t>(~what), std::memory_order_acq_rel) ==
           what;
  }

  job* task_ = nullptr;
  lane* where_ = nullptr;
  std::atomic<const void*> owner_{nullptr};  // the thread that makes a step, or cancels
  std::atomic<std::uint8_t> unfinished_{kBegins | kOperation};
  bool has_ended_inside_ = false;  // for the owner
  bool is_cancelled_ = false;      // for the owner
  step_end* dropped_by_ = nullptr;
  canceller canceller_{*this};
  boost::asio::cancellation_signal signal_;
};

/// What completes an operation: Args are those of the handler's signature.
template <class... Args>
class asio_operation : public asio_wait {
 public:
  class handler {
   public:
    using executor_type = asio_wait::executor;
    using cancellation_slot_type = boost::asio::cancellation_slot;

    explicit handler(asio_operation& operation) noexcept : operation_(&operation) {}
    handler(handler&& other) noexcept : operation_(std::exchange(other.operation_, nullptr)) {}
    handler& operator=(handler&&) = delete;
    ~handler() {
      if (operation_ != nullptr) operation_->drop();
    }
    void operator()(Args... args) {
      asio_operation& operation = *std::exchange(operation_, nullptr);
      operation.results_.emplace(std::move(args)...);
      operation.end();
    }
    [[nodiscard]] executor_type get_executor() const noexcept { return executor_type(*operation_); }
    [[nodiscard]] cancellation_slot_type get_cancellation_slot() const noexcept {
      return operation_->slot();
    }

   private:
    asio_operation* operation_;
  };

  [[nodiscard]] std::tuple<Args...> take() {
    if (!results_) throw cancelled();
    return std::move(*results_);
  }

 private:
  std::optional<std::tuple<Args...>> results_;
};

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

template <class First>
inline constexpr bool kIsError =
    std::is_same_v<First, boost::system::error_code> || std::is_same_v<First, std::exception_ptr>;

/// An operation that a stop has cancelled ends as all others that wait.
inline void throw_error(const boost::system::error_code& error, bool is_stopped) {
  if (is_stopped && error == boost::asio::error::operation_aborted) throw cancelled();
  if (error) throw boost::system::system_error(error);
}
inline void throw_error(const std::exception_ptr& error, bool) {
  if (error) std::rethrow_exception(error);
}

template <class... Args>
auto results_without_error(std::tuple<Args...>&& all, bool) {
  return asio_result<Args...>::take(std::move(all));
}
template <class First, class... Rest>
  requires kIsError<First>
auto results_without_error(std::tuple<First, Rest...>&& all, bool is_stopped) {
  throw_error(std::get<0>(all), is_stopped);
  return std::apply(
      [](First&, Rest&... rest) {
        return asio_result<Rest...>::take(std::tuple<Rest...>(std::move(rest)...));
      },
      all);
}

/// Some initiation with its arguments, of which only the handler's signature is known.
template <class... Args>
class any_initiation {
  using handler = typename asio_operation<Args...>::handler;

 public:
  template <class Initiation, class InitArgs>
  any_initiation(Initiation initiation, InitArgs args)
      : start_(
            std::make_unique<kept<Initiation, InitArgs>>(std::move(initiation), std::move(args))) {}
  void operator()(handler&& called) && { start_->begin(std::move(called)); }

 private:
  struct start {
    virtual ~start() = default;
    virtual void begin(handler&& called) = 0;
  };
  template <class Initiation, class InitArgs>
  struct kept final : start {
    kept(Initiation&& initiation, InitArgs&& args)
        : initiation_(std::move(initiation)), args_(std::move(args)) {}
    void begin(handler&& called) override {
      std::apply(
          [&](auto&&... each) {
            std::move(initiation_)(std::move(called), std::forward<decltype(each)>(each)...);
          },
          std::move(args_));
    }
    Initiation initiation_;
    InitArgs args_;
  };
  std::unique_ptr<start> start_;
};

template <class Initiation, class InitArgs, class... Args>
class [[nodiscard]] asio_awaiter {
 public:
  asio_awaiter(Initiation initiation, InitArgs args)
      : initiation_(std::move(initiation)), args_(std::move(args)) {}
  /// For the adapters of tokens that must name the type of what they return.
  template <class I, class A>
    requires std::is_same_v<Initiation, any_initiation<Args...>>
  asio_awaiter(asio_awaiter<I, A, Args...>&& other)
      : initiation_(std::move(other.initiation_), std::move(other.args_)) {}
  /// Not once it was awaited.
  asio_awaiter(asio_awaiter&& other) noexcept
      : initiation_(std::move(other.initiation_)), args_(std::move(other.args_)) {}
  asio_awaiter& operator=(asio_awaiter&&) = delete;
  ~asio_awaiter() = default;
  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <task_coroutine P>
  [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<P> self) {
    operation_.begin(job_of(self));
    try {
      typename asio_operation<Args...>::handler handler(operation_);
      std::apply(
          [&](auto&&... each) {
            std::move(initiation_)(std::move(handler), std::forward<decltype(each)>(each)...);
          },
          std::move(args_));
    } catch (...) {
      // What it started may go on with the handler: the task waits until that one is gone, too.
      failure_ = std::current_exception();
    }
    operation_.has_begun();
    return operation_.suspend();
  }
  auto await_resume() {
    const bool is_stopped = operation_.resumed();
    if (failure_) std::rethrow_exception(failure_);
    return results_without_error(operation_.take(), is_stopped);
  }

 private:
  template <class, class, class...>
  friend class asio_awaiter;

  Initiation initiation_;
  InitArgs args_;
  std::exception_ptr failure_;  // of the initiation
  asio_operation<Args...> operation_;
};

}  // namespace morpheus::detail
