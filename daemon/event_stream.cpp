// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/event_stream.hpp"

#include <utility>

#include "daemon/names.hpp"

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
  return json;
}

void Subscription::push(const PublishedEvent& event) {
  if (events_.size() < capacity_)
    events_.push_back(event);
  else
    ++dropped_;
}

nlohmann::json Subscription::take(std::size_t most) {
  auto events = nlohmann::json::array();
  for (; !events_.empty() && events.size() < most; events_.pop_front())
    events.push_back(to_json(events_.front()));
  return {{"events", std::move(events)}, {"dropped", std::exchange(dropped_, 0)}};
}

std::shared_ptr<Subscription> EventStream::subscribe(std::size_t capacity) {
  auto subscription = std::make_shared<Subscription>(capacity);
  subscriptions_.push_back(subscription);
  return subscription;
}

bool EventStream::has_subscribers() {
  std::erase_if(subscriptions_, [](const auto& weak) { return weak.expired(); });
  return !subscriptions_.empty();
}

void EventStream::publish(const PublishedEvent& event) {
  for (const auto& weak : subscriptions_)
    if (const auto subscription = weak.lock()) subscription->push(event);
}

void EventStream::wake_all() {
  // a copy: a subscriber that is woken may find its peer gone and end
  const auto subscriptions = subscriptions_;
  for (const auto& weak : subscriptions)
    if (const auto subscription = weak.lock(); subscription && subscription->wake)
      subscription->wake();
}

}  // namespace morpheus::daemon
