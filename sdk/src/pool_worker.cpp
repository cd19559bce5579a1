// SPDX-License-Identifier: GPL-2.0-only
#include "sdk/src/pool_worker.hpp"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <system_error>
#include <utility>

#include "sdk/src/clock.hpp"
#include "sdk/src/cpu_relax.hpp"
#include "sdk/src/futex.hpp"
#include "sdk/src/this_runner.hpp"
#include "sdk/src/this_thread.hpp"
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
/// How often a worker that has tasks looks for events.
constexpr std::uint64_t kPollNs = 50'000;

}  // namespace

PoolWorker::PoolWorker(WorkerPool& pool, unsigned index, bool is_relief)
    : pool_(pool), index_(index), is_relief_(is_relief) {
  lane_ = &pool.home();
  is_call_useful_ = &pool.is_call_useful();
  if (pool.options().shuffle_seed == 0) return;
  random_ = (pool.options().shuffle_seed + index) * 0x9e3779b97f4a7c15U | 1U;
  attention_.store(detail::kShuffled, std::memory_order_relaxed);
}

void PoolWorker::start() {
  thread_ = std::thread([this] { run(); });
}

void PoolWorker::run() {
  const std::string name = pool_.options().name.substr(0, 11) + "/" + std::to_string(index_);
  pthread_setname_np(pthread_self(), name.c_str());
  bind_to_cpu();
  detail::here = this;
  tid_.store(::gettid(), std::memory_order_release);
  const auto registered = registration();
  is_guided_.store(registered.has_value(), std::memory_order_relaxed);
  thread_worker_.store(ThisThread::worker(), std::memory_order_release);
  safe_point_.store(&morpheus_here, std::memory_order_release);
  ThisThread::set_hand_over(&PoolWorker::hand_over_here);
  while (job* ready = await_work()) {
    do {
      begin(ready);
      detail::handle_of(ready).resume();
      ready = std::exchange(handoff_, nullptr);
    } while (ready != nullptr);
  }
  leave(nullptr);
  ThisThread::set_hand_over(nullptr);
  thread_worker_.store(nullptr, std::memory_order_release);
  safe_point_.store(nullptr, std::memory_order_release);
  detail::here = &ThisRunner::none();
  frames.give_back();
}

void PoolWorker::bind_to_cpu() const {
  const auto& cpus = pool_.options().cpus;
  if (cpus.empty()) return;
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(static_cast<std::size_t>(cpus[index_ % cpus.size()]), &only);
  (void)::sched_setaffinity(0, sizeof only, &only);  // refused: the thread stays where it may be
}

/// The owner goes on with `next`.
job* PoolWorker::begin(job* next) {
  if ((attention_.load(std::memory_order_acquire) & detail::kTraced) != 0)
    pool_.tell_trace({index_, monotonic_ns(), next});
  return leave(next);
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
    serve();
    tick();
    job* found = take();
    if (found == nullptr && pool_.is_ending()) return nullptr;
    if (found == nullptr && !is_searching) is_searching = may_search() && pool_.begin_search();
    if (found == nullptr && is_searching) found = search();
    if (found != nullptr) {
      if (is_searching) pool_.end_search();
      return found;
    }
    leave(nullptr);
    is_searching = sleep(is_searching);
  }
}

