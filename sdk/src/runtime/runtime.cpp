// SPDX-License-Identifier: GPL-2.0-only
// The public classes of the runtime over the threads and lanes that do their work.
#include <morpheus/blocking.hpp>
#include <morpheus/runtime.hpp>

#include <stdexcept>

#include "sdk/src/runtime/thread_pool.hpp"

namespace morpheus {

namespace {

const sdk::PoolLane& pool_lane(const detail::lane* lane) {
  return static_cast<const sdk::PoolLane&>(*lane);
}

}  // namespace

// --- The runtime

runtime::runtime(const runtime_options& options, detail::layout built) {
  if (built != detail::layout{})
    throw std::logic_error(
        "this program was compiled with the headers of another libmorpheus: rebuild it");
  pool_ = std::make_unique<sdk::ThreadPool>(*this, options);
}
runtime::~runtime() = default;

detail::lane& runtime::home() noexcept { return pool_->lanes().home(); }
scheduling_group runtime::add_group(const group_options& options) {
  if (options.shares < 1 || options.shares > 100'000)
    throw std::invalid_argument("a group's shares are 1 to 100,000");
  return scheduling_group(pool_->lanes().add_group(options));
}
scheduling_group runtime::on_thread(unsigned index) {
  if (index >= pool_->size()) throw std::out_of_range("no such thread");
  return scheduling_group(pool_->lanes().own(index));
}
std::stop_token runtime::stop_token() const noexcept { return pool_->stop().get_token(); }
void runtime::request_stop() noexcept { pool_->stop().request_stop(); }
unsigned runtime::threads() const noexcept { return static_cast<unsigned>(pool_->size()); }
std::vector<thread_stats> runtime::stats() const { return pool_->stats(); }
void runtime::trace(std::function<void(const trace_event&)> hook) { pool_->trace(std::move(hook)); }
runtime* runtime::current() noexcept {
  auto* const lane = static_cast<sdk::PoolLane*>(detail::here->where());
  return lane == nullptr ? nullptr : &lane->pool().owner;
}

// --- Its groups and lanes

const std::string& scheduling_group::name() const noexcept { return pool_lane(lane_).name(); }
unsigned scheduling_group::shares() const noexcept { return pool_lane(lane_).shares(); }
std::chrono::nanoseconds scheduling_group::run_time() const noexcept {
  return pool_lane(lane_).run_time();
}

void detail::lane::post(job* ready) noexcept {
  auto& lane = static_cast<sdk::PoolLane&>(*this);
  sdk::ThreadRunner* const mine = sdk::ThreadRunner::current();
  if (mine != nullptr && &mine->pool() == &lane.pool() &&
      (lane.owner() == nullptr || lane.owner() == &mine->inbox()))
    return mine->put(lane, ready);
  if (lane.owner() != nullptr) return lane.owner()->post(ready);
  job_list one;
  one.push(ready);
  lane.pool().share(lane.number(), one);
}
void detail::lane::all_ended() noexcept { pool_lane(this).pool().lifetime.all_ended(); }

// --- Its driver and its blocking threads

void detail::driver::attach(runtime& on) {
  if (!on.pool().set_driver(this)) throw std::logic_error("the runtime runs an io_context already");
}
void detail::driver::detach(runtime& on) noexcept { on.pool().clear_driver(); }

void detail::run_blocking(blocking_call& call) {
  pool_lane(here->where()).pool().blocking.run(call);
}

void detail::report_unheard(const std::exception_ptr& error) noexcept {
  if (!error) return;
  try {
    std::rethrow_exception(error);
  } catch (const cancelled&) {
  }  // anything else leaves a noexcept function
}

}  // namespace morpheus
