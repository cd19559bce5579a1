// SPDX-License-Identifier: GPL-2.0-only
#include "sdk/src/pool_worker.hpp"

#include <pthread.h>

#include <algorithm>
#include <string>
#include <system_error>
#include <utility>

#include "sdk/src/clock.hpp"
#include "sdk/src/cpu_relax.hpp"
#include "sdk/src/futex.hpp"
#include "sdk/src/this_runner.hpp"
#include "sdk/src/worker_pool.hpp"

namespace morpheus::sdk {

using detail::job;
using detail::job_list;

namespace {

/// The clock is looked at about this often, unless a single job takes longer.
constexpr std::uint64_t kTickNs = 10'000;
constexpr std::int32_t kMostTicks = 256;
/// How long a worker without work looks for some before it sleeps.
constexpr std::uint64_t kSearchNs = 10'000;
constexpr std::size_t kMostShared = 64;

}  // namespace

PoolWorker::PoolWorker(WorkerPool& pool, unsigned index) : pool_(pool), index_(index) {
  lane_ = &pool.home();
  is_call_useful_ = &pool.is_call_useful();
}

void PoolWorker::start() {
  thread_ = std::thread([this] { run(); });
}

void PoolWorker::run() {
  const std::string name = pool_.options().name.substr(0, 11) + "/" + std::to_string(index_);
  pthread_setname_np(pthread_self(), name.c_str());
  detail::here = this;
  const auto registered = registration();
  while (job* ready = await_work()) {
    do {
      leave(ready);
      detail::handle_of(ready).resume();
      ready = std::exchange(handoff_, nullptr);
    } while (ready != nullptr);
  }
  leave(nullptr);
  detail::here = &ThisRunner::none();
  frames.give_back();
}

/// Without one, hints do not come; everything else works.
std::optional<worker> PoolWorker::registration() const {
  try {
    if (pool_.options().guided) return std::optional<worker>(std::in_place, pool_.options().worker);
  } catch (const std::system_error&) {
    // too many workers in this process
  }
  return std::nullopt;
}

/// The next job; null when the pool ends. Sleeps while there is none.
job* PoolWorker::await_work() {
  bool is_searching = false;
  while (true) {
    enter();
    settle();
    tick();
    job* found = take();
    if (found == nullptr && pool_.is_ending()) return nullptr;
    if (found == nullptr && !is_searching) is_searching = pool_.size() > 1 && pool_.begin_search();
    if (found == nullptr && is_searching) found = search();
    if (found != nullptr) {
      if (is_searching) pool_.end_search();
      return found;
    }
    leave(nullptr);
    is_searching = sleep(is_searching);
  }
}

job* PoolWorker::take() {
  if (job* const ready = ready_.pop()) return ready;
  if (!forks_.empty()) return forks_.pop();
  if (pool_.has_shared()) {
    ready_.append(pool_.take_shared());
    return ready_.pop();
  }
  return nullptr;
}

/// Asks those that have work to share it; takes it from those that do not answer.
job* PoolWorker::search() {
  const std::uint64_t begun = monotonic_ns();
  bool is_last_round = false;
  while (true) {
    bool anybody_busy = false;
    for (std::size_t i = 1; i < pool_.size(); ++i) {
      PoolWorker& other = pool_.worker((index_ + i) % pool_.size());
      if (!other.looks_busy()) continue;
      anybody_busy = true;
      if (is_last_round) {
        ready_.append(other.bereave());
      } else {
        other.ask_to_share();
      }
    }
    if (pool_.has_shared()) ready_.append(pool_.take_shared());
    if (job* const found = ready_.pop()) return found;
    if (is_last_round) return nullptr;
    is_last_round = monotonic_ns() - begun >= kSearchNs;
    if (!anybody_busy)
      for (int i = 0; i < 16; ++i) cpu_relax();
  }
}

/// True: another thread woke this one, which counts as searching now.
bool PoolWorker::sleep(bool after_search) {
  is_asleep_.store(1, std::memory_order_relaxed);
  pool_.add_idle(*this, after_search);
  bool must_stay = pool_.has_shared() || pool_.is_ending();
  if (pool_.size() > 1) {
    // A worker that pushed a job before it could see this one among the idle: its job is seen here.
    barrier_on_all_threads();
    for (std::size_t i = 0; i < pool_.size() && !must_stay; ++i)
      must_stay = pool_.worker(i).looks_busy();
    must_stay = must_stay || pool_.has_shared() || pool_.is_ending();
  }
  if (!must_stay) wait_for_call();
  return !pool_.remove_idle(*this);
}

/// Until wake() or the first timer.
void PoolWorker::wait_for_call() {
  const std::uint64_t deadline = timers_.earliest();
  while (is_asleep_.load(std::memory_order_acquire) == 1) {
    if (deadline == TimerQueue::kNever) {
      futex_wait(is_asleep_, 1);
    } else if (monotonic_ns() < deadline) {
      futex_wait(is_asleep_, 1, deadline);
    } else {
      break;
    }
  }
}

void PoolWorker::wake() {
  if (is_asleep_.exchange(0, std::memory_order_acq_rel) == 1) futex_wake_one(is_asleep_);
}

job_list PoolWorker::bereave() {
  if (!can_barrier_all_threads()) return {};
  if ((attention_.fetch_or(detail::kRevoked, std::memory_order_acq_rel) & detail::kRevoked) != 0)
    return {};
  barrier_on_all_threads();
  job_list taken;
  if (running_.load(std::memory_order_acquire) != inside()) taken = half();
  attention_.fetch_and(~std::uint32_t{detail::kRevoked}, std::memory_order_release);
  return taken;
}

job_list PoolWorker::half() {
  if (!ready_.empty()) return ready_.take_half(kMostShared);
  job_list one;
  if (!forks_.empty()) one.push(forks_.pop_oldest());
  return one;
}

void PoolWorker::wait_for_revocation() {
  while ((attention_.load(std::memory_order_acquire) & detail::kRevoked) != 0) {
    leave(nullptr);
    for (int i = 0; (attention_.load(std::memory_order_acquire) & detail::kRevoked) != 0; ++i) {
      if (i < 1000)
        cpu_relax();
      else
        (void)::sched_yield();
    }
    enter();
  }
}

void PoolWorker::serve() {
  wait_for_revocation();
  if ((attention_.load(std::memory_order_relaxed) & detail::kWanted) != 0) share_some();
}

/// Gives away half of what is ready, or the oldest fork.
void PoolWorker::share_some() {
  attention_.fetch_and(~std::uint32_t{detail::kWanted}, std::memory_order_relaxed);
  const job_list given = half();
  if (!given.empty()) pool_.share(given);
}

void PoolWorker::share_all() {
  job_list all = ready_.take();
  while (!forks_.empty()) all.push(forks_.pop_oldest());
  if (!all.empty()) pool_.share(all);
}

job* PoolWorker::yield_slowly(job* self) {
  wait_for_revocation();
  if (ticks_ <= 0) tick();
  // Forks are taken newest first; a task that yields waits for all of them.
  while (!forks_.empty()) ready_.push(forks_.pop_oldest());
  if (pool_.has_shared()) ready_.append(pool_.take_shared());
  ready_.push(self);
  job* const next = ready_.pop();
  serve();
  return leave(next);
}

job* PoolWorker::next_slowly() {
  wait_for_revocation();
  if (ticks_ <= 0) tick();
  job* const next = take();
  if (next == nullptr) return nullptr;
  serve();
  return leave(next);
}

void PoolWorker::call_an_idle_worker() { pool_.call_one(); }

void PoolWorker::fork_slowly(job* const* forks, std::size_t count) {
  job* const first = forks[0];
  serve();
  for (std::size_t i = count; --i > 0;) {
    if (forks_.has_room(1))
      forks_.push(forks[i]);
    else
      ready_.push(forks[i]);
  }
  leave(first);
  pool_.call_one();
}

void PoolWorker::unfork_slowly() {
  serve();
  leave(nullptr);
}

/// What is due from time to time. The owner is inside.
void PoolWorker::tick() {
  const std::uint64_t now = monotonic_ns();
  set_ticks(now);
  if (timers_.earliest() <= now) ready_.append(timers_.fire(now));
  if (morpheus_asked_here()) answer_kernel();
}

/// So many steps until the next look at the clock that they take about kTickNs, as the last ones did.
void PoolWorker::set_ticks(std::uint64_t now) {
  const std::uint64_t span = now - last_tick_ns_;
  if (span > 2 * kTickNs)
    tick_span_ = std::max(1, static_cast<std::int32_t>(
                                 static_cast<std::uint64_t>(tick_span_) * kTickNs / span));
  else if (span < kTickNs)
    tick_span_ = std::min(kMostTicks, tick_span_ * 2);
  last_tick_ns_ = now;
  ticks_ = tick_span_;
}

/// The kernel wants the CPU: first everything that waits here becomes available to others.
void PoolWorker::answer_kernel() {
  if (pool_.size() > 1) share_all();
  if (morpheus_acknowledge(&morpheus_here)) morpheus_yield();
}

job* PoolWorker::give_way(job* self) {
  enter();
  wait_for_revocation();
  if (morpheus_asked_here()) answer_kernel();
  return yield_slowly(self);
}

}  // namespace morpheus::sdk

