// SPDX-License-Identifier: GPL-2.0-only
// The public classes of the runtime over the threads and lanes that do their work.
#include <morpheus/blocking.hpp>
#include <morpheus/runtime.hpp>
#include <morpheus/scope.hpp>

#include <cstdio>
#include <exception>
#include <stdexcept>
#include <system_error>

#include "sdk/src/runtime/thread_pool.hpp"
#include "sdk/src/sync/race_detector.hpp"

namespace morpheus {

namespace {

const sdk::PoolLane& pool_lane(const detail::lane* lane) {
  return static_cast<const sdk::PoolLane&>(*lane);
}

}  // namespace

// --- The runtime

runtime::runtime(const detail::plain_options& options, detail::layout built) {
  if (built != detail::layout{})
    throw std::logic_error(
        "this program was compiled with the headers of another libmorpheus: rebuild it");
  pool_ = std::make_unique<sdk::ThreadPool>(
      *this, runtime_options{.threads = options.threads,
                             .cpus = {options.cpus, options.cpus + options.cpu_count},
                             .guided = options.guided,
                             .worker = options.worker,
                             .blocking_threads = options.blocking_threads,
                             .name = options.name,
                             .relief_threads = options.relief_threads,
                             .shuffle_seed = options.shuffle_seed,
                             .stall_threshold = options.stall_threshold,
                             .on_stall = *options.on_stall});
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
std::stop_token runtime::stop_token() const noexcept { return pool_->lifetime().stop_token(); }
void runtime::refuse_own_thread() const {
  if (pool_->is_inside())
    throw std::system_error(
        std::make_error_code(std::errc::resource_deadlock_would_occur),
        "runtime::run() on a thread of the same runtime: co_await the task instead");
}
void runtime::request_stop() noexcept { pool_->lifetime().request_stop(); }
unsigned runtime::threads() const noexcept { return static_cast<unsigned>(pool_->size()); }
void runtime::each_stats(void (*take)(void* to, const thread_stats& each), void* to) const {
  for (const thread_stats& each : pool_->stats()) take(to, each);
}
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
  sdk::note_release(ready);
  auto& lane = static_cast<sdk::PoolLane&>(*this);
  sdk::ThreadRunner* const mine = sdk::ThreadRunner::current();
  if (mine != nullptr && &mine->pool() == &lane.pool() &&
      (lane.owner() == nullptr || lane.owner() == &mine->inbox()))
    return mine->put(lane, ready);
  sdk::Lifetime& lifetime = lane.pool().lifetime;
  lifetime.begin_post();
  if (lane.owner() != nullptr) {
    lane.owner()->post(ready);
  } else {
    job_list one;
    one.push(ready);
    lane.pool().share(lane.number(), one);
  }
  lifetime.end_post();
}
void detail::lane::all_ended() noexcept { pool_lane(this).pool().lifetime.all_ended(); }

sdk::RootTasks& sdk::RootTasks::here() {
  return pool_lane(detail::here->where()).pool().lifetime.root_tasks();
}

// --- Its driver and its blocking threads

void detail::after_this_step(job& next) noexcept {
  sdk::ThreadRunner& mine = *sdk::ThreadRunner::current();
  mine.pool().owner.pool().lanes().own(mine.index()).post(&next);
}

detail::driver::driver(runtime& on) { on.pool().guests().add(*this, on.home()); }
void detail::driver::leave() noexcept { sdk::Guests::remove(*this); }
void detail::driver::drive() {
  if (!sdk::Guests::drive(*this)) throw std::logic_error("the runtime runs an io_context already");
  runtime_.load(std::memory_order_relaxed)->pool().wake_one();
}
void detail::driver::rest() noexcept { sdk::Guests::rest(*this); }
bool detail::driver::post_elsewhere(job* ready) noexcept {
  posting_.fetch_add(1, std::memory_order_seq_cst);
  lane* const where = lane_.load(std::memory_order_seq_cst);
  if (where != nullptr) where->post(ready);
  posting_.fetch_sub(1, std::memory_order_seq_cst);
  return where != nullptr;
}

void detail::run_blocking(blocking_call& call) {
  pool_lane(here->where()).pool().blocking.run(call);
}

void detail::report_unheard(const std::exception_ptr& error) noexcept {
  if (!error) return;
  try {
    std::rethrow_exception(error);
  } catch (const cancelled&) {
  } catch (...) {
    end_program("an exception left a task whose result no code awaits");
  }
}

void detail::end_program(const char* why) noexcept {
  std::fprintf(stderr, "morpheus: %s\n", why);
  std::terminate();  // within a handler: says which exception it is
}

}  // namespace morpheus
