// SPDX-License-Identifier: GPL-2.0-only
// All clients and their workers: which client owns which line, which slot of the kernel's worker
// table a worker has, and how much of its quotas each user has used. One thread; no I/O except
// through KernelSide.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "daemon/config/config.hpp"
#include "daemon/kernel/kernel_side.hpp"
#include "daemon/kernel/shared_lines.hpp"
#include "daemon/rights/accounts.hpp"
#include "daemon/rights/peer.hpp"

namespace morpheus::daemon {

/// A registered thread. `id` names it for operators and is the slot's generation; never 0.
struct WorkerEntry {
  std::uint32_t id = 0;
  std::uint32_t slot = 0;  ///< in the kernel's table
  std::uint32_t line = 0;  ///< in its client's memory: what the client calls its slot
  pid_t tid = 0;
  UniqueFd pidfd;
  morpheus_worker_state state = MORPHEUS_WORKER_REGISTERED;
};

/// A process that attached.
struct Client {
  std::uint64_t id = 0;
  pid_t pid = 0;
  uid_t uid = 0;
  std::string name;
  std::string library;      ///< version of the library it attached with; empty if it did not say
  std::uint64_t bytes = 0;  ///< of shared memory, for the quota
  ClientLines lines;
  std::map<std::uint32_t, WorkerEntry> workers;  ///< by line
};

/// Sums over all workers since start.
struct WorkerTotals {
  std::uint64_t hints = 0, acknowledged = 0, withdrawn = 0, lost = 0, deferrals = 0, overruns = 0,
                escalations = 0, throttles = 0, blocked = 0, cpu_time_ns = 0, wait_time_ns = 0;
  /// Each hint once: a DEADLINE is a last call for one that was given before.
  std::array<std::uint64_t, MORPHEUS_HINT_REASON_COUNT> hints_by_reason{};
  std::uint64_t last_calls = 0;
  std::array<std::uint64_t, MORPHEUS_BLOCK_COUNT> blocked_by_reason{};
  void add(const morpheus_worker_record& worker);
};

class Clients {
 public:
  /// All of them outlive this.
  Clients(KernelSide& kernel, const ConfigLimits& limits, Accounts& accounts);

  /// Adds a client with memory for at least `workers` workers. Fails if a quota would be exceeded
  /// or the kernel refuses.
  [[nodiscard]] Result<Client*> attach(const Peer& peer, std::string name, std::uint32_t workers);
  /// Removes the client and all its workers.
  void detach(Client& client);

  /// Whether a worker that lives is this thread. Removes one that is dead.
  [[nodiscard]] bool is_registered(pid_t tid);
  /// The thread is not registered. Fails if a quota would be exceeded or the kernel refuses.
  [[nodiscard]] Result<WorkerEntry*> add_worker(Client& client, ThreadRef thread,
                                                std::uint64_t first_seq);
  /// The caller has checked the transition.
  void set_state(WorkerEntry& worker, morpheus_worker_state state);
  void remove_worker(Client& client, std::uint32_t line);

  /// Becomes readable when a worker's thread ends.
  [[nodiscard]] int exits_fd() const { return exits_.get(); }
  /// Removes workers whose threads are gone.
  void remove_dead_workers();
  /// The thread of this use of the slot is gone.
  void thread_exited(std::uint32_t slot, std::uint32_t generation);

  [[nodiscard]] const std::map<std::uint64_t, std::unique_ptr<Client>>& all() const {
    return clients_;
  }
  /// The client with the lowest id that is not below this one; null if there is none.
  [[nodiscard]] const Client* from(std::uint64_t id) const {
    const auto it = clients_.lower_bound(id);
    return it == clients_.end() ? nullptr : it->second.get();
  }
  /// The worker that has the slot in this generation; null if it is gone.
  [[nodiscard]] const WorkerEntry* find(std::uint32_t slot, std::uint32_t generation) const {
    return owner_of(slot, generation).worker;
  }
  struct Owner {
    Client* client = nullptr;
    WorkerEntry* worker = nullptr;
  };
  /// The same with its client.
  [[nodiscard]] Owner owner_of(std::uint32_t slot, std::uint32_t generation) const;
  [[nodiscard]] std::size_t worker_count() const { return slot_of_tid_.size(); }
  [[nodiscard]] WorkerTotals totals() const;

 private:
  [[nodiscard]] Result<void> check_quotas(const Client& client) const;
  [[nodiscard]] std::uint32_t free_slot() const;
  [[nodiscard]] std::uint32_t next_worker_id();

  KernelSide& kernel_;
  const ConfigLimits& limits_;
  Accounts& accounts_;
  UniqueFd exits_;                                            // an epoll of all workers' pidfds
  std::map<std::uint64_t, std::unique_ptr<Client>> clients_;  // by id
  std::array<Owner, MORPHEUS_MAX_WORKERS> slots_{};
  std::map<pid_t, std::uint32_t> slot_of_tid_;
  std::uint64_t last_client_id_ = 0;
  std::uint32_t last_worker_id_ = 0;
  std::uint32_t last_slot_ = 0;
  WorkerTotals retired_;
};

}  // namespace morpheus::daemon
