// SPDX-License-Identifier: GPL-2.0-only
// How an operation of Asio is a task.
#pragma once

#include <morpheus/join_handle.hpp>
#include <morpheus/task.hpp>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace morpheus::detail {

template <class T>
struct asio_spawn_signature {
  static_assert(std::is_default_constructible_v<T>,
                "co_spawn: a handler gets a result beside each error, so it must be default "
                "constructible; let the task give a std::optional");
  using type = void(std::exception_ptr, T);
};
template <>
struct asio_spawn_signature<void> {
  using type = void(std::exception_ptr);
};

/// Calls a handler where it wants to be called, once its task has ended.
template <class Handler>
class asio_spawned {
 public:
  explicit asio_spawned(Handler&& handler)
      : work_(boost::asio::get_associated_executor(handler)),
        slot_(boost::asio::get_associated_cancellation_slot(handler)),
        handler_(std::move(handler)) {}

  /// Before the task starts.
  void stop_when_cancelled(std::shared_ptr<join_handle<void>> task) {
    if (slot_.is_connected())
      slot_.assign([task = std::move(task)](boost::asio::cancellation_type type) {
        if (type != boost::asio::cancellation_type::none) task->request_stop();
      });
  }
  template <class... Args>
  void complete(Args... args) && {
    const auto where = work_.get_executor();
    boost::asio::dispatch(where, [self = std::move(*this), ... args = std::move(args)]() mutable {
      self.slot_.clear();  // where it may be emitted
      std::move(self.handler_)(std::move(args)...);
    });
  }

 private:
  boost::asio::executor_work_guard<boost::asio::associated_executor_t<Handler>> work_;
  boost::asio::associated_cancellation_slot_t<Handler> slot_;
  Handler handler_;
};

template <class T, class Handler>
task<> run_for_handler(task<T> started, std::unique_ptr<asio_spawned<Handler>> spawned) {
  std::exception_ptr error;
  if constexpr (std::is_void_v<T>) {
    try {
      co_await std::move(started);
    } catch (...) {
      error = std::current_exception();
    }
    std::move(*spawned).complete(std::move(error));
  } else {
    std::optional<T> result;
    try {
      result.emplace(co_await std::move(started));
    } catch (...) {
      error = std::current_exception();
    }
    if (result)
      std::move(*spawned).complete(std::move(error), std::move(*result));
    else
      std::move(*spawned).complete(std::move(error), T());
  }
}

/// What starts the operation.
template <class T>
struct asio_spawn_initiation {
  template <class Handler>
  void operator()(Handler&& handler, lane* where, task<T> started) const {
    using spawned_t = asio_spawned<std::decay_t<Handler>>;
    auto spawned = std::make_unique<spawned_t>(std::forward<Handler>(handler));
    spawned_t& told = *spawned;
    auto* const state =
        new join_state<void>(run_for_handler(std::move(started), std::move(spawned)), *where);
    join_handle<void> handle(state);
    told.stop_when_cancelled(std::make_shared<join_handle<void>>(std::move(handle)));
    schedule(state->start(), where);
  }
};

}  // namespace morpheus::detail
