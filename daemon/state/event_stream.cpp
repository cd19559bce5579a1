// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/state/event_stream.hpp"

#include <algorithm>
#include <utility>

#include "daemon/config/names.hpp"
#include "proto/json.hpp"

namespace morpheus::daemon {

nlohmann::json to_json(const PublishedEvent& published) {
  const auto& event = published.event;
  nlohmann::json json{{"time_ns", event.time_ns},
                      {"type", event_type_name(event.type)},
                      {"worker_id", event.generation},
                      {"tid", published.tid},
                      {"cpu", event.cpu},
                      {"seq", event.seq},
                      {"value_ns", event.value_ns}};
  if (event.type == MORPHEUS_EVENT_HINT) json["reason"] = hint_reason_name(event.reason);
  if (event.type == MORPHEUS_EVENT_BLOCKED) json["reason"] = block_reason_name(event.reason);
  if (event.type == MORPHEUS_EVENT_ACKNOWLEDGED && event.reason != MORPHEUS_YIELD_NONE)
    json["reason"] = yield_reason_name(event.reason);
  if (event.type == MORPHEUS_EVENT_ESCALATED) json["reason"] = policy_name(event.reason);
  if (event.flags & MORPHEUS_FLAG_RUNNABLE) json["runnable"] = true;
  if (event.flags & MORPHEUS_FLAG_CRITICAL) json["critical"] = true;
  return json;
}

void EventSubscription::push(const PublishedEvent& event) {
  if (events_.size() < capacity_)
    events_.push_back(event);
  else
    ++dropped_;
}

nlohmann::json EventSubscription::take(std::size_t most) {
  auto events = nlohmann::json::array();
  for (; !events_.empty() && events.size() < most; events_.pop_front())
    events.push_back(to_json(events_.front()));
  return {{"events", std::move(events)}, {"dropped", std::exchange(dropped_, 0)}};
}

std::shared_ptr<EventSubscription> EventStream::subscribe(std::size_t capacity, bool runs) {
  auto subscription = std::make_shared<EventSubscription>(capacity, runs);
  subscriptions_.push_back(subscription);
  return subscription;
}

EventDetail EventStream::wanted() {
  std::erase_if(subscriptions_, [](const auto& weak) { return weak.expired(); });
  auto most = EventDetail::own;
  for (const auto& weak : subscriptions_)
    if (const auto subscription = weak.lock())
      most = std::max(most, subscription->wants_runs() ? EventDetail::runs : EventDetail::hints);
  return most;
}

void EventStream::publish(const PublishedEvent& event) {
  const bool is_run = (MORPHEUS_TRACE_EVENTS >> event.event.type & 1u) != 0;
  for (const auto& weak : subscriptions_)
    if (const auto subscription = weak.lock();
        subscription && (!is_run || subscription->wants_runs()))
      subscription->push(event);
}

void EventStream::wake_all() {
  // a copy: a subscriber that is woken may find its peer gone and end
  const auto subscriptions = subscriptions_;
  for (const auto& weak : subscriptions)
    if (const auto subscription = weak.lock(); subscription && subscription->wake)
      subscription->wake();
}

}  // namespace morpheus::daemon
