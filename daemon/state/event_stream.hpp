// SPDX-License-Identifier: GPL-2.0-only
// Events on their way to subscribers. Each subscriber has a bounded queue: one that reads too
// slowly loses events and learns how many.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "daemon/kernel/kernel_side.hpp"
#include "daemon/state/subscription.hpp"

namespace morpheus::daemon {

/// An event as it waits. It becomes JSON, ten times its size, only when it is sent.
struct PublishedEvent {
  morpheus_event event{};
  pid_t tid = 0;  ///< of the worker; 0 if it is gone
};

/// An event as io.morpheus.Control shows it. Pure.
[[nodiscard]] nlohmann::json to_json(const PublishedEvent& published);

/// One subscriber's queue.
class EventSubscription final : public Subscription {
 public:
  /// `runs`: it also wants each worker's every run.
  EventSubscription(std::size_t capacity, bool runs) : capacity_(capacity), wants_runs_(runs) {}

  /// Queues an event, or counts it as dropped if the queue is full.
  void push(const PublishedEvent& event);
  /// The parameters of the next Subscribe reply: up to `most` events, and how many were dropped
  /// since the last one.
  [[nodiscard]] nlohmann::json take(std::size_t most) override;
  [[nodiscard]] bool empty() const override { return events_.empty() && dropped_ == 0; }
  [[nodiscard]] bool wants_runs() const { return wants_runs_; }

 private:
  std::size_t capacity_;
  bool wants_runs_;
  std::deque<PublishedEvent> events_;
  std::uint64_t dropped_ = 0;
};

class EventStream {
 public:
  /// The subscription ends when the returned pointer goes.
  [[nodiscard]] std::shared_ptr<EventSubscription> subscribe(std::size_t capacity,
                                                             bool runs = false);
  /// The most that any subscriber wants; `own` without subscribers.
  [[nodiscard]] EventDetail wanted();
  /// A single run (MORPHEUS_TRACE_EVENTS) goes only to subscribers that want runs.
  void publish(const PublishedEvent& event);
  /// Wakes all subscribers; after a batch of publish().
  void wake_all();

 private:
  std::vector<std::weak_ptr<EventSubscription>> subscriptions_;
};

}  // namespace morpheus::daemon
