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

/// In the parent's frame, from start() until the parent is resumed.
class fork_block final : public completion {
 public:
  fork_block() noexcept : completion(&fork_block::on_end) {}
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

 private:
  static job* on_end(completion& self, job*) noexcept {
    auto& block = static_cast<fork_block&>(self);
    job* const sibling = block.take_sibling();
    return MORPHEUS_LIKELY(sibling != nullptr) ? sibling : block.end_slowly();
  }

  [[nodiscard]] job* take_sibling() noexcept {
    job* const sibling =
        here->unfork([this](job* fork) { return promise_of(fork).completes(*this); });
    if (!MORPHEUS_LIKELY(sibling != nullptr)) return nullptr;
    // Two unfinished: the one that ends and the one in hand. No other thread counts any more.
    if (MORPHEUS_LIKELY(unfinished_.load(std::memory_order_acquire) == 2))
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
};

}  // namespace morpheus::detail
