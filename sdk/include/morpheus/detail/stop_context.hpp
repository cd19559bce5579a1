// SPDX-License-Identifier: GPL-2.0-only
// How a stop finds the tasks that wait. A task that waits publishes what it waits in, with plain
// stores, in a slot of its stop context: its scope, its fork, or whatever else runs it and is told
// when it ends. A stop marks the context and goes through its slots; a context within is in a slot,
// too. So a stop needs no registration for each wait. It costs a barrier on all threads instead
// (membarrier(2)): after that, a task that goes on sees the mark before it touches its wait again.
// Where the kernel has no such barrier, every context is careful from its first wait on: each wait
// then passes a fence of its own.
#pragma once

#include <morpheus/detail/job.hpp>
#include <morpheus/detail/spin_lock.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace morpheus::detail {

/// What happens when a task ends, if it is more than the resumption of one coroutine.
class completion {
 public:
  using handler = job* (*)(completion& self, job* ended) noexcept;
  explicit constexpr completion(handler on_end) noexcept : done_(on_end) {}
  completion(const completion&) = delete;
  completion& operator=(const completion&) = delete;
  /// Returns what to run next; null: any job that is ready.
  [[nodiscard]] job* done(job* ended) noexcept { return done_(*this, ended); }

 private:
  handler done_;
};

/// What a task waits in, as its slot has it: null, or the address of one of these with its tag.
using published_wait = std::uintptr_t;
inline constexpr published_wait kWaitsInQueue = 0;    ///< a waiter; see wait_queue.hpp
inline constexpr published_wait kWaitsInTarget = 1;   ///< a stop_target
inline constexpr published_wait kWaitsInContext = 2;  ///< a stop_context: for its tasks
inline constexpr published_wait kWaitTags = 3;
using wait_slot = std::atomic<published_wait>;

/// A wait that a stop ends. stop() is called once at most, on any thread, under a spin lock: it may
/// resume the task or queue a job, and runs no code but the library's own.
class stop_target {
 public:
  using handler = void (*)(stop_target& self) noexcept;
  explicit constexpr stop_target(handler on_stop) noexcept : stop_(on_stop) {}
  void stop() noexcept { stop_(*this); }
  [[nodiscard]] published_wait published() noexcept {
    return reinterpret_cast<published_wait>(this) | kWaitsInTarget;
  }

 private:
  handler stop_;
};

/// Of which kind a context is: how many tasks it has, and what is around it. Those with one task
/// keep its slot themselves; the tasks of others get one each when they first wait.
enum class stop_kind : std::uint8_t {
  scope,    ///< any number; its owner publishes it when it joins
  fork,     ///< any number; published as the wait of its parent when a task first waits
  timeout,  ///< one; published likewise
  shield,   ///< one; nothing is around
  root,     ///< one; its runtime lists it when it first waits
};

struct wait_slots;
class stop_batch;

/// The tasks that stop together.
class stop_context : public completion {
 public:
  /// Asks all tasks to stop: ends their waits, now and in future. Any thread.
  MORPHEUS_API MORPHEUS_COLD void stop() noexcept;
  [[nodiscard]] bool is_stopped() const noexcept { return (marks() & kStopped) != 0; }
  /// 0: the tasks have to do nothing but to publish their waits.
  [[nodiscard]] std::uint8_t marks() const noexcept {
    return marks_.load(std::memory_order_acquire);
  }
  static constexpr std::uint8_t kNew = 1;      ///< no task has waited
  static constexpr std::uint8_t kCareful = 2;  ///< each wait passes a fence
  static constexpr std::uint8_t kStopped = 4;
  static constexpr std::uint8_t kSettled = 8;  ///< the stop touches it and its tasks no more
  /// Whether a task has waited: what is around the context knows it, as far as there is something.
  [[nodiscard]] bool is_entered() const noexcept { return (marks() & kNew) == 0; }

