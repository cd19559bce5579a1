// SPDX-License-Identifier: GPL-2.0-only
// Stands in until the BPF programs are linked: every start fails and says so.
#include "daemon/bpf_kernel.hpp"

namespace morpheus::daemon {
namespace {

class MissingKernel final : public KernelSide {
 public:
  [[nodiscard]] std::string_view name() const override { return "bpf"; }
  [[nodiscard]] Result<void> start(const morpheus_tunables&) override {
    return fail("the BPF programs are not built into this morpheusd; use --backend fake");
  }
  void stop() override {}
  [[nodiscard]] Result<void> set_mode(Mode) override { return fail("not built"); }
  [[nodiscard]] SchedulerReport report() override { return {}; }
  void set_tunables(const morpheus_tunables&) override {}
  [[nodiscard]] Result<void> add_worker(const WorkerSpec&) override { return fail("not built"); }
  void set_worker_state(std::uint32_t, morpheus_worker_state) override {}
  void remove_worker(std::uint32_t) override {}
  [[nodiscard]] morpheus_worker worker(std::uint32_t) const override { return {}; }
  [[nodiscard]] int event_fd() const override { return -1; }
  void drain_events(const std::function<void(const morpheus_event&)>&) override {}
  [[nodiscard]] std::uint64_t events_dropped() const override { return 0; }
};

}  // namespace

std::unique_ptr<KernelSide> make_bpf_kernel() { return std::make_unique<MissingKernel>(); }

}  // namespace morpheus::daemon
