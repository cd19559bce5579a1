// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/state/clients.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <numeric>

namespace morpheus::daemon {

void WorkerTotals::add(const morpheus_worker_record& worker) {
  for (std::size_t i = 0; i < hints_by_reason.size(); ++i)
    if (i != MORPHEUS_HINT_DEADLINE) hints_by_reason[i] += worker.hints[i];
  last_calls += worker.hints[MORPHEUS_HINT_DEADLINE];
  for (std::size_t i = 0; i < blocked_by_reason.size(); ++i)
    blocked_by_reason[i] += worker.blocked[i];
  cpu_time_ns += worker.cpu_time_ns;
  wait_time_ns += worker.wait_time_ns;
  hints += morpheus_hints_given(&worker);
  acknowledged += worker.acknowledged;
  withdrawn += worker.withdrawn;
  lost += worker.lost;
  deferrals += worker.deferrals;
  overruns += worker.overruns;
  escalations += worker.escalations;
  throttles += worker.throttles;
  blocked +=
      std::accumulate(std::begin(worker.blocked), std::end(worker.blocked), std::uint64_t{0});
}

Clients::Clients(KernelSide& kernel, const ConfigLimits& limits, Accounts& accounts)
    : kernel_(kernel),
      limits_(limits),
      accounts_(accounts),
      exits_(::epoll_create1(EPOLL_CLOEXEC)) {}

Result<Client*> Clients::attach(const Peer& peer, std::string name, std::uint32_t workers) {
  if (workers > limits_.workers_per_client)
    return fail_quota({"workers_per_client", limits_.workers_per_client});
  const auto bytes = ClientLines::bytes_for(workers);
  if (const auto checked = accounts_.check(peer.uid, Resource::memory, bytes); !checked)
    return tl::unexpected(checked.error());
  auto lines = kernel_.make_lines(workers);
  if (!lines) return tl::unexpected(lines.error());
  auto client = std::make_unique<Client>();
  client->id = ++last_client_id_;
  client->pid = peer.pid;
  client->uid = peer.uid;
  client->name = std::move(name);
  client->bytes = bytes;
  client->lines = std::move(*lines);
  accounts_.take(client->uid, Resource::memory, bytes);
  return clients_.emplace(client->id, std::move(client)).first->second.get();
}

void Clients::detach(Client& client) {
  while (!client.workers.empty()) remove_worker(client, client.workers.begin()->first);
  accounts_.give_back(client.uid, Resource::memory, client.bytes);
  clients_.erase(client.id);
}

bool Clients::is_registered(pid_t tid) {
  const auto it = slot_of_tid_.find(tid);
  if (it == slot_of_tid_.end()) return false;
  const Owner owner = slots_[it->second];
  if (is_alive(owner.worker->pidfd.get())) return true;
  remove_worker(*owner.client, owner.worker->line);
  return false;
}

Result<WorkerEntry*> Clients::add_worker(Client& client, ThreadRef thread,
                                         std::uint64_t first_seq) {
  if (const auto checked = check_quotas(client); !checked) return tl::unexpected(checked.error());
  WorkerEntry worker;
  worker.id = next_worker_id();
  worker.slot = free_slot();
  worker.tid = thread.tid;
  worker.pidfd = std::move(thread.pidfd);
  while (client.workers.contains(worker.line)) ++worker.line;
  // The line may hold the claims of an earlier worker. A worker that claims nothing has the usual
  // priority, not the lowest.
  auto& claims = client.lines.runtime_line(worker.line);
  claims = {};
  claims.runtime_priority = MORPHEUS_PRIORITY_DEFAULT;
  const auto added = kernel_.add_worker({.slot = worker.slot,
                                         .generation = worker.id,
                                         .tid = static_cast<std::uint32_t>(worker.tid),
                                         .thread_pidfd = worker.pidfd.get(),
                                         .lines = &client.lines,
                                         .line = worker.line,
                                         .first_seq = first_seq});
  if (!added) return tl::unexpected(added.error());
  epoll_event watched{.events = EPOLLIN,
                      .data = {.u64 = std::uint64_t{worker.id} << 32 | worker.slot}};
  if (::epoll_ctl(exits_.get(), EPOLL_CTL_ADD, worker.pidfd.get(), &watched) != 0) {
    auto failed = fail_errno("watch thread " + std::to_string(worker.tid));
    kernel_.remove_worker(worker.slot);
    return failed;
  }
  last_slot_ = worker.slot;
  WorkerEntry& stored = client.workers.emplace(worker.line, std::move(worker)).first->second;
  slots_[stored.slot] = {&client, &stored};
  slot_of_tid_[stored.tid] = stored.slot;
  accounts_.take(client.uid, Resource::workers, 1);
  return &stored;
}

Result<void> Clients::check_quotas(const Client& client) const {
  const std::uint32_t per_client = std::min(limits_.workers_per_client, client.lines.capacity());
  if (client.workers.size() >= per_client) return fail_quota({"workers_per_client", per_client});
  return accounts_.check(client.uid, Resource::workers, 1);
}

void Clients::set_state(WorkerEntry& worker, morpheus_worker_state state) {
  worker.state = state;
  kernel_.set_worker_state(worker.slot, state);
}

void Clients::remove_worker(Client& client, std::uint32_t line) {
  const auto it = client.workers.find(line);
  assert(it != client.workers.end());
  WorkerEntry& worker = it->second;
  set_state(worker, MORPHEUS_WORKER_DEAD);
  const auto record = kernel_.worker(worker.slot);
  retired_.add(record);
  // a hint ends with its worker, too
  const auto given = morpheus_hints_given(&record), ended = record.acknowledged + record.withdrawn;
  if (given > ended) retired_.withdrawn += given - ended;
  kernel_.remove_worker(worker.slot);
  slots_[worker.slot] = {};
  slot_of_tid_.erase(worker.tid);
  accounts_.give_back(client.uid, Resource::workers, 1);
  client.workers.erase(it);
}

void Clients::remove_dead_workers() {
  std::array<epoll_event, 64> ended;
  int count = 0;
  while ((count = ::epoll_wait(exits_.get(), ended.data(), ended.size(), 0)) > 0)
    for (int i = 0; i < count; ++i)
      thread_exited(static_cast<std::uint32_t>(ended[i].data.u64),
                    static_cast<std::uint32_t>(ended[i].data.u64 >> 32));
}

void Clients::thread_exited(std::uint32_t slot, std::uint32_t generation) {
  if (find(slot, generation) == nullptr) return;
  remove_worker(*slots_[slot].client, slots_[slot].worker->line);
}

Clients::Owner Clients::owner_of(std::uint32_t slot, std::uint32_t generation) const {
  if (slot >= slots_.size() || slots_[slot].worker == nullptr) return {};
  return slots_[slot].worker->id == generation ? slots_[slot] : Owner{};
}

WorkerTotals Clients::totals() const {
  WorkerTotals totals = retired_;
  for (const auto& [tid, slot] : slot_of_tid_) totals.add(kernel_.worker(slot));
  return totals;
}

// Goes round the table, so that a slot is used again as late as possible.
std::uint32_t Clients::free_slot() const {
  for (std::uint32_t i = 1; i < MORPHEUS_MAX_WORKERS; ++i) {
    const std::uint32_t slot = 1 + (last_slot_ + i - 1) % (MORPHEUS_MAX_WORKERS - 1);
    if (slots_[slot].worker == nullptr) return slot;
  }
  assert(!"the quota on workers is below the number of slots");
  return 0;
}

std::uint32_t Clients::next_worker_id() {
  if (++last_worker_id_ == 0) ++last_worker_id_;
  return last_worker_id_;
}

}  // namespace morpheus::daemon
