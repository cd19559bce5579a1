// SPDX-License-Identifier: GPL-2.0-only
// A task that is stopped at a deadline.
#pragma once

#include <morpheus/detail/promise.hpp>
#include <morpheus/detail/timer.hpp>

#include <atomic>
#include <coroutine>

namespace morpheus::detail {

/// In the parent's frame, from start() until the parent is resumed.
class timeout_block final : public stop_context {
 public:
  explicit timeout_block(std::uint64_t deadline_ns) noexcept
      : stop_context(&timeout_block::on_end, stop_kind::timeout), expiry_(*this, deadline_ns) {}

  /// Starts a suspended task. Returns what to resume. Throws std::bad_alloc.
  [[nodiscard]] std::coroutine_handle<> start(std::coroutine_handle<> parent, job* child) {
    parent_ = job_of(parent);
    resume_in_ = here->where();
    promise_of(child).complete_alone_at_end(*this);
    expiry_.timer_.prepare();
    (void)expiry_.timer_.start(&expiry_);
    return here->transfer(child);
  }
  /// The parent goes on. Whether it is asked to stop, as far as the task has found out.
  [[nodiscard]] bool ended() noexcept { return is_entered() && task_stop::withdraw(parent_); }
  [[nodiscard]] job* parent() const noexcept { return parent_; }
  [[nodiscard]] bool has_expired() const noexcept { return expiry_.has_run_; }

 private:
  /// What runs at the deadline.
  struct expiry final : job {
    expiry(timeout_block& self, std::uint64_t deadline_ns) noexcept
        : job{&expiry::run, nullptr, nullptr}, block_(self), timer_(deadline_ns) {}
    static void run(void* memory) {
      auto& self = *static_cast<expiry*>(static_cast<job*>(memory));
      self.has_run_ = true;
      timeout_block& block = self.block_;
      block.stop();
      if (block.unfinished_.fetch_sub(1, std::memory_order_acq_rel) == 1)
        schedule(block.parent_, block.resume_in_);
    }
    timeout_block& block_;
    timer timer_;
    bool has_run_ = false;
  };

  static job* on_end(completion& self, job*) noexcept {
    auto& block = static_cast<timeout_block&>(self);
    if (!block.expiry_.timer_.cancel() &&
        block.unfinished_.fetch_sub(1, std::memory_order_acq_rel) != 1)
      return nullptr;
    return resume_or_schedule(block.parent_, block.resume_in_);
  }

  job* parent_ = nullptr;
  lane* resume_in_ = nullptr;
  expiry expiry_;
  std::atomic<int> unfinished_{2};  // the task, and what runs at the deadline if it does
};

/// A task that no stop reaches.
class shield_block final : public stop_context {
 public:
  shield_block() noexcept : stop_context(&shield_block::on_end, stop_kind::shield) {}
  [[nodiscard]] std::coroutine_handle<> start(std::coroutine_handle<> parent, job* child) noexcept {
    parent_ = job_of(parent);
    resume_in_ = here->where();
    promise_of(child).complete_alone_at_end(*this);
    return here->transfer(child);
  }

 private:
  static job* on_end(completion& self, job*) noexcept {
    auto& block = static_cast<shield_block&>(self);
    return resume_or_schedule(block.parent_, block.resume_in_);
  }
  job* parent_ = nullptr;
  lane* resume_in_ = nullptr;
};

}  // namespace morpheus::detail