  /// A task is about to wait: what is around the context hears of it. Under no lock. Throws
  /// std::bad_alloc.
  MORPHEUS_API MORPHEUS_COLD void enter();
  /// After a wait was published, with marks: whether the task is not asked to stop.
  [[nodiscard]] MORPHEUS_API MORPHEUS_COLD bool may_wait() const noexcept;
  /// After a wait was withdrawn, with marks: returns when no stop looks at it any more.
  /// Whether the task is asked to stop.
  [[nodiscard]] MORPHEUS_API MORPHEUS_COLD bool has_withdrawn() noexcept;

  [[nodiscard]] wait_slot& lone_slot() noexcept { return slot_; }
  /// Of a context for many tasks: one more slot. Throws std::bad_alloc.
  [[nodiscard]] MORPHEUS_API MORPHEUS_COLD wait_slot& add_slot();
  /// A task has ended with an exception; done() follows.
  void note_failure(job* ended) noexcept;
  /// A task has ended that had a slot of its own.
  static void free_slot(wait_slot& slot) noexcept;

  [[nodiscard]] published_wait published() noexcept {
    return reinterpret_cast<published_wait>(this) | kWaitsInContext;
  }

 protected:
  stop_context(handler on_end, stop_kind kind) noexcept : completion(on_end), kind_(kind) {}
  ~stop_context() = default;
  /// Of a context for many tasks, before it ends.
  void free_slots() noexcept {
    if (!MORPHEUS_LIKELY(slots() == nullptr)) free_slots_slowly();
  }

 private:
  friend stop_batch;
  [[nodiscard]] bool is_lone() const noexcept { return kind_ >= stop_kind::timeout; }
  /// Of a context for many tasks: the newest first, which alone may have room.
  [[nodiscard]] wait_slots* slots() const noexcept {
    return reinterpret_cast<wait_slots*>(slot_.load(std::memory_order_relaxed));
  }

  std::uint8_t add_marks(std::uint8_t more) noexcept;
  /// Whether the stop has to go through its slots: no other one does.
  [[nodiscard]] bool mark_stopped() noexcept;
  static void stop_marked(stop_context* newest) noexcept;
  void stop_waits(stop_context*& newest) noexcept;
  static void stop_wait(wait_slot& slot, stop_context*& newest) noexcept;
  [[nodiscard]] bool publish();
  MORPHEUS_API MORPHEUS_COLD void free_slots_slowly() noexcept;

  std::atomic<std::uint8_t> marks_{kNew};
  const stop_kind kind_;
  spin_lock lock_;               ///< of the slots
  spin_lock entry_lock_;         ///< while it is published; never taken by a stop
  wait_slot slot_{0};            ///< of its one task; or the address of slots()
  stop_context* marked_before_;  ///< while it is stopped: another one, by the same stop
};

/// Contexts that stop together, at the cost of one barrier. They must not go meanwhile.
class stop_batch {
 public:
  /// Marks it: its tasks begin no wait any more.
  MORPHEUS_API MORPHEUS_COLD void add(stop_context& stopped) noexcept;
  /// Ends the waits of all that were added.
  MORPHEUS_API MORPHEUS_COLD void stop() noexcept;

 private:
  stop_context* newest_ = nullptr;
};

/// Slots of one context, aligned to their size, so that each of them leads to its context.
struct wait_slots {
  static constexpr std::size_t kSize = 512;
  static constexpr std::size_t kCount = (kSize - 5 * sizeof(void*)) / sizeof(wait_slot);
  static constexpr published_wait kFree =
      3;  ///< the tag of a free slot, with the next one's address

  stop_context* owner;
  wait_slots* next;    ///< which was filled before
  wait_slots* unused;  ///< the next one of the same allocation, until it is used
  wait_slot* free;     ///< of tasks that have ended; a list; of the newest only
  std::uint32_t used;
  bool is_first;                    ///< in its allocation
  std::atomic<std::uint8_t> marks;  ///< a copy of the owner's, at hand
  wait_slot slots[kCount];

  [[nodiscard]] static wait_slots& of(wait_slot& slot) noexcept {
    return *reinterpret_cast<wait_slots*>(reinterpret_cast<std::uintptr_t>(&slot) & ~(kSize - 1));
  }
};

}  // namespace morpheus::detail
