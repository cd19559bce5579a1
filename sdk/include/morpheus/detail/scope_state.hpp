// SPDX-License-Identifier: GPL-2.0-only
// How many tasks a scope has, which task waits for them, and the first exception of one.
#pragma once

#include <morpheus/detail/promise.hpp>

#include <atomic>
#include <cstddef>
#include <exception>
#include <optional>
#include <stop_token>
#include <utility>

namespace morpheus::detail {

class scope_state final : completion {
 public:
  scope_state() : completion(&scope_state::on_end) {}
  scope_state(const scope_state&) = delete;
  scope_state& operator=(const scope_state&) = delete;
  ~scope_state() {
    if (!is_alone()) std::terminate();  // tasks would go on in a scope that is gone
  }

  /// Becomes the owner of a task; returns what to queue.
  [[nodiscard]] job* adopt(job* child) noexcept {
    unfinished_.fetch_add(1, std::memory_order_relaxed);
    promise_of(child).complete_at_end(*this);
    return child;
  }

  [[nodiscard]] bool is_alone() const noexcept {
    return unfinished_.load(std::memory_order_acquire) == 1;
  }
  /// The owner is resumed once it is alone. False: it is alone now.
  [[nodiscard]] bool wait(job* owner) noexcept {
    owner_ = owner;
    resume_in_ = here->where();
    if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) != 1) return true;
    unfinished_.store(1, std::memory_order_relaxed);
    return false;
  }
  /// The owner goes on. Throws what a child threw.
  void joined() {
    if (!has_failed_.load(std::memory_order_relaxed)) return;
    has_failed_.store(false, std::memory_order_relaxed);
    std::rethrow_exception(std::exchange(failure_, nullptr));
  }

  [[nodiscard]] std::stop_token stop_token() const noexcept { return stop_.get_token(); }
  void request_stop() noexcept { stop_.request_stop(); }
  void stop_with(std::stop_token outer) { outer_.emplace(std::move(outer), pass_on{&stop_}); }

 private:
  struct pass_on {
    std::stop_source* stop;
    void operator()() const noexcept { stop->request_stop(); }
  };

  static job* on_end(completion& self, job* child) noexcept {
    return static_cast<scope_state&>(self).child_ended(child);
  }
  job* child_ended(job* child) noexcept {
    if (promise_of(child).has_failed()) note_failure(child);
    handle_of(child).destroy();
    if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) != 1) return nullptr;
    unfinished_.store(1, std::memory_order_relaxed);
    return resume_or_schedule(owner_, resume_in_);
  }
  void note_failure(job* child) noexcept {
    if (has_failed_.exchange(true, std::memory_order_relaxed)) return;
    failure_ = promise_of(child).error();
    stop_.request_stop();
  }

  std::atomic<std::size_t> unfinished_{1};  // the owner is one
  job* owner_ = nullptr;
  lane* resume_in_ = nullptr;
  std::atomic<bool> has_failed_{false};
  std::exception_ptr failure_;  // of the child that set has_failed_
  std::stop_source stop_;
  std::optional<std::stop_callback<pass_on>> outer_;
};

}  // namespace morpheus::detail
