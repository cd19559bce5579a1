// SPDX-License-Identifier: GPL-2.0-only
#include "sdk/src/runtime/thread/runtime_thread.hpp"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "proto/monotonic_clock.hpp"
#include "sdk/src/client/this_thread.hpp"
#include "sdk/src/runtime/frames/this_runner.hpp"
#include "sdk/src/sync/futex.hpp"
#include "sdk/src/sync/race_detector.hpp"
#include "sdk/src/sync/spin.hpp"

namespace morpheus::sdk {

using detail::job;

namespace {

/// How long a thread without work asks the others for some before it sleeps.
constexpr std::uint64_t kSearchNs = 10'000;
/// How long it only watches first. Jobs that are done by then stay where they are: to hand one over
/// takes as long as several of them.
constexpr std::uint64_t kWatchNs = 5'000;

static_assert(TimerQueue::kNever == detail::driver::kForever);

}  // namespace

std::string RuntimeThread::name() const {
  return pool().options.name.substr(0, 11) + "/" + std::to_string(index());
}

thread_stats RuntimeThread::stats() const {
  const auto read = [](const auto& count) { return count.load(std::memory_order_relaxed); };
  return {.thread = index(),
          .is_guided = guidance().is_registered(),
          .mode = guidance().mode(),
          .steps = read(counts_.steps),
          .sleeps = read(counts_.sleeps),
          .shared = read(counts_.shared),
          .handed_over = read(counts_.handed_over),
          .taken_over = read(counts_.taken_over),
          .hints = guidance().hints(),
          .yields = guidance().yields()};
}

// --- Running

void RuntimeThread::start() {
  thread_ = std::thread([this] { run(); });
}

void RuntimeThread::run() {
  pthread_setname_np(pthread_self(), name().c_str());
  bind_to_cpu();
  detail::here = this;
  stack_end_ = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)) - kMostStack;
  tid_.store(::gettid(), std::memory_order_release);
  guidance().begin(pool().options);
  ThisThread::set_hand_over(&ThreadRunner::hand_over_here);
  while (job* ready = await_work()) {
    do {
      begin(ready);
      note_acquire(ready);
      detail::handle_of(ready).resume();
      ready = std::exchange(handoff_, nullptr);
    } while (ready != nullptr);
  }
  leave(nullptr);
  detail::here = &ThisRunner::none();
  frames.give_back();
  guidance().end();
}

void RuntimeThread::bind_to_cpu() const {
  const auto& cpus = pool().options.cpus;
  if (cpus.empty()) return;
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(static_cast<std::size_t>(cpus[index() % cpus.size()]), &only);
  (void)::sched_setaffinity(0, sizeof only, &only);  // refused: the thread stays where it may be
}

/// The next job; null when the runtime ends. Sleeps while there is none.
job* RuntimeThread::await_work() {
  bool is_searching = false;
  while (true) {
    enter();
    serve();
    tick();
    job* found = take();
    if (found == nullptr && pool().lifetime.is_ending()) return nullptr;
    if (found == nullptr) {
      const std::uint64_t span = search_span();
      is_searching = is_searching || (span > 0 && pool().idle.begin_search());
      if (is_searching) found = search(span);
    }
    if (found != nullptr) {
      if (is_searching) pool().end_search();
      return found;
    }
    leave(nullptr);
    is_searching = sleep(is_searching);
  }
}

// --- Looking for work

/// Looking for work takes CPU that others may want. If the kernel has hinted lately, the thread
/// sleeps instead until another one shares.
std::uint64_t RuntimeThread::search_span() {
  if (is_relief_ || guidance().mode() != MORPHEUS_DETERMINISTIC) return 0;
  const bool spins = pool().may_spin && pool().driver_seat.driver() == nullptr;
  const std::uint64_t span = spins ? spin_.window(monotonic_ns()) : 0;
  return pool().size > 1 ? std::max(kSearchNs, span) : span;
}

/// Waits for what others post, and before long asks those that have work to share it. Now and then,
/// and at last, takes work over from those that did not.
job* RuntimeThread::search(std::uint64_t span_ns) {
  const std::uint64_t begun = monotonic_ns();
  std::uint64_t taken = begun;
  for (std::uint64_t now = begun;;) {
    const bool is_last = now - begun >= span_ns;
    const bool takes = is_last || now - taken >= kSearchNs;
    if (takes) taken = now;
    if (takes || disorder().is_on() || now - begun >= kWatchNs) ask_others(takes);
    if (has_posted()) take_in();
    const bool is_due = timers().earliest() <= now;
    if (is_due) fire_timers(now);
    job* const found = take();
    now = monotonic_ns();
    if (found != nullptr || is_last || pool().lifetime.is_ending()) {
      // A timer would have been in time without the search: sleeping until then is cheap.
      spin_.spend(now - begun, found != nullptr && !is_due);
      return found;
    }
    for (int i = 0; i < 16 && !has_posted(); ++i) cpu_relax();
  }
}

void RuntimeThread::ask_others(bool takes) {
  for (std::size_t i = 1; i < peers().size(); ++i) {
    ThreadRunner& other = *peers()[(index() + i) % peers().size()];
    if (!other.looks_busy()) continue;
    if (takes || (disorder().is_on() && disorder().chance(4)))
      (void)other.take_over(Part::half);
    else
      other.ask_to_share();
  }
}

// --- Sleeping

/// True: another thread woke this one, which counts as searching now.
bool RuntimeThread::sleep(bool after_search) {
  sleeper().begin();
  stop_charging();
  counts_.sleeps.fetch_add(1, std::memory_order_relaxed);
  if (is_relief_) return sleep_until_relief();
  pool().idle.add(sleeper(), after_search);
  bool must_stay = has_posted() || pool().lifetime.is_ending();
  if (peers().size() > 1) {
    ask_all_to_share();
    must_stay = must_stay || has_posted() || pool().lifetime.is_ending();
  }
  if (!must_stay) wait_for_call();
  sleeper().end();
  pool().watch_sleep.notice_wake();
  return !pool().idle.remove(sleeper());
}

/// A thread that pushed a job before it could see this one among the idle: its job is seen here. It
/// shares at its next step, which wakes this one.
void RuntimeThread::ask_all_to_share() {
  barrier_on_all_threads();
  for (ThreadRunner* const other : peers())
    if (other != this && other->looks_busy()) other->ask_to_share();
}

/// What its own timers make ready later belongs to the other threads, if one of them can run it.
bool RuntimeThread::sleep_until_relief() {
  if (!pool().lifetime.is_ending()) wait_for_call();
  sleeper().end();
  pool().watch_sleep.notice_wake();
  if (take_over_timers(monotonic_ns())) pool().idle.call_one();
  return false;
}

/// Until another thread wakes this one, or the first timer is due: its own, or one that it keeps
/// for a thread that is away.
void RuntimeThread::wait_for_call() {
  ThreadRunner* const absent = take_absent();
  std::uint64_t deadline = timers().earliest();
  if (absent != nullptr && absent->is_away())
    deadline = std::min(deadline, absent->timers().earliest());
  sleeper().sleep(deadline);
  if (absent != nullptr && absent->is_away()) (void)absent->take_over_timers(monotonic_ns());
}

}  // namespace morpheus::sdk
