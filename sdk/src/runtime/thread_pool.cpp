// SPDX-License-Identifier: GPL-2.0-only
#include "sdk/src/runtime/thread_pool.hpp"

#include <sched.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "sdk/src/sync/futex.hpp"

namespace morpheus::sdk {
namespace {

std::size_t usable_cpus() {
  cpu_set_t mine;
  if (::sched_getaffinity(0, sizeof mine, &mine) != 0) return 1;
  return static_cast<std::size_t>(std::max(1, CPU_COUNT(&mine)));
}

}  // namespace

ThreadPool::ThreadPool(runtime& owner, const runtime_options& options)
    : owner_(owner), options_(options), blocking_(std::max(1U, options.blocking_threads)) {
  (void)can_barrier_all_threads();
  if (options.guided) has_attached_ = morpheus_attach(nullptr) == MORPHEUS_OK;
  const std::size_t cpus = usable_cpus();
  size_ = options.threads != 0 ? options.threads : cpus;
  may_spin_ = cpus > 1 && size_ <= cpus;
  lanes_[PoolLane::kHome] = std::make_unique<PoolLane>(*this, live_, PoolLane::kHome,
                                                       PoolLane::kUsualShares, options.name);
  for (unsigned i = 0; i < size_ + options.relief_threads; ++i) {
    workers_.push_back(std::make_unique<RuntimeThread>(*this, i, i >= size_));
    own_lanes_.push_back(std::make_unique<PoolLane>(*this, live_, PoolLane::kOwn,
                                                    PoolLane::kUsualShares, workers_.back()->name(),
                                                    workers_.back().get()));
  }
  try {
    // Nobody can take from one lone worker, and nobody asks about its stalls: then nobody looks.
    if (threads() > 1 || options.stall_threshold.count() > 0) watch_.emplace(*this);
    for (auto& worker : workers_) worker->start();
  } catch (...) {
    join_all();
    throw;
  }
}

ThreadPool::~ThreadPool() {
  stop_.request_stop();
  while (true) {
    const std::uint32_t seen = ends_.load(std::memory_order_acquire);
    if (live_.load(std::memory_order_acquire) == 0) break;
    futex_wait(ends_, seen);
  }
  join_all();
}

void ThreadPool::join_all() {
  if (watch_) watch_->end();
  is_ending_.store(true, std::memory_order_release);
  for (auto& worker : workers_) worker->wake();
  for (auto& worker : workers_) worker->join();
  if (has_attached_) (void)morpheus_detach();
}

void ThreadPool::notice_end() {
  ends_.fetch_add(1, std::memory_order_release);
  if (stop_.stop_requested()) futex_wake_one(ends_);
}

PoolLane& ThreadPool::add_group(const group_options& options) {
  const std::scoped_lock lock(groups_lock_);
  for (unsigned number = PoolLane::kFirstGroup; number < lanes_.size(); ++number) {
    if (lanes_[number]) continue;
    lanes_[number] = std::make_unique<PoolLane>(*this, live_, number, options.shares, options.name);
    has_lanes_.store(true, std::memory_order_relaxed);
    return *lanes_[number];
  }
  throw std::length_error("a runtime has at most 14 groups");
}

void ThreadPool::put_shared(PoolLane& lane, const detail::job_list& jobs) {
  const std::scoped_lock lock(shared_lock_);
  shared_[lane.number()].append(jobs);
  shared_lanes_.fetch_or(std::uint32_t{1} << lane.number(), std::memory_order_seq_cst);
}

void ThreadPool::call_one() {
  if (!is_call_useful_.load(std::memory_order_seq_cst)) return;
  RuntimeThread* called = nullptr;
  {
    const std::scoped_lock lock(idle_lock_);
    if (idle_.empty() || searching_ != 0) return;
    called = idle_.back();
    idle_.pop_back();
    ++searching_;
    update_call();
  }
  called->wake();
}

void ThreadPool::call_relief() {
  {
    const std::scoped_lock lock(idle_lock_);
    if (searching_ != 0) return;  // one has just been called
  }
  for (std::size_t i = size_; i < workers_.size(); ++i) {
    if (!workers_[i]->is_asleep()) continue;
    workers_[i]->wake();
    return;
  }
}

void ThreadPool::call_stand_in(RuntimeThread& away) {
  for (std::size_t i = 1; i < workers_.size(); ++i) {
    RuntimeThread& other = *workers_[(away.index() + i) % workers_.size()];
    if (other.is_asleep()) return other.stand_in_for(away);
  }
}

bool ThreadPool::set_driver(detail::driver* driver) {
  detail::driver* expected = nullptr;
  if (!driver_.compare_exchange_strong(expected, driver, std::memory_order_acq_rel)) return false;
  for (auto& worker : workers_) worker->wake();  // one of them waits in it from now on
  return true;
}

void ThreadPool::wait_until_nobody_drives() {
  detail::driver* const driver = driver_.exchange(nullptr, std::memory_order_seq_cst);
  while (within_driver_.load(std::memory_order_seq_cst) != 0) {
    driver->interrupt();
    (void)::sched_yield();
  }
}

bool ThreadPool::begin_to_drive(const RuntimeThread& worker) {
  if (driver() == nullptr) return false;
  const RuntimeThread* nobody = nullptr;
  if (!drives_.compare_exchange_strong(nobody, &worker, std::memory_order_acq_rel)) return false;
  within_driver_.fetch_add(1, std::memory_order_seq_cst);
  if (driver_.load(std::memory_order_seq_cst) != nullptr) return true;
  end_driving(worker);
  return false;
}

void ThreadPool::end_driving(const RuntimeThread& worker) {
  within_driver_.fetch_sub(1, std::memory_order_seq_cst);
  release_driver(worker);
}

void ThreadPool::release_driver(const RuntimeThread& worker) {
  const RuntimeThread* holder = &worker;
  drives_.compare_exchange_strong(holder, nullptr, std::memory_order_acq_rel);
}

void ThreadPool::trace(std::function<void(const trace_event&)> hook) {
  const std::scoped_lock lock(trace_lock_);
  trace_ = std::move(hook);
  for (auto& worker : workers_) worker->trace(trace_ != nullptr);
}

void ThreadPool::tell_trace(const trace_event& event) {
  const std::scoped_lock lock(trace_lock_);
  if (trace_) trace_(event);
}

bool ThreadPool::begin_search() {
  const std::scoped_lock lock(idle_lock_);
  if (searching_ != 0) return false;
  ++searching_;
  update_call();
  return true;
}

void ThreadPool::end_search() {
  {
    const std::scoped_lock lock(idle_lock_);
    --searching_;
    update_call();
  }
  if (has_shared()) call_one();
}

void ThreadPool::add_idle(RuntimeThread& worker, bool after_search) {
  const std::scoped_lock lock(idle_lock_);
  if (after_search) --searching_;
  idle_.push_back(&worker);
  update_call();
}

bool ThreadPool::remove_idle(RuntimeThread& worker) {
  const std::scoped_lock lock(idle_lock_);
  const auto removed = std::erase(idle_, &worker);
  update_call();
  return removed != 0;
}

void ThreadPool::update_call() {
  is_call_useful_.store(!idle_.empty() && searching_ == 0, std::memory_order_seq_cst);
}

}  // namespace morpheus::sdk

