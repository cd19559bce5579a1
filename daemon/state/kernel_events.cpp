// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/state/kernel_events.hpp"

#include <vector>

namespace morpheus::daemon {

Result<std::shared_ptr<Subscription>> KernelEvents::subscribe(uid_t uid, bool runs) {
  auto charge = charge_subscriber(uid);
  if (!charge) return tl::unexpected(charge.error());
  auto subscription = stream_.subscribe(limits_.subscriber_events, runs);
  subscription->charge = std::move(*charge);
  kernel_.want_events(stream_.wanted());
  return subscription;
}

Result<std::unique_ptr<Charge>> KernelEvents::charge_subscriber(uid_t uid) {
  auto charge = std::make_unique<Charge>(accounts_, uid, Resource::subscribers);
  if (auto charged = charge->resize(1); !charged) return tl::unexpected(charged.error());
  return charge;
}

Result<std::shared_ptr<Subscription>> KernelEvents::watch_blame(BlameViewer viewer) {
  auto charge = charge_subscriber(viewer.uid);
  if (!charge) return tl::unexpected(charge.error());
  auto subscription = blame_.subscribe(viewer);
  if (subscription) (*subscription)->charge = std::move(*charge);
  return subscription;
}

void KernelEvents::drain() {
  const auto wanted = stream_.wanted();
  kernel_.want_events(wanted);
  blame_.forget_the_gone();
  std::vector<morpheus_event> exits;
  kernel_.drain_events([&](const morpheus_event& event) {
    on_event(event, wanted);
    if (event.type == MORPHEUS_EVENT_EXIT) exits.push_back(event);
  });
  // after drain_events(), because this changes the kernel's worker table
  for (const auto& event : exits) clients_.thread_exited(event.slot, event.generation);
  if (wanted != EventDetail::own) stream_.wake_all();
  blame_.wake_all();
}

void KernelEvents::on_event(const morpheus_event& event, EventDetail wanted) {
  if (event.type == MORPHEUS_EVENT_ACKNOWLEDGED) {
    ack_latency_.add(event.value_ns);
    morpheus_count_time(&ack_times_, event.value_ns);
  }
  if (wanted == EventDetail::own) return;
  const WorkerEntry* worker = clients_.find(event.slot, event.generation);
  stream_.publish({event, worker == nullptr ? 0 : worker->tid});
}

}  // namespace morpheus::daemon
