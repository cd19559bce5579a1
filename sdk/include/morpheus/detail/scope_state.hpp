// SPDX-License-Identifier: GPL-2.0-only
// How many tasks a scope has, which task waits for them, and how they failed.
#pragma once

#include <morpheus/detail/promise.hpp>
#include <morpheus/error.hpp>

#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>

namespace morpheus::detail {

/// Ends the program: says `why`, and what the exception is that is on its way, if one is.
[[noreturn]] MORPHEUS_API MORPHEUS_COLD void end_program(const char* why) noexcept;

class scope_state final : public stop_context {
 public:
  scope_state() : stop_context(&scope_state::on_end, stop_kind::scope) {}
  scope_state(const scope_state&) = delete;
  scope_state& operator=(const scope_state&) = delete;
  ~scope_state() {
    outer_.reset();
    free_slots();
    if (has_children_.load(std::memory_order_relaxed))
      end_program("a scope was destroyed before its tasks were joined (see with_scope())");
  }

  /// Becomes the owner of a task; returns what to queue.
  [[nodiscard]] job* adopt(job* child) noexcept {
    has_children_.store(true, std::memory_order_relaxed);
    unfinished_.fetch_add(1, std::memory_order_relaxed);
    promise_of(child).complete_at_end(*this);
    return child;
  }
  /// The same, but its frame is kept when it ends: it belongs to the scope's owner.
  [[nodiscard]] job* adopt_body(job* body) noexcept {
    body_ = body;
    return adopt(body);
  }

  [[nodiscard]] bool is_alone() const noexcept {
    return unfinished_.load(std::memory_order_acquire) == 1;
  }
  /// The owner is resumed once it is alone. False: it is alone now. Throws std::bad_alloc.
  [[nodiscard]] bool wait(job* owner) {
    resume_in_ = here->where();
    // A stop of the owner stops the tasks; the owner waits on for their end.
    const bool may_wait = task_stop::begin_wait(owner, published());
    owner_ = owner;
    if (!may_wait) request_stop();
    return unfinished_.fetch_add(kJoining - 1, std::memory_order_acq_rel) != 1;
  }
  /// The owner goes on. Throws what its tasks threw, or `cancelled` if the owner is asked to stop.
  void joined() {
    has_children_.store(false, std::memory_order_relaxed);
    bool is_asked_to_stop = false;
    if (job* const owner = std::exchange(owner_, nullptr)) {
      is_asked_to_stop = task_stop::withdraw(owner);
      unfinished_.store(1, std::memory_order_relaxed);
    }
    if (!MORPHEUS_LIKELY(!is_asked_to_stop)) request_stop();
    failures_.throw_all();
    if (!MORPHEUS_LIKELY(!is_asked_to_stop)) throw cancelled();
  }

  /// For stop_context: a task has failed, and stops the others, unless it was only `cancelled`.
  void note_failure(job* child) noexcept {
    bool has_failed = false;
    {
      const std::scoped_lock guard(failures_lock_);
      failures_.add(promise_of(child).error());
      has_failed = !failures_.empty();
    }
    if (has_failed) request_stop();
  }
  /// For stop_context, under a lock: what is around has been stopped while the owner waits, or is
  /// about to. Queues what stops the token, as one task more; if none is left, the owner does it.
  void stopped_from_around() noexcept {
    {
      const std::scoped_lock guard(token_lock_);
      if (!token_.stop_possible()) return;
    }
    std::size_t seen = unfinished_.load(std::memory_order_acquire);
    do {
      if (seen == kJoining) return;
    } while (!unfinished_.compare_exchange_weak(seen, seen + 1, std::memory_order_acq_rel));
    schedule(&token_stop_, resume_in_);
  }
  /// Any thread. Runs the callbacks of the token.
  void request_stop() noexcept {
    stop();
    stop_token_holders();
  }
  /// Is stopped with the scope.
  [[nodiscard]] std::stop_token stop_token() {
    std::stop_token token;
    {
      const std::scoped_lock guard(token_lock_);
      if (!token_.stop_possible()) token_ = std::stop_source();
      token = token_.get_token();
    }
    if (is_stopped()) stop_token_holders();
    return token;
  }
  void stop_with(std::stop_token outer) { outer_.emplace(std::move(outer), pass_on{this}); }

 private:
  /// What the token calls is the user's code: after a stop from around the scope it runs here.
  struct token_stop final : job {
    explicit token_stop(scope_state& of) noexcept
        : job{&token_stop::run, nullptr, nullptr}, scope(of) {}
    static void run(void* memory) {
      scope_state& scope = static_cast<token_stop*>(static_cast<job*>(memory))->scope;
      scope.stop_token_holders();
      if (scope.is_last()) schedule(scope.owner_, scope.resume_in_);
    }
    scope_state& scope;
  };
  void stop_token_holders() noexcept {
    std::stop_source source(std::nostopstate);
    {
      const std::scoped_lock guard(token_lock_);
      source = token_;
    }
    source.request_stop();
  }
  struct pass_on {
    scope_state* scope;
    void operator()() const noexcept { scope->request_stop(); }
  };

  static job* on_end(completion& self, job* child) noexcept {
    return static_cast<scope_state&>(self).child_ended(child);
  }
  job* child_ended(job* child) noexcept {
    if (MORPHEUS_LIKELY(child != body_)) handle_of(child).destroy();
    return is_last() ? resume_or_schedule(owner_, resume_in_) : nullptr;
  }
  /// One task has ended: whether the owner waits for no other. If not, the scope may be gone.
  [[nodiscard]] bool is_last() noexcept {
    return unfinished_.fetch_sub(1, std::memory_order_acq_rel) == kJoining + 1;
  }
  static constexpr std::size_t kJoining = ~(~std::size_t{0} >> 1);

  // The tasks, and one for the owner, which becomes kJoining while it waits for them.
  std::atomic<std::size_t> unfinished_{1};
  job* owner_ = nullptr;
  job* body_ = nullptr;
  lane* resume_in_ = nullptr;
  std::atomic<bool> has_children_{false};  // since the last join
  spin_lock failures_lock_;
  spin_lock token_lock_;
  failure_list failures_;
  std::stop_source token_{std::nostopstate};  // made when a token is asked for
  token_stop token_stop_{*this};
  std::optional<std::stop_callback<pass_on>> outer_;
};

}  // namespace morpheus::detail