/// Looking for work takes CPU that others may want: not when the kernel has asked for it lately. Then a
/// worker sleeps until somebody shares.
bool PoolWorker::may_search() const {
  return pool_.size() > 1 && !is_relief_ &&
         mode_.load(std::memory_order_relaxed) == MORPHEUS_DETERMINISTIC;
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
    for (std::size_t i = 1; i < pool_.threads(); ++i) {
      PoolWorker& other = pool_.worker((index_ + i) % pool_.threads());
      if (!other.looks_busy()) continue;
      anybody_busy = true;
      if (is_last_round || (random_ != 0 && chance(4))) {
        ready_.append(other.bereave(part::half));
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
  counts_.sleeps.fetch_add(1, std::memory_order_relaxed);
  if (is_relief_) return sleep_until_relief();
  pool_.add_idle(*this, after_search);
  bool must_stay = pool_.has_shared() || pool_.is_ending();
  if (pool_.threads() > 1) {
    // A worker that pushed a job before it could see this one among the idle: its job is seen here. It
    // shares at its next step, which wakes this one.
    barrier_on_all_threads();
    for (std::size_t i = 0; i < pool_.threads(); ++i)
      if (PoolWorker& other = pool_.worker(i); &other != this && other.looks_busy())
        other.ask_to_share();
    must_stay = must_stay || pool_.has_shared() || pool_.is_ending();
  }
  if (!must_stay) wait_for_call();
  is_asleep_.store(0, std::memory_order_relaxed);
  pool_.notice_wake();
  return !pool_.remove_idle(*this);
}

/// What its own timers make ready later belongs to the workers, if one of them can run it.
bool PoolWorker::sleep_until_relief() {
  if (!pool_.is_ending()) wait_for_call();
  is_asleep_.store(0, std::memory_order_relaxed);
  pool_.notice_wake();
  const job_list due = timers_.fire(monotonic_ns());
  if (!due.empty()) pool_.share(due);
  return false;
}

/// Until wake() or the first timer.
void PoolWorker::wait_for_call() {
  if (drive()) return;
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

/// Handlers of events may take long: they run outside the runtime, as a job does.
void PoolWorker::poll(std::uint64_t now) {
  if (!pool_.begin_to_drive(*this)) return;
  driven_ns_ = now;
  leave(nullptr);
  if (detail::driver* const driver = pool_.driver()) driver->poll();
  pool_.end_driving(*this);
  enter();
  wait_for_revocation();
}

/// As wait_for_call(), in the driver. False: another worker is there, or there is none.
bool PoolWorker::drive() {
  if (!pool_.begin_to_drive(*this)) return false;
  is_driving_.store(true, std::memory_order_seq_cst);
  detail::driver* const driver = pool_.driver();
  if (driver != nullptr && is_asleep_.load(std::memory_order_seq_cst) == 1) {
    const std::uint64_t now = monotonic_ns();
    const std::uint64_t due = timers_.earliest();
    driver->wait(due == TimerQueue::kNever ? due : due - std::min(due, now));
  }
  is_driving_.store(false, std::memory_order_relaxed);
  pool_.end_driving(*this);
  return true;
}

void PoolWorker::wake() {
  if (is_asleep_.exchange(0, std::memory_order_seq_cst) != 1) return;
  detail::driver* const driver = is_driving_.load(std::memory_order_seq_cst) ? pool_.driver() : nullptr;
  if (driver != nullptr)
    driver->interrupt();
  else
    futex_wake_one(is_asleep_);
}

job_list PoolWorker::bereave(part taken) {
  if (!can_barrier_all_threads()) return {};
  if ((attention_.fetch_or(detail::kRevoked, std::memory_order_acq_rel) & detail::kRevoked) != 0)
    return {};
  barrier_on_all_threads();
  job_list jobs;
  if (running_.load(std::memory_order_acquire) != inside())
    jobs = taken == part::half ? half() : all();
  attention_.fetch_and(~std::uint32_t{detail::kRevoked}, std::memory_order_release);
  if (!jobs.empty()) counts_.taken_over.fetch_add(1, std::memory_order_relaxed);
  return jobs;
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
  if (given.empty()) return;
  counts_.shared.fetch_add(1, std::memory_order_relaxed);
  pool_.share(given);
}

job_list PoolWorker::all() {
  job_list jobs = ready_.take();
  while (!forks_.empty()) jobs.push(forks_.pop_oldest());
  return jobs;
}

bool PoolWorker::chance(unsigned one_in) {
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  return random_ % one_in == 0;
}

void PoolWorker::shuffle() {
  while (!ready_.empty() && !chance(3)) ready_.push(ready_.pop());
  if (!forks_.empty() && chance(3)) ready_.push(forks_.pop_oldest());
  if (pool_.threads() == 1) return;
  if (chance(4)) share_some();
  if (chance(16)) (void)::sched_yield();
}

job* PoolWorker::yield_slowly(job* self) {
  wait_for_revocation();
  if (random_ != 0) shuffle();
  if (ticks_ <= 0) tick();
  // Forks are taken newest first; a task that yields waits for all of them.
  while (!forks_.empty()) ready_.push(forks_.pop_oldest());
  if (pool_.has_shared()) ready_.append(pool_.take_shared());
  ready_.push(self);
  job* const next = ready_.pop();
  serve();
  return begin(next);
}

job* PoolWorker::next_slowly() {
  wait_for_revocation();
  if (random_ != 0) shuffle();
  if (ticks_ <= 0) tick();
  job* const next = take();
  if (next == nullptr) return nullptr;
  serve();
  return begin(next);
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
  add_steps();
  set_ticks(now);
  note_mode(now);
  if (now - driven_ns_ >= kPollNs) poll(now);
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

/// At least one, so that whoever looks sees that the worker has been here.
void PoolWorker::add_steps() {
  counts_.steps.fetch_add(static_cast<std::uint64_t>(std::max(1, tick_span_ - std::max(ticks_, 0))),
                          std::memory_order_relaxed);
}

void PoolWorker::note_mode(std::uint64_t now) {
  constexpr std::uint64_t kOften = 1'000'000;
  if (!is_guided_.load(std::memory_order_relaxed) || now - mode_noted_ns_ < kOften) return;
  mode_noted_ns_ = now;
  mode_.store(morpheus_get_mode(), std::memory_order_relaxed);
}

/// The kernel wants the CPU: first everything that waits here, or is due here, becomes available to
/// others; then the answer; then the CPU is given up.
void PoolWorker::answer_kernel() {
  // The watch's way of asking: only other tasks of this worker want to run.
  const bool is_kernel = __atomic_load_n(&morpheus_here.seen, __ATOMIC_RELAXED) !=
                             ~__atomic_load_n(morpheus_here.seq, __ATOMIC_RELAXED) ||
                         mode_.load(std::memory_order_relaxed) == MORPHEUS_DEFENSIVE;
  if (is_kernel && pool_.size() > 1) hand_over();
  const morpheus_answer answer = morpheus_answer_hint(morpheus_here);
  __atomic_store_n(&morpheus_here.seq, answer.next.seq, __ATOMIC_RELAXED);
  __atomic_store_n(&morpheus_here.seen, answer.next.seen, __ATOMIC_RELAXED);
  if (is_guided_.load(std::memory_order_relaxed)) note_hints();
  if (answer.asked) morpheus_yield();
}

void PoolWorker::hand_over() {
  ready_.append(timers_.fire(monotonic_ns()));
  const job_list jobs = all();
  if (jobs.empty()) return;
  counts_.handed_over.fetch_add(1, std::memory_order_relaxed);
  pool_.share(jobs);
}

void PoolWorker::hand_over_here() {
  auto& self = static_cast<PoolWorker&>(*detail::here);
  if (self.pool_.size() == 1) return;
  job* const running = self.enter();
  self.wait_for_revocation();
  self.hand_over();
  self.leave(running);
}

void PoolWorker::note_hints() {
  morpheus_stats now{};
  (void)morpheus_get_stats(&now);
  counts_.hints.store(now.hints, std::memory_order_relaxed);
  counts_.yields.store(now.yields + 1, std::memory_order_relaxed);
  mode_.store(morpheus_get_mode(), std::memory_order_relaxed);
}

void PoolWorker::ask_to_give_way() {
  morpheus_safepoint* const here = safe_point_.load(std::memory_order_acquire);
  if (here == nullptr) return;
  const std::uint64_t* const seq = __atomic_load_n(&here->seq, __ATOMIC_RELAXED);
  __atomic_store_n(&here->seen, ~__atomic_load_n(seq, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
}

job* PoolWorker::give_way(job* self) {
  enter();
  wait_for_revocation();
  if (morpheus_asked_here()) answer_kernel();
  return yield_slowly(self);
}

worker_stats PoolWorker::stats() const {
  const auto read = [](const auto& count) { return count.load(std::memory_order_relaxed); };
  return {.worker = index_,
          .is_guided = read(is_guided_),
          .mode = read(mode_),
          .steps = read(counts_.steps),
          .sleeps = read(counts_.sleeps),
          .shared = read(counts_.shared),
          .handed_over = read(counts_.handed_over),
          .taken_over = read(counts_.taken_over),
          .hints = read(counts_.hints),
          .yields = read(counts_.yields)};
}

void PoolWorker::trace(bool is_on) {
  if (is_on)
    attention_.fetch_or(detail::kTraced, std::memory_order_release);
  else
    attention_.fetch_and(~std::uint32_t{detail::kTraced}, std::memory_order_release);
}

PoolWorker::Sight PoolWorker::sight() const {
  job* const running = running_.load(std::memory_order_acquire);
  return {running == inside() ? nullptr : running, counts_.steps.load(std::memory_order_relaxed)};
}

morpheus_guidance PoolWorker::guidance() const {
  const ThreadWorker* const worker = thread_worker_.load(std::memory_order_acquire);
  return worker == nullptr ? morpheus_guidance{} : worker->guidance();
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