namespace morpheus::detail {

std::uint64_t timer::now_ns() noexcept { return sdk::monotonic_ns(); }

void timer::prepare() noexcept { static_cast<sdk::PoolWorker&>(*here).timers().prepare(*this); }
bool timer::start(job* task) {
  return static_cast<sdk::PoolWorker&>(*here).timers().add(*this, task, here->where());
}
void timer::stop() noexcept { sdk::TimerQueue::remove(*this); }

namespace {
sdk::PoolWorker& worker_of(runner* self) { return static_cast<sdk::PoolWorker&>(*self); }
}  // namespace

job* runner::yield_slowly(job* self) noexcept { return worker_of(this).yield_slowly(self); }
job* runner::next_slowly() noexcept { return worker_of(this).next_slowly(); }
void runner::fork_slowly(job* const* forks, std::size_t count) noexcept {
  worker_of(this).fork_slowly(forks, count);
}
void runner::unfork_slowly() noexcept { worker_of(this).unfork_slowly(); }
void runner::serve() noexcept { worker_of(this).serve(); }
void runner::call_an_idle_worker() noexcept { worker_of(this).call_an_idle_worker(); }
std::coroutine_handle<> runner::give_way(job* self) noexcept {
  return transfer(worker_of(this).give_way(self));
}

}  // namespace morpheus::detail
