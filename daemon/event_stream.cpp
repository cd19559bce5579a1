// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/event_stream.hpp"

#include <algorithm>
#include <utility>

namespace morpheus::daemon {

void Subscription::push(const nlohmann::json& event) {
  if (events_.size() < capacity_)
    events_.push_back(event);
  else
    ++dropped_;
}

nlohmann::json Subscription::take(std::size_t most) {
  auto events = nlohmann::json::array();
  for (; !events_.empty() && events.size() < most; events_.pop_front())
    events.push_back(std::move(events_.front()));
  return {{"events", std::move(events)}, {"dropped", std::exchange(dropped_, 0)}};
}

std::shared_ptr<Subscription> EventStream::subscribe(std::size_t capacity, bool runs) {
  auto subscription = std::make_shared<Subscription>(capacity, runs);
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

void EventStream::publish(const nlohmann::json& event, bool is_run) {
  for (const auto& weak : subscriptions_)
    if (const auto subscription = weak.lock(); subscription && (!is_run || subscription->wants_runs()))
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
