// SPDX-License-Identifier: GPL-2.0-only
// A bounded channel between tasks.
#pragma once

#include <morpheus/detail/wait_queue.hpp>

#include <atomic>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>

namespace morpheus {

/// Carries values from any number of senders to any number of receivers, in order, and holds up to
/// `capacity` of them; with capacity 0 a send waits for its receiver. Senders and receivers are
/// served in the order in which they came. try_send(), try_receive() and close() on any thread.
/// Must outlive the waits and the senders.
template <class T>
class channel : detail::wait_queue {
 public:
  explicit channel(std::size_t capacity) : capacity_(capacity) {}

  class sender;
  /// One of those whose last one closes the channel: see sender. Any thread.
  [[nodiscard]] sender make_sender() noexcept { return sender(*this); }

  /// False if the channel is closed or full (then `value` is left alone).
  [[nodiscard]] bool try_send(T&& value) {
    detail::waiter* receiver = nullptr;
    bool is_taken = false;
    {
      const std::scoped_lock guard(lock);
      is_taken = !is_closed_ && give(value, receiver);
    }
    if (receiver != nullptr) receiver->resume();
    return is_taken;
  }
  /// Nothing if the channel is empty.
  [[nodiscard]] std::optional<T> try_receive() {
    detail::waiter* woken = nullptr;
    std::optional<T> value;
    {
      const std::scoped_lock guard(lock);
      value = take(woken);
    }
    if (woken != nullptr) woken->resume();
    return value;
  }
  /// No more values: sends that wait fail; receivers get the values that are left, then nothing.
  void close() {
    detail::released_waiters waiting;
    {
      const std::scoped_lock guard(lock);
      is_closed_ = true;
      waiting = pop_all();
    }
    waiting.resume();
  }

  class [[nodiscard]] send_awaiter : public detail::waits<send_awaiter> {
   public:
    static constexpr bool kMustUse = true;
    send_awaiter(channel& source, T value)
        : detail::waits<send_awaiter>(source), value_(std::move(value)) {}
    [[nodiscard, gnu::always_inline]] bool take_locked(detail::waiter*& woken) {
      channel& to = *static_cast<channel*>(this->queue);
      if (to.is_closed_) return true;
      is_taken_ = to.give(value_, woken);
      if (!is_taken_) to.senders_wait_ = true;
      return is_taken_;
    }
    [[nodiscard]] bool result() const noexcept { return is_taken_; }

   private:
    friend channel;
    T value_;
    bool is_taken_ = false;
  };

  class [[nodiscard]] receive_awaiter : public detail::waits<receive_awaiter> {
   public:
    static constexpr bool kMustUse = true;
    explicit receive_awaiter(channel& source) noexcept : detail::waits<receive_awaiter>(source) {}
    [[nodiscard, gnu::always_inline]] bool take_locked(detail::waiter*& woken) {
      channel& from = *static_cast<channel*>(this->queue);
      if (from.senders_wait_ || !from.values_.empty()) value_ = from.take(woken);
      if (value_ || from.is_closed_) return true;
      from.senders_wait_ = false;
      return false;
    }
    [[nodiscard]] std::optional<T> result() { return std::move(value_); }

   private:
    friend channel;
    std::optional<T> value_;
  };

  /// `bool sent = co_await channel.send(value)` waits for room. False: the channel is closed, and
  /// the value is gone.
  [[nodiscard]] send_awaiter send(T value) { return send_awaiter(*this, std::move(value)); }
  /// A stop request of `stop` ends the wait, too; the value is then not sent.
  [[nodiscard]] detail::stoppable<send_awaiter> send(T value, std::stop_token stop) {
    return detail::stoppable<send_awaiter>(std::move(stop), *this, std::move(value));
  }
  /// `std::optional<T> value = co_await channel.receive()` waits for a value or the end.
  [[nodiscard]] receive_awaiter receive() noexcept { return receive_awaiter(*this); }
  /// A stop request of `stop` ends the wait, too.
  [[nodiscard]] detail::stoppable<receive_awaiter> receive(std::stop_token stop) {
    return detail::stoppable<receive_awaiter>(std::move(stop), *this);
  }

  /// Sends to a channel, and counts: when the last one goes, copies included, the channel is closed
  /// as by close(), so its receivers end after the values that are left. Give each producer its
  /// own; make the first before the receivers begin. One that was moved from must not be used. For
  /// one thread at a time; copies on any thread.
  class [[nodiscard]] sender {
   public:
    sender(const sender& other) noexcept : to_(other.to_) { count(); }
    sender(sender&& other) noexcept : to_(std::exchange(other.to_, nullptr)) {}
    sender& operator=(sender other) noexcept {
      std::swap(to_, other.to_);
      return *this;
    }
    ~sender() {
      if (to_ != nullptr && to_->counted_.fetch_sub(1, std::memory_order_acq_rel) == 1)
        to_->close();
    }

    /// As channel::send() and try_send().
    [[nodiscard]] send_awaiter send(T value) { return to_->send(std::move(value)); }
    [[nodiscard]] detail::stoppable<send_awaiter> send(T value, std::stop_token stop) {
      return to_->send(std::move(value), std::move(stop));
    }
    [[nodiscard]] bool try_send(T&& value) { return to_->try_send(std::move(value)); }

   private:
    friend channel;
    explicit sender(channel& to) noexcept : to_(&to) { count(); }
    void count() const noexcept {
      if (to_ != nullptr) to_->counted_.fetch_add(1, std::memory_order_relaxed);
    }
    channel* to_;
  };

 private:
  // All under the lock. Senders wait, or receivers, or neither. Inlined, with take_locked(), where
  // the lock is taken: `woken` then stays in a register, which makes a message an eighth cheaper.

  [[nodiscard, gnu::always_inline]] bool give(T& value, detail::waiter*& woken) {
    if (!senders_wait_) {
      woken = pop();
      if (woken != nullptr) {
        static_cast<receive_awaiter*>(woken)->value_.emplace(std::move(value));
        return true;
      }
    }
    if (values_.size() >= capacity_) return false;
    values_.push_back(std::move(value));
    return true;
  }

  [[nodiscard]] std::optional<T> take(detail::waiter*& woken) {
    std::optional<T> value;
    if (senders_wait_) woken = pop();
    auto* const from = static_cast<send_awaiter*>(woken);
    if (from != nullptr) from->is_taken_ = true;
    if (!values_.empty()) {
      value.emplace(std::move(values_.front()));
      values_.pop_front();
      if (from != nullptr) values_.push_back(std::move(from->value_));
    } else if (from != nullptr) {
      value.emplace(std::move(from->value_));
    }
    return value;
  }

  const std::size_t capacity_;
  std::deque<T> values_;
  bool is_closed_ = false;
  bool senders_wait_ = false;            // the waiters in the queue are senders
  std::atomic<std::size_t> counted_{0};  // class sender
};

}  // namespace morpheus
