// SPDX-License-Identifier: GPL-2.0-only
// Watches over the host while our own scheduler runs it, as rtkit's canary does: an ordinary
// thread, the canary, sings when it is asked to, on one CPU after the other. The watchdog, which
// asks, is a real-time thread, out of our scheduler's reach. If the canary gets no CPU to sing on,
// neither do the host's other threads.
#pragma once

#include <semaphore.h>
#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <thread>

#include "proto/result.hpp"

namespace morpheus::daemon {

class Canary {
 public:
  struct Options {
    /// How long without a song until the alarm; four milliseconds more for each runnable thread.
    std::chrono::milliseconds starved{3000};
    bool real_time = true;  ///< false only for tests without the privilege to be real-time
  };

  /// Why start() would fail: no right to be real-time. Tries it in a thread of its own.
  [[nodiscard]] static std::optional<Error> denial();
  /// Begins to watch. At the alarm, which comes once, has_alarm() becomes true, `alarm_fd` (an
  /// eventfd, borrowed) becomes readable, and the watchdog's thread calls `rescue`. Fails without
  /// the right to be real-time.
  [[nodiscard]] static Result<std::unique_ptr<Canary>> start(const Options& options, int alarm_fd,
                                                             std::function<void()> rescue);
  /// Ends both threads and waits for them: do it when normal threads get CPU.
  ~Canary();
  Canary(const Canary&) = delete;
  Canary& operator=(const Canary&) = delete;

  [[nodiscard]] bool has_alarm() const { return alarm_; }
  [[nodiscard]] std::chrono::milliseconds starved() const { return options_.starved; }
  /// The ordinary thread, for tests.
  [[nodiscard]] pid_t singer() const { return singer_tid_; }

 private:
  Canary(const Options& options, int alarm_fd, std::function<void()> rescue);
  void sing();
  void watch();
  [[nodiscard]] bool stopped_within(std::chrono::nanoseconds time);
  void move_singer();

  const Options options_;
  const int alarm_fd_;
  const std::function<void()> rescue_;
  std::atomic<std::uint32_t> asked_{0}, sung_{0};
  std::atomic<bool> alarm_{false}, ending_{false};
  std::atomic<pid_t> singer_tid_{0};
  sem_t stop_{};
  cpu_set_t allowed_{};
  int cpu_ = -1;  // the singer is bound to it
  std::thread singer_, watchdog_;
};

}  // namespace morpheus::daemon
