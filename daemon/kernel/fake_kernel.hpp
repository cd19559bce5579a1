// SPDX-License-Identifier: GPL-2.0-only
// A kernel side without a kernel, for tests without root. It hints every RUNNING worker on a timer
// and notices acknowledgements; it never takes a CPU away.
#pragma once

#include <map>

#include "daemon/kernel/kernel_side.hpp"
#include "proto/unique_fd.hpp"

namespace morpheus::daemon {

struct FakeOptions {
  std::uint32_t hint_interval_ms = 0;  ///< 0: never hints
  std::string refuse_enforced;         ///< if not empty: why Enforced cannot be had
  bool eject = false;                  ///< the scheduler is ejected as soon as it is attached
  bool canary = false;                 ///< the scheduler has a canary, as the real one
};

class FakeKernel final : public KernelSide {
 public:
  explicit FakeKernel(FakeOptions options = {}) : options_(std::move(options)) {}

  [[nodiscard]] std::string_view name() const override { return "fake"; }
  [[nodiscard]] Result<void> start(const morpheus_tunables& tunables) override;
  void stop() override;
  [[nodiscard]] Result<void> set_mode(Mode mode) override;
  [[nodiscard]] SchedulerReport report() override;
  [[nodiscard]] unsigned group_interval() const override { return 0; }
  void set_groups(std::span<const GroupRule>) override {}
  void set_penalty(const morpheus_penalty& penalty) override { penalty_ = penalty; }
  /// For tests: what set_penalty() has set.
  [[nodiscard]] const morpheus_penalty& penalty() const { return penalty_; }
  [[nodiscard]] bool needs_canary() const override { return options_.canary; }
  [[nodiscard]] std::function<void()> rescue() override;
  void set_tunables(const morpheus_tunables& tunables) override { tunables_ = tunables; }
  [[nodiscard]] Result<ClientLines> make_lines(std::uint32_t workers) override {
    return ClientLines::in_memfds(workers);
  }
  [[nodiscard]] Result<void> add_worker(const WorkerSpec& spec) override;
  void set_worker_state(std::uint32_t slot, morpheus_worker_state state) override;
  void remove_worker(std::uint32_t slot) override { workers_.erase(slot); }
  [[nodiscard]] morpheus_worker_record worker(std::uint32_t slot) const override;
  void want_events(EventDetail) override {}
  [[nodiscard]] int event_fd() const override { return timer_.get(); }
  /// For tests: the next drain_events() hints as if the timer had expired.
  void hint_next() { hint_next_ = true; }
  /// Notices what was acknowledged; hints when the timer has expired.
  void drain_events(const std::function<void(const morpheus_event&)>& each) override;
  /// A worker that lets a hint's deadline pass is sampled in a file that does not exist.
  [[nodiscard]] Result<void> want_blame(EachBlame each) override {
    blame_ = std::move(each);
    return {};
  }
  [[nodiscard]] morpheus_time_counts wait_times() const override { return {}; }
  [[nodiscard]] std::uint64_t events_dropped() const override { return 0; }

 private:
  struct FakeRecord {
    WorkerSpec spec;
    morpheus_worker_record record{};
    [[nodiscard]] morpheus_scb_kernel& kernel_line() const {
      return spec.lines->kernel_line(spec.line);
    }
    [[nodiscard]] morpheus_scb_runtime& runtime_line() const {
      return spec.lines->runtime_line(spec.line);
    }
  };
  using Each = std::function<void(const morpheus_event&)>;
  void notice_acknowledgement(FakeRecord& worker, std::uint64_t now, const Each& each);
  void notice_lateness(FakeRecord& worker, std::uint64_t now, const Each& each);
  void withdraw(FakeRecord& worker, std::uint64_t now, const Each& each);
  void sample(const FakeRecord& worker, std::uint64_t now) const;
  void hint(FakeRecord& worker, std::uint64_t now, const Each& each);

  FakeOptions options_;
  morpheus_tunables tunables_{};
  morpheus_penalty penalty_{};
  Mode mode_ = Mode::observer;
  std::map<std::uint32_t, FakeRecord> workers_;  // by slot
  UniqueFd timer_;
  EachBlame blame_;
  bool hint_next_ = false;
};

}  // namespace morpheus::daemon