namespace morpheus {

void detail::lane::post(job* ready) noexcept {
  auto& lane = static_cast<sdk::PoolLane&>(*this);
  sdk::RuntimeThread* const mine = sdk::RuntimeThread::current();
  if (mine != nullptr && &mine->pool() == &lane.pool() &&
      (lane.owner() == nullptr || lane.owner() == mine))
    return mine->put(lane, ready);
  if (lane.owner() != nullptr) return lane.owner()->post(ready);
  job_list one;
  one.push(ready);
  lane.pool().share(lane, one);
}
void detail::lane::all_ended() noexcept { static_cast<sdk::PoolLane*>(this)->pool().notice_end(); }

runtime::runtime(const runtime_options& options, detail::layout built) {
  if (built != detail::layout{})
    throw std::logic_error(
        "this program was compiled with the headers of another libmorpheus: rebuild it");
  pool_ = std::make_unique<sdk::ThreadPool>(*this, options);
}
runtime::~runtime() = default;
detail::lane& runtime::home() noexcept { return pool_->home(); }
scheduling_group runtime::add_group(const group_options& options) {
  if (options.shares < 1 || options.shares > 100'000)
    throw std::invalid_argument("a group's shares are 1 to 100,000");
  return scheduling_group(pool_->add_group(options));
}
scheduling_group runtime::on_thread(unsigned index) {
  if (index >= pool_->size()) throw std::out_of_range("no such worker");
  return scheduling_group(pool_->lane_of(pool_->worker(index)));
}
const std::string& scheduling_group::name() const noexcept {
  return static_cast<const sdk::PoolLane*>(lane_)->name();
}
unsigned scheduling_group::shares() const noexcept {
  return static_cast<const sdk::PoolLane*>(lane_)->shares();
}
std::chrono::nanoseconds scheduling_group::run_time() const noexcept {
  return static_cast<const sdk::PoolLane*>(lane_)->run_time();
}
std::stop_token runtime::stop_token() const noexcept { return pool_->stop().get_token(); }
void runtime::request_stop() noexcept { pool_->stop().request_stop(); }
unsigned runtime::threads() const noexcept { return static_cast<unsigned>(pool_->size()); }
std::vector<thread_stats> runtime::stats() const {
  std::vector<thread_stats> all;
  for (std::size_t i = 0; i < pool_->threads(); ++i) all.push_back(pool_->worker(i).stats());
  return all;
}
void runtime::trace(std::function<void(const trace_event&)> hook) { pool_->trace(std::move(hook)); }
void detail::driver::attach(runtime& on) {
  if (!on.pool().set_driver(this)) throw std::logic_error("the runtime runs an io_context already");
}
void detail::driver::detach(runtime& on) noexcept { on.pool().wait_until_nobody_drives(); }

runtime* runtime::current() noexcept {
  auto* const lane = static_cast<sdk::PoolLane*>(detail::here->where());
  return lane == nullptr ? nullptr : &lane->pool().owner();
}

void detail::run_blocking(blocking_call& call) {
  static_cast<sdk::PoolLane*>(here->where())->pool().blocking().run(call);
}

void detail::report_unheard(const std::exception_ptr& error) noexcept {
  if (!error) return;
  try {
    std::rethrow_exception(error);
  } catch (const cancelled&) {
  }  // anything else leaves a noexcept function
}

}  // namespace morpheus
