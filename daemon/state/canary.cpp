// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/state/canary.hpp"

#include <sched.h>
#include <time.h>
#include <unistd.h>

#include <fstream>
#include <future>
#include <string>
#include <system_error>
#include <utility>

namespace morpheus::daemon {
namespace {

// The watchdog counts its own looks, not time: while a host stands still (a paused virtual machine)
// no thread starves.
constexpr unsigned kLooks = 8;
// above ordinary real-time threads, below the kernel's own at 99
constexpr int kPriority = 90;

// How long a turn of each runnable thread may take before the canary's (a tick): in a crowd it
// waits for all.
constexpr std::chrono::nanoseconds kTurn = std::chrono::milliseconds(4);

/// How many threads are runnable, on all CPUs.
unsigned runnable_threads() {
  std::ifstream file("/proc/stat");
  for (std::string word; file >> word;)
    if (unsigned count = 0; word == "procs_running" && file >> count) return count;
  return 0;
}

int become_real_time() {
  const sched_param parameters{.sched_priority = kPriority};
  return ::sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &parameters) == 0 ? 0 : errno;
}

Error denied(int error) {
  return {
      "its canary needs a real-time thread, which it may not have here: allow it by LimitRTPRIO=99 "
      "in the unit or by CAP_SYS_NICE (in a container SYS_NICE), or do without it "
      "(canary.starved_ms 0)",
      error};
}

}  // namespace

std::optional<Error> Canary::denial() {
  int error = 0;
  try {
    std::thread([&] { error = become_real_time(); }).join();
  } catch (const std::system_error& failed) {
    error = failed.code().value();
  }
  if (error == 0) return std::nullopt;
  return denied(error);
}

Canary::Canary(const Options& options, int alarm_fd, std::function<void()> rescue)
    : options_(options), alarm_fd_(alarm_fd), rescue_(std::move(rescue)) {
  ::sem_init(&stop_, 0, 0);
  ::sched_getaffinity(0, sizeof(allowed_), &allowed_);
}

Result<std::unique_ptr<Canary>> Canary::start(const Options& options, int alarm_fd,
                                              std::function<void()> rescue) {
  std::unique_ptr<Canary> canary(new Canary(options, alarm_fd, std::move(rescue)));
  std::promise<int> started;
  auto outcome = started.get_future();
  int error = 0;
  try {
    canary->singer_ = std::thread([&self = *canary] { self.sing(); });
    canary->watchdog_ = std::thread([&self = *canary, &started] {
      const int denied = self.options_.real_time ? become_real_time() : 0;
      started.set_value(denied);
      if (denied == 0) self.watch();
    });
    error = outcome.get();
  } catch (const std::system_error& failed) {
    error = failed.code().value();
  }
  if (error != 0) return tl::unexpected(denied(error));
  return canary;
}

Canary::~Canary() {
  ending_ = true;
  ::sem_post(&stop_);
  if (watchdog_.joinable()) watchdog_.join();
  ++asked_;
  asked_.notify_one();
  if (singer_.joinable()) singer_.join();
  ::sem_destroy(&stop_);
}

void Canary::sing() {
  singer_tid_ = ::gettid();
  for (std::uint32_t sung = 0; !ending_; sung = asked_) {
    sung_ = sung;
    asked_.wait(sung);
  }
}

void Canary::watch() {
  const std::chrono::nanoseconds period = options_.starved / kLooks;
  unsigned silent = 0;
  while (!stopped_within(period)) {
    if (sung_ == asked_) {
      silent = 0;
      move_singer();
      ++asked_;
      asked_.notify_one();
      continue;
    }
    ++silent;
    if (silent >= kLooks && silent >= kLooks + runnable_threads() * kTurn / period) {
      alarm_ = true;
      const std::uint64_t one = 1;
      (void)!::write(alarm_fd_, &one, sizeof(one));
      rescue_();
      return;
    }
  }
}

bool Canary::stopped_within(std::chrono::nanoseconds time) {
  timespec until{};
  ::clock_gettime(CLOCK_MONOTONIC, &until);
  const long long ns = until.tv_nsec + time.count();
  until.tv_sec += ns / 1'000'000'000;
  until.tv_nsec = ns % 1'000'000'000;
  while (::sem_clockwait(&stop_, CLOCK_MONOTONIC, &until) != 0)
    if (errno != EINTR) return false;
  return true;
}

// One CPU alone may starve its threads. A singer that cannot be moved sings where it is.
void Canary::move_singer() {
  for (int i = 1; i <= CPU_SETSIZE; ++i) {
    const int next = (cpu_ + i) % CPU_SETSIZE;
    if (!CPU_ISSET(next, &allowed_)) continue;
    cpu_ = next;
    break;
  }
  if (cpu_ < 0 || singer_tid_ == 0) return;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(cpu_, &one);
  (void)::sched_setaffinity(singer_tid_, sizeof(one), &one);
}

}  // namespace morpheus::daemon
