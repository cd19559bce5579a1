// SPDX-License-Identifier: GPL-2.0-only
// What a thread of a runtime runs: anything that begins as a coroutine frame does. GCC and Clang
// place two function pointers there and the promise behind them. So a suspended coroutine is a job
// as it stands, and code that is no coroutine can be a job, too. Queueing one allocates nothing.
#pragma once

#include <morpheus/detail/export.h>

#include <coroutine>
#include <cstddef>
#include <cstdint>

// Symmetric transfer is a tail call. Clang always makes one. GCC does so as an optimisation that
// some flags leave out (-Og, -O1, -fno-optimize-sibling-calls), which no macro tells: there a chain
// of transfers returns to the thread's loop now and then, so that the stack stays small either way.
// Without any optimisation and under sanitizers each transfer returns to the loop, which resumes
// the next coroutine. A program may define the macro itself, in all of its files alike.
#define MORPHEUS_TAIL_CALLS_NEVER 0
#define MORPHEUS_TAIL_CALLS_ALWAYS 1
#define MORPHEUS_TAIL_CALLS_MAYBE 2
#ifndef MORPHEUS_TAIL_CALLS
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define MORPHEUS_TAIL_CALLS MORPHEUS_TAIL_CALLS_NEVER
#elif defined(__clang__)
#define MORPHEUS_TAIL_CALLS MORPHEUS_TAIL_CALLS_ALWAYS
#elif defined(__OPTIMIZE__)
#define MORPHEUS_TAIL_CALLS MORPHEUS_TAIL_CALLS_MAYBE
#else
#define MORPHEUS_TAIL_CALLS MORPHEUS_TAIL_CALLS_NEVER
#endif
#endif

namespace morpheus::detail {

struct [[gnu::may_alias]] job {
  void (*resume)(void*);
  void (*destroy)(void*);
  job* next;  ///< while it is queued
};

/// Where the promise of a coroutine begins.
inline constexpr std::size_t kPromiseOffset = offsetof(job, next);

[[nodiscard]] inline job* job_of(std::coroutine_handle<> handle) noexcept {
  return static_cast<job*>(handle.address());
}
[[nodiscard]] inline std::coroutine_handle<> handle_of(job* ready) noexcept {
  return std::coroutine_handle<>::from_address(ready);
}

/// A first-in, first-out list of jobs. For one thread at a time; any thread may call empty().
class job_list {
 public:
  [[nodiscard]] bool empty() const noexcept { return first() == nullptr; }
  [[nodiscard]] job* first() const noexcept { return __atomic_load_n(&head_, __ATOMIC_RELAXED); }
  [[nodiscard]] job* last() const noexcept { return tail_; }

  void push(job* item) noexcept {
    item->next = nullptr;
    MORPHEUS_NOTE_RELEASE(item);  // another thread may take it over
    join(item, item);
  }
  [[nodiscard]] job* pop() noexcept {
    job* const item = first();
    if (item == nullptr) return nullptr;
    MORPHEUS_NOTE_ACQUIRE(item);
    set_first(item->next);
    return item;
  }
  /// Takes the first and queues `item` instead; the list must not be empty.
  [[nodiscard]] job* rotate(job* item) noexcept {
    item->next = nullptr;
    MORPHEUS_NOTE_ACQUIRE(tail_);
    tail_->next = item;
    MORPHEUS_NOTE_RELEASE(item);
    MORPHEUS_NOTE_RELEASE(tail_);
    tail_ = item;
    job* const taken = first();
    MORPHEUS_NOTE_ACQUIRE(taken);
    set_first(taken->next);
    return taken;
  }
  void append(const job_list& other) noexcept {
    if (!other.empty()) join(other.first(), other.tail_);
  }
  /// Takes the whole list.
  [[nodiscard]] job_list take() noexcept {
    const job_list all = *this;
    set_first(nullptr);
    return all;
  }
  /// Takes the first half, rounded up, looking at no more than `most` jobs.
  [[nodiscard]] job_list take_half(std::size_t most) noexcept;

 private:
  void set_first(job* item) noexcept { __atomic_store_n(&head_, item, __ATOMIC_RELAXED); }
  void join(job* from, job* to) noexcept {
    if (empty()) {
      set_first(from);
    } else {
      MORPHEUS_NOTE_ACQUIRE(tail_);
      tail_->next = from;
      MORPHEUS_NOTE_RELEASE(tail_);
    }
    tail_ = to;
  }

  job* head_ = nullptr;
  job* tail_ = nullptr;
};

inline job_list job_list::take_half(std::size_t most) noexcept {
  job_list half;
  job* end = first();
  if (end == nullptr) return half;
  std::size_t steps = 0;
  for (job* fast = end->next; fast != nullptr && fast->next != nullptr && steps < most; ++steps) {
    fast = fast->next->next;
    end = end->next;
  }
  half.head_ = first();
  half.tail_ = end;
  set_first(end->next);
  end->next = nullptr;
  return half;
}

}  // namespace morpheus::detail
