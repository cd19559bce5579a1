// SPDX-License-Identifier: GPL-2.0-only
// Forks that are joined by the one that forked. The hot path, where nobody takes a fork away, uses no
// atomic read-modify-write: a child that ends and finds its only unfinished sibling on top of this
// worker's stack lets it return straight to the parent.
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
  // Nothing has started yet where it is copied: awaiters are moved before they are awaited.
  fork_block(const fork_block&) noexcept : fork_block() {}

  /// Starts the first of `count` > 0 suspended tasks and forks the others. Returns what to resume.
  [[nodiscard]] std::coroutine_handle<> start(std::coroutine_handle<> parent, job* const* children,
                                              std::size_t count) noexcept {
    parent_ = job_of(parent);
    resume_in_ = here->where();
    unfinished_.store(count, std::memory_order_relaxed);
    for (std::size_t i = count; i-- > 0;) {
      promise_of(children[i]).complete_at_end(*this);
      if (i != 0) here->fork(children[i]);
    }
    return here->transfer(children[0]);
  }

 private:
  static job* on_end(completion& self, job*) noexcept {
    return static_cast<fork_block&>(self).child_ended();
  }

  job* child_ended() noexcept {
    job* const sibling =
        here->unfork([this](job* fork) { return promise_of(fork).completes(*this); });
    if (sibling == nullptr) {
      if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) != 1) return nullptr;
      return resume_or_schedule(parent_, resume_in_);
    }
    // Two unfinished: the one that ends and the one in hand. Nobody else counts any more.
    if (unfinished_.load(std::memory_order_acquire) == 2)
      promise_of(sibling).resume_at_end(parent_);
    else
      unfinished_.fetch_sub(1, std::memory_order_acq_rel);
    return sibling;
  }

  job* parent_ = nullptr;
  lane* resume_in_ = nullptr;
  std::atomic<std::size_t> unfinished_{0};
};

}  // namespace morpheus::detail
