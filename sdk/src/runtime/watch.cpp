// SPDX-License-Identifier: GPL-2.0-only
#include "sdk/src/runtime/watch.hpp"

#include <pthread.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>

#include "proto/monotonic_clock.hpp"
#include "sdk/src/runtime/frames/task_list.hpp"
#include "sdk/src/runtime/thread_pool.hpp"
#include "sdk/src/sync/futex.hpp"

namespace morpheus::sdk {
namespace {

constexpr std::uint64_t kLookNs = 2'000'000;
/// A worker that makes no step for so long, although it has the CPU, is held up.
constexpr std::uint64_t kHeldUpNs = 4'000'000;
/// So many looks at sleeping workers, and the watch sleeps, too.
constexpr int kLooksBeforeSleep = 25;

}  // namespace

Watch::Watch(ThreadPool& pool) : pool_(pool), seen_(pool.threads()) {
  thread_ = std::thread([this] { run(); });
}

void Watch::end() {
  is_ending_.store(1, std::memory_order_release);
  futex_wake_one(is_ending_);
  end_sleep();
  thread_.join();
}

void Watch::end_sleep() {
  if (is_dormant_.exchange(0, std::memory_order_acq_rel) != 0) futex_wake_one(is_dormant_);
}

void Watch::run() {
  pthread_setname_np(pthread_self(), "morpheus-watch");
  int quiet = 0;
  while (is_ending_.load(std::memory_order_acquire) == 0) {
    quiet = look() ? 0 : quiet + 1;
    if (quiet < kLooksBeforeSleep) {
      futex_wait(is_ending_, 0, monotonic_ns() + kLookNs);
      continue;
    }
    is_dormant_.store(1, std::memory_order_relaxed);
    barrier_on_all_threads();  // a worker that did not see it has woken: it is seen here
    const bool is_quiet = !look() && is_ending_.load(std::memory_order_acquire) == 0;
    while (is_quiet && is_dormant_.load(std::memory_order_acquire) != 0) futex_wait(is_dormant_, 1);
    is_dormant_.store(0, std::memory_order_relaxed);
    quiet = 0;
  }
}

/// Whether any worker is awake.
bool Watch::look() {
  const std::uint64_t now = monotonic_ns();
  bool anybody_awake = false;
  for (std::size_t i = 0; i < seen_.size(); ++i) {
    RuntimeThread& worker = pool_.worker(i);
    if (worker.is_asleep()) {
      seen_[i] = {};
      continue;
    }
    anybody_awake = true;
    look_at(worker, seen_[i], now);
  }
  // Whoever waited for events may be in a long task by now.
  if (anybody_awake && pool_.is_nobody_driving()) pool_.call_one();
  return anybody_awake;
}

void Watch::look_at(RuntimeThread& worker, Seen& seen, std::uint64_t now) {
  const RuntimeThread::Sight sight = worker.sight();
  const bool is_between_jobs = sight.running == nullptr && !sight.is_away;
  const bool has_stepped = sight != seen.sight || is_between_jobs;
  const morpheus_guidance line = worker.guidance();
  const bool is_off = seen.off_cpu.look(line.cpu_time_ns, line.wait_time_ns, has_stepped);
  if (has_stepped) {
    seen.sight = sight;
    seen.since_ns = now;
    seen.is_reported = false;
    if (pool_.options().stall_threshold.count() > 0) seen.times = times_of(worker.tid());
    return;
  }
  const std::uint64_t lasting = now - seen.since_ns;
  const bool has_others = worker.looks_waited_for() || worker.timers().earliest() <= now;
  if (has_others) {
    worker.ask_to_give_way();
    if (is_off || lasting >= kHeldUpNs) relieve(worker);
  }
  const auto threshold = static_cast<std::uint64_t>(pool_.options().stall_threshold.count());
  const bool stalls = threshold != 0 && lasting >= threshold && sight.running != nullptr;
  if (stalls && !seen.is_reported) report(worker, seen, now);
}

/// What waits behind a worker that makes no step goes to others, if there are others to run it.
void Watch::relieve(RuntimeThread& worker) {
  if (pool_.threads() == 1) return;
  pool_.release_driver(worker);
  const bool has_given = worker.bereave(RuntimeThread::Part::all);
  if (!worker.bereave_timers(monotonic_ns()) && !has_given) return;
  pool_.call_one();
  pool_.call_relief();
}

void Watch::report(RuntimeThread& worker, Seen& seen, std::uint64_t now) {
  seen.is_reported = true;
  const Times times = times_of(worker.tid());
  const std::uint64_t lasting = now - seen.since_ns;
  const std::uint64_t on_cpu = std::min(times.on_cpu - seen.times.on_cpu, lasting);
  std::uint64_t waiting = std::min(times.waiting - seen.times.waiting, lasting - on_cpu);
  // A wait that goes on is not in the account yet.
  if (times.is_runnable) waiting = lasting - on_cpu;
  const task_info task = describe_task(seen.sight.running);
  using std::chrono::nanoseconds;
  const stall told{.thread = worker.index(),
                   .task = task.name.empty() ? task.function : task.name,
                   .where = task.where,
                   .lasting = nanoseconds(lasting),
                   .on_cpu = nanoseconds(on_cpu),
                   .preempted = nanoseconds(waiting),
                   .blocked = nanoseconds(lasting - on_cpu - waiting)};
  if (pool_.options().on_stall)
    pool_.options().on_stall(told);
  else
    std::fprintf(stderr, "%s\n", to_string(told).c_str());
}

/// The kernel's own account, up to this moment; zeros where it keeps none.
Watch::Times Watch::times_of(int tid) {
  Times times;
  const std::string path = "/proc/self/task/" + std::to_string(tid) + "/schedstat";
  if (std::FILE* const file = std::fopen(path.c_str(), "re")) {
    unsigned long long on_cpu = 0;
    unsigned long long waiting = 0;
    if (std::fscanf(file, "%llu %llu", &on_cpu, &waiting) == 2) times = {on_cpu, waiting};
    std::fclose(file);
  }
  times.is_runnable = is_runnable(tid);
  return times;
}

/// By the letter after the name in /proc/TID/stat.
bool Watch::is_runnable(int tid) {
  const std::string path = "/proc/self/task/" + std::to_string(tid) + "/stat";
  std::FILE* const file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return false;
  char text[256] = "";
  const std::size_t got = std::fread(text, 1, sizeof text - 1, file);
  std::fclose(file);
  const std::string_view stat(text, got);
  const auto name_end = stat.rfind(')');
  return name_end != std::string_view::npos && stat.substr(name_end).starts_with(") R");
}

}  // namespace morpheus::sdk

namespace morpheus {

std::string to_string(const stall& told) {
  const auto ms = [](std::chrono::nanoseconds span) {
    return std::chrono::duration<double, std::milli>(span).count();
  };
  char text[512];
  std::snprintf(
      text, sizeof text,
      "morpheus: worker %u: task %s stalls for %.1f ms (%.1f ms on the CPU, %.1f ms preempted, "
      "%.1f ms blocked), last await %s:%u",
      told.thread, told.task.c_str(), ms(told.lasting), ms(told.on_cpu), ms(told.preempted),
      ms(told.blocked), told.where.file_name(), told.where.line());
  return text;
}

}  // namespace morpheus
