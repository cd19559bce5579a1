// SPDX-License-Identifier: GPL-2.0-only
// How a runtime and an io_context know each other.
#pragma once

#include <morpheus/detail/driver.hpp>
#include <morpheus/detail/function_job.hpp>
#include <morpheus/runtime.hpp>

#include <algorithm>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace morpheus::detail {

/// An io_context beside a runtime. The context owns it; the runtime may end first.
class asio_link final : public driver {
 public:
  asio_link(runtime& on, boost::asio::io_context& context) : driver(on), context_(context) {}

  [[nodiscard]] boost::asio::io_context& context() const noexcept { return context_; }
  /// Calls body() on a thread of the runtime; after its end, on one that runs the context.
  template <class F>
  void execute(F&& body) {
    using function = function_job<std::decay_t<F>>;
    droppable_job* const made = function::make(std::forward<F>(body));
    if (!post(made)) boost::asio::post(context_, owned_job(made));
  }
  /// See driver; meanwhile the context does not run out of work.
  void begin_driving() {
    drive();
    work_.emplace(context_.get_executor());
  }
  void end_driving() noexcept {
    rest();
    work_.reset();
  }
  /// The context ends.
  void end() noexcept { leave(); }

 private:
  using work_guard = boost::asio::executor_work_guard<boost::asio::io_context::executor_type>;
  // A longer wait could overflow; a thread that wakes once an hour costs nothing.
  static constexpr std::uint64_t kLongestNs = 3'600'000'000'000;

  void poll() noexcept override {
    go_on();
    context_.poll();
  }
  void wait(std::uint64_t span_ns) noexcept override {
    const work_guard work(context_.get_executor());
    go_on();
    context_.run_one_for(std::chrono::nanoseconds(std::min(span_ns, kLongestNs)));
  }
  void interrupt() noexcept override {
    boost::asio::post(context_, [] {});
  }
  /// A context that was stopped, or had run out of work, goes on.
  void go_on() {
    if (context_.stopped()) context_.restart();
  }

  boost::asio::io_context& context_;
  std::optional<work_guard> work_;
};

/// All of a context, as its service: it ends with the context, before what the links refer to.
class asio_links final : public boost::asio::execution_context::service {
 public:
  using key_type = asio_links;
  inline static boost::asio::execution_context::id id;

  explicit asio_links(boost::asio::execution_context& context) : service(context) {}
  [[nodiscard]] static asio_link& between(runtime& on, boost::asio::io_context& context) {
    auto& all = boost::asio::use_service<asio_links>(context);
    const std::scoped_lock lock(all.lock_);
    for (const auto& link : all.links_)
      if (link->belongs_to(on)) return *link;
    return *all.links_.emplace_back(std::make_unique<asio_link>(on, context));
  }

 private:
  void shutdown() noexcept override {
    for (const auto& link : links_) link->end();
  }

  std::mutex lock_;
  std::vector<std::unique_ptr<asio_link>> links_;
};

}  // namespace morpheus::detail
