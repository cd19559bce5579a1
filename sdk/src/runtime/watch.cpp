// SPDX-License-Identifier: GPL-2.0-only
#include "sdk/src/runtime/watch.hpp"

#include <pthread.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>

#include "proto/monotonic_clock.hpp"
#include "sdk/src/runtime/frames/frame_memory.hpp"
#include "sdk/src/runtime/frames/task_list.hpp"
#include "sdk/src/sync/futex.hpp"

namespace morpheus::sdk {
namespace {

constexpr std::uint64_t kLookNs = 2'000'000;
/// A thread that makes no step for so long, although it has the CPU, is held up.
constexpr std::uint64_t kHeldUpNs = 4'000'000;
/// After so many looks at sleeping threads the watch sleeps, too.
constexpr int kLooksBeforeSleep = 25;

}  // namespace

Watch::Watch(PoolState& pool, const Threads& threads)
    : pool_(pool), threads_(threads), seen_(threads.size()) {
  thread_ = std::thread([this] { run(); });
}

void Watch::end() {
  is_ending_.store(1, std::memory_order_release);
  futex_wake_one(is_ending_);
  pool_.watch_sleep.end();
  thread_.join();
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
    pool_.watch_sleep.begin();
    if (!look() && is_ending_.load(std::memory_order_acquire) == 0) pool_.watch_sleep.wait();
    pool_.watch_sleep.cancel();
    quiet = 0;
  }
}

/// Whether any thread is awake.
bool Watch::look() {
  const std::uint64_t now = monotonic_ns();
  bool is_any_awake = false;
  for (std::size_t i = 0; i < seen_.size(); ++i) {
    RuntimeThread& thread = *threads_[i];
    if (thread.sleeper().is_asleep()) {
      seen_[i] = {};
      continue;
    }
    is_any_awake = true;
    look_at(thread, seen_[i], now);
  }
  // The thread that waited for events may be in a long task by now.
  if (is_any_awake && pool_.driver_seat.is_free()) pool_.idle.call_one();
  return is_any_awake;
}

void Watch::look_at(RuntimeThread& thread, Seen& seen, std::uint64_t now) {
  const ThreadRunner::Sight sight = thread.sight();
  const bool is_between_jobs = sight.running == nullptr && !sight.is_away;
  const bool has_stepped = sight != seen.sight || is_between_jobs;
  const morpheus_guidance line = thread.guidance().kernel_line();
  const bool is_off = seen.off_cpu.look(line.cpu_time_ns, line.wait_time_ns, has_stepped);
  if (has_stepped) {
    seen.sight = sight;
    seen.since_ns = now;
    seen.is_reported = false;
    if (pool_.options.stall_threshold.count() > 0) seen.times = times_of(thread.tid());
    return;
  }
  const std::uint64_t lasting = now - seen.since_ns;
  const bool has_others = thread.looks_waited_for() || thread.timers().earliest() <= now;
  if (has_others) {
    thread.guidance().ask_to_give_way();
    if (is_off || lasting >= kHeldUpNs) relieve(thread);
  }
  const auto threshold = static_cast<std::uint64_t>(pool_.options.stall_threshold.count());
  const bool stalls = threshold != 0 && lasting >= threshold && sight.running != nullptr;
  if (stalls && !seen.is_reported) report(thread, seen, now);
}

/// What waits behind a thread that makes no step goes to others, if there are others to run it.
void Watch::relieve(RuntimeThread& thread) {
  if (threads_.size() == 1) return;
  pool_.driver_seat.release(thread.index());
  const bool has_given = thread.take_over(Part::all);
  if (!thread.take_over_timers(monotonic_ns()) && !has_given) return;
  pool_.idle.call_one();
  call_relief();
}

/// A relief thread runs what is shared, unless another thread can.
void Watch::call_relief() {
  if (pool_.idle.is_any_searching()) return;  // one has just been called
  for (const auto& thread : threads_)
    if (thread->is_relief() && thread->sleeper().is_asleep()) return thread->sleeper().wake();
}

void Watch::report(const RuntimeThread& thread, Seen& seen, std::uint64_t now) {
  seen.is_reported = true;
  const Times times = times_of(thread.tid());
  const std::uint64_t lasting = now - seen.since_ns;
  const std::uint64_t on_cpu = std::min(times.on_cpu - seen.times.on_cpu, lasting);
  std::uint64_t waiting = std::min(times.waiting - seen.times.waiting, lasting - on_cpu);
  // A wait that goes on is not in the account yet.
  if (times.is_runnable) waiting = lasting - on_cpu;
  task_info task{};
  FrameStore::instance().look_at(seen.sight.running,
                                 [&] { task = describe_task(seen.sight.running); });
  using std::chrono::nanoseconds;
  const stall found{.thread = thread.index(),
                    .task = task.name.empty() ? task.function : task.name,
                    .where = task.where,
                    .lasting = nanoseconds(lasting),
                    .on_cpu = nanoseconds(on_cpu),
                    .preempted = nanoseconds(waiting),
                    .blocked = nanoseconds(lasting - on_cpu - waiting)};
  if (pool_.options.on_stall)
    pool_.options.on_stall(found);
  else
    std::fprintf(stderr, "%s\n", to_string(found).c_str());
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

std::string to_string(const stall& found) {
  const auto ms = [](std::chrono::nanoseconds span) {
    return std::chrono::duration<double, std::milli>(span).count();
  };
  char text[512];
  std::snprintf(
      text, sizeof text,
      "morpheus: thread %u: task %s stalls for %.1f ms (%.1f ms on the CPU, %.1f ms preempted, "
      "%.1f ms blocked), last await %s:%u",
      found.thread, found.task.c_str(), ms(found.lasting), ms(found.on_cpu), ms(found.preempted),
      ms(found.blocked), found.where.file_name(), found.where.line());
  return text;
}

}  // namespace morpheus
