// SPDX-License-Identifier: GPL-2.0-only
// Samples of workers that keep threads waiting, and those threads' waits, on their way to the
// operators who look. The kernel makes them only while one does.
//
// A stack says where in its code a process is, and with that where its memory is. So root, the
// daemon's own user and the admin group see all; any other user sees the samples of processes of
// his own, and of the threads that waited for them only his own by name.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "daemon/kernel/kernel_side.hpp"
#include "daemon/state/clients.hpp"
#include "daemon/state/subscription.hpp"

namespace morpheus::daemon {

/// A record with what the daemon knows of its worker.
struct BlameEntry {
  BlameRecord record;
  pid_t pid = 0, tid = 0;
  uid_t uid = 0;        ///< of the client
  std::string process;  ///< the client's name
};

/// Who may see what.
struct BlameViewer {
  uid_t uid = 0;
  bool sees_all = false;
  /// A sample, or a wait at all.
  [[nodiscard]] bool may_see(const BlameEntry& entry) const;
  /// The thread that waited.
  [[nodiscard]] bool may_name(const morpheus_blame_wait& wait) const {
    return sees_all || wait.head.uid == uid;
  }
};

/// As io.morpheus.Control shows them. Pure.
[[nodiscard]] nlohmann::json sample_json(const BlameEntry& entry,
                                         const morpheus_blame_sample& sample);
[[nodiscard]] nlohmann::json wait_json(const morpheus_blame_wait& wait, const BlameViewer& viewer);

class Blame {
 public:
  /// Both outlive this.
  Blame(KernelSide& kernel, const Clients& clients) : kernel_(kernel), clients_(clients) {}

  /// From the return on the viewer misses nothing. Fails if the kernel refuses.
  [[nodiscard]] Result<std::shared_ptr<Subscription>> subscribe(BlameViewer viewer);
  /// Stops the kernel's part when no operator looks any more.
  void forget_the_gone();
  /// After the kernel's events were drained.
  void wake_all();

 private:
  class Queue;
  void publish(const BlameRecord& record);

  KernelSide& kernel_;
  const Clients& clients_;
  std::vector<std::weak_ptr<Queue>> queues_;
};

}  // namespace morpheus::daemon
