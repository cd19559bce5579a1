// SPDX-License-Identifier: GPL-2.0-only
// Forks that are joined by the task that forked. The hot path, where no other thread takes a fork,
// uses no atomic read-modify-write: a child that ends and finds its only unfinished sibling on top
// of this thread's stack lets the sibling return straight to the parent.
#pragma once

#include <morpheus/detail/promise.hpp>

#include <atomic>
#include <coroutine>
#include <cstddef>

namespace morpheus::detail {

/// In the parent's frame, from start() until the parent is resumed. A child that fails stops the
/// others.
class fork_block final : public stop_context {
 public:
  fork_block() noexcept : stop_context(&fork_block::on_end, stop_kind::fork) {}
  /// Starts the first of `count` > 0 suspended tasks and forks the others. Returns what to resume.
  [[nodiscard]] std::coroutine_handle<> start(std::coroutine_handle<> parent, job* const* children,
                                              std::size_t count) noexcept {
    runner& mine = *here;
    parent_ = job_of(parent);
    resume_in_ = mine.where();
    unfinished_.store(count, std::memory_order_relaxed);
    for (std::size_t i = 0; i < count; ++i) promise_of(children[i]).complete_at_end(*this);
    // Once a fork can be taken, the parent may go on, and end, elsewhere: this object may be gone.
    job* const first = children[0];
    if (!MORPHEUS_LIKELY(mine.fork(children, count))) mine.fork_slowly(children, count);
    return mine.transfer(first);
  }

  /// The parent goes on, once.
  void ended() noexcept {
    if (!MORPHEUS_LIKELY(!is_entered())) end_slots();
  }
  [[nodiscard]] job* parent() const noexcept { return parent_; }
  /// For stop_context: a child has failed, and stops the others.
  void note_failure(job* child) noexcept {
    if (!has_failed_.exchange(true, std::memory_order_relaxed)) first_failed_ = child;
    stop();
  }
  /// The child that failed before all others. Null if none did, but maybe the last.
  [[nodiscard]] job* first_failed() const noexcept {
    return has_failed_.load(std::memory_order_relaxed) ? first_failed_ : nullptr;
  }

 private:
  static job* on_end(completion& self, job*) noexcept {
    auto& block = static_cast<fork_block&>(self);
    job* const sibling = block.take_sibling();
    return MORPHEUS_LIKELY(sibling != nullptr) ? sibling : block.end_slowly();
  }
  MORPHEUS_COLD void end_slots() noexcept {
    task_stop::withdraw(parent_);
    free_slots();
  }
  [[nodiscard]] job* take_sibling() noexcept {
    job* const sibling =
        here->unfork([this](job* fork) { return promise_of(fork).completes(*this); });
    if (!MORPHEUS_LIKELY(sibling != nullptr)) return nullptr;
    // Two unfinished: the one that ends and the one in hand. No other thread counts any more.
    // Once one has failed, the other stays a task of this context, whose stop reaches it.
    if (MORPHEUS_LIKELY(unfinished_.load(std::memory_order_acquire) == 2 && !is_stopped()))
      promise_of(sibling).resume_at_end(parent_);
    else
      unfinished_.fetch_sub(1, std::memory_order_acq_rel);
    return sibling;
  }

  [[gnu::noinline]] job* end_slowly() noexcept {
    here->unfork_slowly();
    if (job* const sibling = take_sibling()) return sibling;
    here->unfork_slowly();
    if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) != 1) return nullptr;
    return resume_or_schedule(parent_, resume_in_);
  }

  job* parent_ = nullptr;
  lane* resume_in_ = nullptr;
  std::atomic<std::size_t> unfinished_{0};
  std::atomic<bool> has_failed_{false};
  job* first_failed_;  // if so
};

}  // namespace morpheus::detail
