// SPDX-License-Identifier: GPL-2.0-only
// What a worker does between two jobs: the slow paths of its runner. The owner is inside
// throughout.
#include <sched.h>

#include <algorithm>
#include <bit>

#include "proto/monotonic_clock.hpp"
#include "sdk/src/runtime/thread/runtime_thread.hpp"
#include "sdk/src/runtime/thread_pool.hpp"
#include "sdk/src/sync/cpu_relax.hpp"

namespace morpheus::sdk {

using detail::job;
using detail::job_list;

namespace {

/// The clock is looked at about this often, unless a single job takes longer.
constexpr std::uint64_t kTickNs = 10'000;
constexpr std::int32_t kMostTicks = 256;
constexpr std::size_t kMostShared = 64;
/// How often a worker that has tasks looks for events.
constexpr std::uint64_t kPollNs = 50'000;

constexpr std::atomic<bool> kNobodyIsToBeCalled{false};

}  // namespace

// --- What comes next
// ---------------------------------------------------------------------------------

job* RuntimeThread::yield_slowly(job* self) {
  wait_for_revocation();
  if (random_ != 0) shuffle();
  if (ticks_ <= 0) tick();
  // Forks are taken newest first; a task that yields waits for all of them.
  while (!forks_.empty()) ready_.push(forks_.pop_oldest());
  if (has_posted()) take_in();
  ready_.push(self);
  job* const next = take();
  serve();
  return begin(next);
}

job* RuntimeThread::next_slowly() {
  wait_for_revocation();
  if (random_ != 0) shuffle();
  if (ticks_ <= 0) tick();
  job* const next = take();
  if (next == nullptr) return nullptr;
  serve();
  return begin(next);
}

job* RuntimeThread::give_way(job* self) {
  enter();
  wait_for_revocation();
  if (morpheus_asked_here()) answer_kernel();
  return yield_slowly(self);
}

void RuntimeThread::fork_slowly(job* const* forks, std::size_t count) {
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

void RuntimeThread::unfork_slowly() {
  serve();
  leave(nullptr);
}

/// The owner goes on with `next`.
job* RuntimeThread::begin(job* next) {
  if ((attention_.load(std::memory_order_acquire) & detail::kTraced) != 0)
    pool_.tell_trace({index_, monotonic_ns(), next});
  return leave(next);
}

job* RuntimeThread::take() {
  take_turns();
  if (job* const ready = ready_.pop()) return ready;
  if (!forks_.empty()) return forks_.pop();
  if (!has_posted()) return nullptr;
  take_in();
  take_turns();
  return ready_.pop();
}

/// Goes over to the lane whose turn it is. Nothing runs.
void RuntimeThread::take_turns() {
  if (lanes_.empty()) return;
  const unsigned next = lanes_.next();
  if (has_ready() && !lanes_.is_behind(next, lane().number())) return;
  charge(monotonic_ns());
  while (!forks_.empty()) ready_.push(forks_.pop_oldest());
  lanes_.put(lane().number(), ready_.take());
  ready_.append(lanes_.take(next));
  lane_ = &pool_.lane(next, *this);
  const bool keeps = lane().owner() != nullptr;
  keeps_.store(keeps, std::memory_order_relaxed);
  is_call_useful_ = keeps ? &kNobodyIsToBeCalled : &pool_.is_call_useful();
}

/// The lane has run until now.
void RuntimeThread::charge(std::uint64_t now) {
  if (charged_ns_ != 0 && now > charged_ns_) {
    lanes_.charge(lane().number(), now - charged_ns_, lane().shares());
    lane().add_run_time(now - charged_ns_);
  }
  charged_ns_ = now;
}

void RuntimeThread::put(PoolLane& lane, job* ready) {
  job* const running = enter();
  wait_for_revocation();
  job_list one;
  one.push(ready);
  queue(lane, one);
  leave(running);
  if (lane.owner() == nullptr) pool_.call_one();
}

void RuntimeThread::queue(PoolLane& lane, const job_list& jobs) {
  if (&lane == lane_)
    ready_.append(jobs);
  else
    lanes_.put(lane.number(), jobs);
}

bool RuntimeThread::has_posted() const {
  return pool_.has_shared() || has_inbox_.load(std::memory_order_seq_cst);
}

/// Queues its part of what was posted by other threads.
void RuntimeThread::take_in() {
  if (pool_.has_shared())
    pool_.take_shared(
        [this](unsigned number, const job_list& jobs) { queue(pool_.lane(number, *this), jobs); });
  if (!has_inbox_.load(std::memory_order_relaxed)) return;
  const std::scoped_lock lock(inbox_lock_);
  has_inbox_.store(false, std::memory_order_relaxed);
  queue(pool_.lane(PoolLane::kOwn, *this), inbox_.take());
}

// --- Others
// ------------------------------------------------------------------------------------------

void RuntimeThread::wait_for_revocation() {
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

void RuntimeThread::serve() {
  wait_for_revocation();
  if ((attention_.load(std::memory_order_relaxed) & detail::kWanted) != 0) share_some();
}

/// Gives away half of what is ready, or the oldest fork.
void RuntimeThread::share_some() {
  attention_.fetch_and(~std::uint32_t{detail::kWanted}, std::memory_order_relaxed);
  if (!give(Part::half)) return;
  counts_.shared.fetch_add(1, std::memory_order_relaxed);
  pool_.call_one();
}

/// Makes half or all of what waits available to all workers. By the owner, or by whoever bereaves
/// it.
bool RuntimeThread::give(Part given) {
  bool has_given = false;
  const auto put = [&](PoolLane& lane, const job_list& jobs) {
    if (jobs.empty()) return;
    pool_.put_shared(lane, jobs);
    has_given = true;
  };
  if (!keeps_.load(std::memory_order_relaxed)) {
    job_list jobs = given == Part::all ? ready_.take() : ready_.take_half(kMostShared);
    while (!forks_.empty() && (given == Part::all || jobs.empty())) jobs.push(forks_.pop_oldest());
    put(lane(), jobs);
  }
  for (std::uint32_t left = lanes_.waiting() & ~(1U << PoolLane::kOwn); left != 0;
       left &= left - 1) {
    const auto number = static_cast<unsigned>(std::countr_zero(left));
    put(pool_.lane(number, *this),
        given == Part::all ? lanes_.take(number) : lanes_.take_half(number, kMostShared));
  }
  return has_given;
}

void RuntimeThread::call_an_idle_worker() { pool_.call_one(); }

bool RuntimeThread::chance(unsigned one_in) {
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  return random_ % one_in == 0;
}

void RuntimeThread::shuffle() {
  while (!ready_.empty() && !chance(3)) ready_.push(ready_.pop());
  if (!forks_.empty() && chance(3)) ready_.push(forks_.pop_oldest());
  if (pool_.threads() == 1) return;
  if (chance(4)) share_some();
  if (chance(16)) (void)::sched_yield();
}

// --- From time to time
// -------------------------------------------------------------------------------

void RuntimeThread::tick() {
  const std::uint64_t now = monotonic_ns();
  add_steps();
  set_ticks(now);
  note_mode(now);
  if (pool_.has_lanes()) {
    charge(now);
    if (has_posted()) take_in();
  }
  if (now - driven_ns_ >= kPollNs) poll(now);
  if (timers_.earliest() <= now) fire_timers(now);
  if (morpheus_asked_here()) answer_kernel();
}

/// So many steps until the next look at the clock that they take about kTickNs, as the last ones
/// did.
void RuntimeThread::set_ticks(std::uint64_t now) {
  const std::uint64_t span = now - last_tick_ns_;
  if (span > 2 * kTickNs)
    tick_span_ = std::max(
        1, static_cast<std::int32_t>(static_cast<std::uint64_t>(tick_span_) * kTickNs / span));
  else if (span < kTickNs)
    tick_span_ = std::min(kMostTicks, tick_span_ * 2);
  last_tick_ns_ = now;
  ticks_ = tick_span_;
}

/// At least one, so that whoever looks sees that the worker has been here.
void RuntimeThread::add_steps() {
  counts_.steps.fetch_add(static_cast<std::uint64_t>(std::max(1, tick_span_ - std::max(ticks_, 0))),
                          std::memory_order_relaxed);
}

void RuntimeThread::note_mode(std::uint64_t now) {
  constexpr std::uint64_t kOften = 1'000'000;
  if (!is_guided_.load(std::memory_order_relaxed) || now - mode_noted_ns_ < kOften) return;
  mode_noted_ns_ = now;
  mode_.store(morpheus_get_mode(), std::memory_order_relaxed);
}

void RuntimeThread::fire_timers(std::uint64_t now) {
  timers_.fire(now, [this](job* due, detail::lane* where) {
    job_list one;
    one.push(due);
    queue(static_cast<PoolLane&>(*where), one);
  });
}

/// Handlers of events may take long: they run outside the runtime, as a job does.
void RuntimeThread::poll(std::uint64_t now) {
  if (!pool_.begin_to_drive(*this)) return;
  driven_ns_ = now;
  leave(nullptr);
  if (detail::driver* const driver = pool_.driver()) driver->poll();
  pool_.end_driving(*this);
  enter();
  wait_for_revocation();
}

// --- The kernel
// --------------------------------------------------------------------------------------

/// The kernel wants the CPU: first everything that waits here, or is due here, becomes available to
/// others; then the answer; then the CPU is given up.
void RuntimeThread::answer_kernel() {
  // The watch's way of asking: only other tasks of this worker want to run.
  const bool is_kernel = __atomic_load_n(&morpheus_here.seen, __ATOMIC_RELAXED) !=
                             ~__atomic_load_n(morpheus_here.seq, __ATOMIC_RELAXED) ||
                         mode_.load(std::memory_order_relaxed) == MORPHEUS_DEFENSIVE;
  if (is_kernel && pool_.size() > 1) hand_over();
  const morpheus_answer answer = morpheus_answer_hint(morpheus_here);
  __atomic_store_n(&morpheus_here.seq, answer.next.seq, __ATOMIC_RELAXED);
  __atomic_store_n(&morpheus_here.seen, answer.next.seen, __ATOMIC_RELAXED);
  if (is_guided_.load(std::memory_order_relaxed)) note_hints();
  if (answer.asked) give_up_cpu();
}

/// Others may have it for long: what waits here can be taken meanwhile, and another worker keeps
/// the timers.
void RuntimeThread::give_up_cpu() {
  leave(away());
  if (timers_.earliest() != TimerQueue::kNever) pool_.call_stand_in(*this);
  morpheus_yield();
  enter();
  wait_for_revocation();
}

void RuntimeThread::hand_over() {
  fire_timers(monotonic_ns());
  if (!give(Part::all)) return;
  counts_.handed_over.fetch_add(1, std::memory_order_relaxed);
  pool_.call_one();
}

void RuntimeThread::hand_over_here() {
  auto& self = static_cast<RuntimeThread&>(*detail::here);
  if (self.pool_.size() == 1) return;
  job* const running = self.enter();
  self.wait_for_revocation();
  self.hand_over();
  self.leave(running);
}

void RuntimeThread::note_hints() {
  morpheus_stats now{};
  (void)morpheus_get_stats(&now);
  counts_.hints.store(now.hints, std::memory_order_relaxed);
  counts_.yields.store(now.yields + 1, std::memory_order_relaxed);
  mode_.store(morpheus_get_mode(), std::memory_order_relaxed);
}

}  // namespace morpheus::sdk

namespace morpheus::detail {

std::uint64_t timer::now_ns() noexcept { return monotonic_ns(); }

void timer::prepare() noexcept { static_cast<sdk::RuntimeThread&>(*here).timers().prepare(*this); }
bool timer::start(job* task) {
  return static_cast<sdk::RuntimeThread&>(*here).timers().add(*this, task, here->where());
}
void timer::stop() noexcept { sdk::TimerQueue::remove(*this); }

namespace {
sdk::RuntimeThread& worker_of(runner* self) { return static_cast<sdk::RuntimeThread&>(*self); }
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
