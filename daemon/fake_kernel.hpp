// SPDX-License-Identifier: GPL-2.0-only
// A kernel side without a kernel, for tests without root. It hints every RUNNING worker on a timer
// and notices acknowledgements; it never takes a CPU from anybody.
#pragma once

#include <map>

#include "daemon/kernel_side.hpp"
#include "proto/unique_fd.hpp"

namespace morpheus::daemon {

struct FakeOptions {
  std::uint32_t hint_interval_ms = 0;  ///< 0: never hints
  std::string refuse_enforced;         ///< if not empty: why Enforced cannot be had
  bool eject = false;                  ///< the scheduler is ejected as soon as it is attached
};

class FakeKernel final : public KernelSide {
 public:
  explicit FakeKernel(FakeOptions options = {}) : options_(std::move(options)) {}

  [[nodiscard]] std::string_view name() const override { return "fake"; }
  [[nodiscard]] Result<void> start(const morpheus_tunables& tunables) override;
  void stop() override;
  [[nodiscard]] Result<void> set_mode(Mode mode) override;
  [[nodiscard]] SchedulerReport report() override;
  [[nodiscard]] std::function<void()> rescue() override { return {}; }
  void set_tunables(const morpheus_tunables& tunables) override { tunables_ = tunables; }
  [[nodiscard]] Result<void> add_worker(const WorkerSpec& spec) override;
  void set_worker_state(std::uint32_t slot, morpheus_worker_state state) override;
  void remove_worker(std::uint32_t slot) override { workers_.erase(slot); }
  [[nodiscard]] morpheus_worker worker(std::uint32_t slot) const override;
  void want_all_events(bool) override {}
  [[nodiscard]] int event_fd() const override { return timer_.get(); }
  /// For tests: the next drain_events() hints as if the timer had expired.
  void hint_next() { hint_next_ = true; }
  /// Notices what was acknowledged; hints when the timer has expired.
  void drain_events(const std::function<void(const morpheus_event&)>& each) override;
  [[nodiscard]] std::uint64_t events_dropped() const override { return 0; }

 private:
  struct FakeWorker {
    WorkerSpec spec;
    morpheus_worker record{};
  };
  using Each = std::function<void(const morpheus_event&)>;
  void notice_answer(FakeWorker& worker, std::uint64_t now, const Each& each);
  void hint(FakeWorker& worker, std::uint64_t now, const Each& each);

  FakeOptions options_;
  morpheus_tunables tunables_{};
  Mode mode_ = Mode::observer;
  std::map<std::uint32_t, FakeWorker> workers_;  // by slot
  UniqueFd timer_;
  bool hint_next_ = false;
};

}  // namespace morpheus::daemon
