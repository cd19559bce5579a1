// SPDX-License-Identifier: GPL-2.0-only
// A source of events beside a runtime: the runtime's threads wait in it instead of sleeping, and it
// queues jobs in the runtime. Either may end first.
#pragma once

#include <morpheus/detail/export.h>
#include <morpheus/detail/runner.hpp>

#include <atomic>
#include <cstdint>

namespace morpheus {
class runtime;
}
namespace morpheus::sdk {
class Guests;
}

namespace morpheus::detail {

/// Lets a thread of no runtime wait until a task has made a step. Stays where it is until then.
class step_end final : public job {
 public:
  step_end() noexcept : job{&step_end::run, nullptr, nullptr} {}
  void wait() const noexcept { is_over_.wait(false, std::memory_order_acquire); }

 private:
  static void run(void* self) {
    auto& is_over = static_cast<step_end*>(static_cast<job*>(self))->is_over_;
    is_over.store(true, std::memory_order_release);
    is_over.notify_one();
  }
  std::atomic<bool> is_over_{false};
};
/// Runs `next` on this thread of a runtime, not before the running task waits or ends.
MORPHEUS_API void after_this_step(job& next) noexcept;

/// Any thread of the runtime may call poll() or wait(), even while another is in one of them.
class driver {
 public:
  static constexpr std::uint64_t kForever = ~std::uint64_t{0};

  driver(const driver&) = delete;
  driver& operator=(const driver&) = delete;

  /// Handles what has happened, without waiting.
  virtual void poll() noexcept = 0;
  /// Waits for the first event, at most for `span_ns` or for ever, and handles it.
  virtual void wait(std::uint64_t span_ns) noexcept = 0;
  /// Ends a wait() that goes on or comes next. Any thread.
  virtual void interrupt() noexcept = 0;

  /// From now on, or no longer, the runtime's threads do so: one driver at a time. While a runtime
  /// ends and has none, its threads go back to the last one. Throws std::logic_error if there is
  /// another one. rest() returns when no thread is in it.
  MORPHEUS_API void drive();
  MORPHEUS_API void rest() noexcept;

  /// Queues `ready` in the runtime. False: the runtime has ended. Any thread.
  [[nodiscard]] bool post(job* ready) noexcept {
    lane* const where = lane_.load(std::memory_order_relaxed);
    if (where == nullptr || here->where() != where) return post_elsewhere(ready);
    here->push(ready);
    return true;
  }
  /// Whether it belongs to `on`, which has not ended.
  [[nodiscard]] bool belongs_to(runtime& on) const noexcept {
    return runtime_.load(std::memory_order_acquire) == &on;
  }

 protected:
  MORPHEUS_API explicit driver(runtime& on);
  virtual ~driver() = default;
  /// Before it is destroyed: lets go of the runtime.
  MORPHEUS_API void leave() noexcept;

 private:
  friend sdk::Guests;
  [[nodiscard]] MORPHEUS_API bool post_elsewhere(job* ready) noexcept;

  std::atomic<runtime*> runtime_;     // null: it has ended
  std::atomic<lane*> lane_;           // the same
  std::atomic<unsigned> posting_{0};  // threads that may still use lane_
  sdk::Guests* guests_ = nullptr;     // under the lock of all guests
};

}  // namespace morpheus::detail
