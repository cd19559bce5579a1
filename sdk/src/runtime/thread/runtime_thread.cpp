// SPDX-License-Identifier: GPL-2.0-only
#include "sdk/src/runtime/thread/runtime_thread.hpp"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <system_error>
#include <utility>

#include "proto/monotonic_clock.hpp"
#include "sdk/src/client/this_thread.hpp"
#include "sdk/src/runtime/frames/this_runner.hpp"
#include "sdk/src/runtime/thread_pool.hpp"
#include "sdk/src/sync/cpu_relax.hpp"
#include "sdk/src/sync/futex.hpp"

namespace morpheus::sdk {

using detail::job;

namespace {

/// How long a worker without work asks the others for some before it sleeps.
constexpr std::uint64_t kSearchNs = 10'000;
/// How long it only watches first. Jobs that are through by then stay where they are: to hand one
/// over takes as long as several of them.
constexpr std::uint64_t kWatchNs = 5'000;

}  // namespace

RuntimeThread::RuntimeThread(ThreadPool& pool, unsigned index, bool is_relief)
    : pool_(pool), index_(index), is_relief_(is_relief) {
  lane_ = &pool.home();
  is_call_useful_ = &pool.is_call_useful();
  is_alone_ = pool.size() + pool.options().relief_threads == 1 && can_barrier_all_threads();
  if (pool.options().shuffle_seed == 0) return;
  random_ = (pool.options().shuffle_seed + index) * 0x9e3779b97f4a7c15U | 1U;
  attention_.store(detail::kShuffled, std::memory_order_relaxed);
}

std::string RuntimeThread::name() const {
  return pool_.options().name.substr(0, 11) + "/" + std::to_string(index_);
}

void RuntimeThread::start() {
  thread_ = std::thread([this] { run(); });
}

void RuntimeThread::run() {
  pthread_setname_np(pthread_self(), name().c_str());
  bind_to_cpu();
  detail::here = this;
  tid_.store(::gettid(), std::memory_order_release);
  const auto registered = registration();
  is_guided_.store(registered.has_value(), std::memory_order_relaxed);
  client_thread_.store(ThisThread::worker(), std::memory_order_release);
  safe_point_.store(&morpheus_here, std::memory_order_release);
  ThisThread::set_hand_over(&RuntimeThread::hand_over_here);
  while (job* ready = await_work()) {
    do {
      begin(ready);
      detail::handle_of(ready).resume();
      ready = std::exchange(handoff_, nullptr);
    } while (ready != nullptr);
  }
  leave(nullptr);
  ThisThread::set_hand_over(nullptr);
  client_thread_.store(nullptr, std::memory_order_release);
  safe_point_.store(nullptr, std::memory_order_release);
  detail::here = &ThisRunner::none();
  frames.give_back();
}

void RuntimeThread::bind_to_cpu() const {
  const auto& cpus = pool_.options().cpus;
  if (cpus.empty()) return;
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(static_cast<std::size_t>(cpus[index_ % cpus.size()]), &only);
  (void)::sched_setaffinity(0, sizeof only, &only);  // refused: the thread stays where it may be
}

/// Without one, hints do not come; everything else works.
std::optional<worker> RuntimeThread::registration() const {
  try {
    if (pool_.options().guided) return std::optional<worker>(std::in_place, pool_.options().worker);
  } catch (const std::system_error&) {
    // too many workers in this process
  }
  return std::nullopt;
}

/// The next job; null when the pool ends. Sleeps while there is none.
job* RuntimeThread::await_work() {
  bool is_searching = false;
  while (true) {
    enter();
    serve();
    tick();
    job* found = take();
    if (found == nullptr && pool_.is_ending()) return nullptr;
    if (found == nullptr) {
      const std::uint64_t span = search_span();
      is_searching = is_searching || (span > 0 && pool_.begin_search());
      if (is_searching) found = search(span);
    }
    if (found != nullptr) {
      if (is_searching) pool_.end_search();
      return found;
    }
    leave(nullptr);
    is_searching = sleep(is_searching);
  }
}

/// Looking for work takes CPU that others may want: not when the kernel has asked for it lately.
/// Then a worker sleeps until somebody shares.
std::uint64_t RuntimeThread::search_span() {
  if (is_relief_ || mode_.load(std::memory_order_relaxed) != MORPHEUS_DETERMINISTIC) return 0;
  const bool spins = pool_.may_spin() && pool_.driver() == nullptr;
  const std::uint64_t span = spins ? spin_.window(monotonic_ns()) : 0;
  return pool_.size() > 1 ? std::max(kSearchNs, span) : span;
}

/// Waits for what others post, and before long asks those that have work to share it; now and then,
/// and at last, it takes from those that did not answer.
job* RuntimeThread::search(std::uint64_t span_ns) {
  const std::uint64_t begun = monotonic_ns();
  std::uint64_t taken = begun;
  for (std::uint64_t now = begun;;) {
    const bool is_last = now - begun >= span_ns;
    const bool takes = is_last || now - taken >= kSearchNs;
    if (takes) taken = now;
    if (takes || random_ != 0 || now - begun >= kWatchNs) ask_others(takes);
    if (has_posted()) take_in();
    const bool is_due = timers_.earliest() <= now;
    if (is_due) fire_timers(now);
    job* const found = take();
    now = monotonic_ns();
    if (found != nullptr || is_last || pool_.is_ending()) {
      // A timer would have been in time without the search: sleeping until then is cheap.
      spin_.spend(now - begun, found != nullptr && !is_due);
      return found;
    }
    for (int i = 0; i < 16 && !has_posted(); ++i) cpu_relax();
  }
}

void RuntimeThread::ask_others(bool takes) {
  for (std::size_t i = 1; i < pool_.threads(); ++i) {
    RuntimeThread& other = pool_.worker((index_ + i) % pool_.threads());
    if (!other.looks_busy()) continue;
    if (takes || (random_ != 0 && chance(4)))
      (void)other.bereave(Part::half);
    else
      other.ask_to_share();
  }
}

/// True: another thread woke this one, which counts as searching now.
bool RuntimeThread::sleep(bool after_search) {
  is_asleep_.store(1, std::memory_order_seq_cst);  // before it looks whether anything was posted
  charged_ns_ = 0;
  counts_.sleeps.fetch_add(1, std::memory_order_relaxed);
  if (is_relief_) return sleep_until_relief();
  pool_.add_idle(*this, after_search);
  bool must_stay = has_posted() || pool_.is_ending();
  if (pool_.threads() > 1) {
    // A worker that pushed a job before it could see this one among the idle: its job is seen here.
    // It shares at its next step, which wakes this one.
    barrier_on_all_threads();
    for (std::size_t i = 0; i < pool_.threads(); ++i)
      if (RuntimeThread& other = pool_.worker(i); &other != this && other.looks_busy())
        other.ask_to_share();
    must_stay = must_stay || has_posted() || pool_.is_ending();
  }
  if (!must_stay) wait_for_call();
  is_asleep_.store(0, std::memory_order_relaxed);
  pool_.notice_wake();
  return !pool_.remove_idle(*this);
}

/// What its own timers make ready later belongs to the workers, if one of them can run it.
bool RuntimeThread::sleep_until_relief() {
  if (!pool_.is_ending()) wait_for_call();
  is_asleep_.store(0, std::memory_order_relaxed);
  pool_.notice_wake();
  if (bereave_timers(monotonic_ns())) pool_.call_one();
  return false;
}

/// Until wake() or the first timer, its own or of one that it stands in for.
void RuntimeThread::wait_for_call() {
  RuntimeThread* const other = stands_in_for_.exchange(nullptr, std::memory_order_acquire);
  std::uint64_t deadline = timers_.earliest();
  if (other != nullptr && other->is_away())
    deadline = std::min(deadline, other->timers_.earliest());
  if (!drive(deadline)) sleep_until(deadline);
  if (other != nullptr && other->is_away()) (void)other->bereave_timers(monotonic_ns());
}

void RuntimeThread::sleep_until(std::uint64_t deadline) {
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

/// As sleep_until(), in the driver. False: another worker is there, or there is none.
bool RuntimeThread::drive(std::uint64_t deadline) {
  if (!pool_.begin_to_drive(*this)) return false;
  is_driving_.store(true, std::memory_order_seq_cst);
  detail::driver* const driver = pool_.driver();
  if (driver != nullptr && is_asleep_.load(std::memory_order_seq_cst) == 1) {
    const std::uint64_t now = monotonic_ns();
    driver->wait(deadline == TimerQueue::kNever ? deadline : deadline - std::min(deadline, now));
  }
  is_driving_.store(false, std::memory_order_relaxed);
  pool_.end_driving(*this);
  return true;
}

}  // namespace morpheus::sdk
