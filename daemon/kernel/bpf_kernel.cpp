// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/kernel/bpf_kernel.hpp"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "daemon/kernel/bpf_blame.hpp"
#include "daemon/kernel/bpf_lines.hpp"
#include "daemon/kernel/bpf_log.hpp"
#include "daemon/kernel/bpf_objects.hpp"
#include "daemon/kernel/bpf_scheduler.hpp"
#include "morpheus.skel.h"
#include "proto/linux_version.hpp"

namespace morpheus::daemon {
namespace {

std::string no_sched_ext() {
  return fmt::format(
      "this kernel has no sched_ext (CONFIG_SCHED_CLASS_EXT is off); Enforced mode needs one that "
      "has it, such as Debian's stock kernels from {} on",
      kDebianSchedExtSince.text());
}

struct SkeletonDeleter {  // detaches and unloads
  void operator()(morpheus_bpf* skeleton) const { morpheus_bpf::destroy(skeleton); }
};
struct RingDeleter {
  void operator()(ring_buffer* ring) const { ring_buffer__free(ring); }
};
struct BtfDeleter {
  void operator()(btf* types) const { btf__free(types); }
};

struct KernelFeatures {
  bool sched_ext = false;
  bool user_pointers = false;         // 6.13+
  bool cgroup_set_bandwidth = false;  // 6.17+
};

bool has_enumerator(const btf& types, const char* enumeration, std::string_view wanted) {
  const int id = btf__find_by_name_kind(&types, enumeration, BTF_KIND_ENUM);
  if (id <= 0) return false;
  const btf_type* type = btf__type_by_id(&types, static_cast<__u32>(id));
  const std::span<const struct btf_enum> values(btf_enum(type), btf_vlen(type));
  return std::ranges::any_of(values, [&](const struct btf_enum& value) {
    return wanted == btf__name_by_offset(&types, value.name_off);
  });
}

bool has_member(const btf& types, const char* structure, std::string_view wanted) {
  const int id = btf__find_by_name_kind(&types, structure, BTF_KIND_STRUCT);
  if (id <= 0) return false;
  const btf_type* type = btf__type_by_id(&types, static_cast<__u32>(id));
  const std::span<const struct btf_member> members(btf_members(type), btf_vlen(type));
  return std::ranges::any_of(members, [&](const struct btf_member& member) {
    return wanted == btf__name_by_offset(&types, member.name_off);
  });
}

Result<KernelFeatures> kernel_features() {
  const std::unique_ptr<btf, BtfDeleter> types(btf__load_vmlinux_btf());
  if (!types)
    return fail(
        "this kernel offers no BTF (/sys/kernel/btf/vmlinux); Morpheus needs one built with "
        "CONFIG_DEBUG_INFO_BTF=y",
        errno);
  return KernelFeatures{
      .sched_ext = btf__find_by_name_kind(types.get(), "sched_ext_ops", BTF_KIND_STRUCT) > 0,
      .user_pointers = has_enumerator(*types, "btf_field_type", "BPF_UPTR"),
      .cgroup_set_bandwidth = has_member(*types, "sched_ext_ops", "cgroup_set_bandwidth")};
}

Error load_error(int err) {
  if (err == -EPERM || err == -EACCES) {
    const auto cause = bpf_log_cause();
    return {
        "loading BPF programs is not permitted: run morpheusd as root, or with CAP_BPF and "
        "CAP_PERFMON" +
            (cause.empty() ? "" : " (" + cause + ")"),
        -err};
  }
  return {"the kernel refused the BPF programs: " + bpf_log_cause(), -err};
}

class BpfKernel final : public KernelSide {
 public:
  explicit BpfKernel(Scope scope) : scope_(scope) {}

  [[nodiscard]] std::string_view name() const override { return "bpf"; }

  Result<void> start(const morpheus_tunables& tunables) override {
    install_bpf_log();
    const auto features = kernel_features();
    if (!features) return tl::unexpected(features.error());
    lines_.emplace(features->user_pointers);
    scheduler_.emplace(scope_, BpfGroups(features->cgroup_set_bandwidth));
    if (!features->sched_ext) scheduler_->rule_out(no_sched_ext());

    auto loaded = load(features->sched_ext);
    if (!loaded && features->sched_ext) {
      // Observer mode must work even where the scheduler half does not load
      const auto reason = loaded.error().text();
      loaded = load(false);
      if (loaded) scheduler_->rule_out("the scheduler did not load: " + reason);
    }
    if (!loaded) return loaded;
    set_tunables(tunables);
    want_events(EventDetail::own);
    return attach_observer();
  }

  void stop() override {
    if (scheduler_) scheduler_->detach();
    if (skeleton_) blame_.stop(*skeleton_);
    observer_.clear();
    ring_.reset();
    skeleton_.reset();
  }

  Result<void> set_mode(Mode mode) override { return scheduler_->set_mode(mode); }
  SchedulerReport report() override { return scheduler_->report(); }
  [[nodiscard]] bool needs_canary() const override { return true; }
  std::function<void()> rescue() override { return scheduler_->rescue(); }
  [[nodiscard]] unsigned group_interval() const override { return scheduler_->group_interval(); }
  void set_groups(std::span<const GroupRule> rules) override { scheduler_->set_groups(rules); }
  void set_penalty(const morpheus_penalty& penalty) override { skeleton_->bss->penalty = penalty; }

  void set_tunables(const morpheus_tunables& tunables) override {
    skeleton_->bss->tunables = tunables;
  }

  Result<ClientLines> make_lines(std::uint32_t workers) override { return lines_->make(workers); }

  Result<void> add_worker(const WorkerSpec& spec) override {
    if (skeleton_->bss->nr_workers == 0)
      if (auto reset = prepare_cpus(skeleton_->progs.reset_cpu, skeleton_->bss->nr_cpus); !reset)
        return reset;
    auto& record = skeleton_->bss->workers[spec.slot];
    record = {};
    record.tid = spec.tid;
    record.generation = spec.generation;
    record.state = MORPHEUS_WORKER_REGISTERED;
    record.priority = MORPHEUS_PRIORITY_DEFAULT;
    record.seq = record.ended_seq = record.lost_seq = record.blocked_seq = spec.first_seq;
    if (auto added = lines_->add(spec); !added) return added;
    ++skeleton_->bss->nr_workers;
    scheduler_->add_worker(spec.slot, static_cast<pid_t>(spec.tid));
    return {};
  }

  void set_worker_state(std::uint32_t slot, morpheus_worker_state state) override {
    skeleton_->bss->workers[slot].state = state;
    lines_->set_state(slot, state);
  }

  void remove_worker(std::uint32_t slot) override {
    skeleton_->bss->workers[slot].state = MORPHEUS_WORKER_DEAD;
    scheduler_->remove_worker(slot);
    if (!lines_->remove(slot)) return;
    --skeleton_->bss->nr_workers;
    const std::uint64_t no_task = 0;
    (void)bpf_map__update_elem(skeleton_->maps.worker_tasks, &slot, sizeof(slot), &no_task,
                               sizeof(no_task), BPF_ANY);
  }

  [[nodiscard]] morpheus_worker_record worker(std::uint32_t slot) const override {
    return skeleton_->bss->workers[slot];
  }

  void want_events(EventDetail detail) override {
    std::uint32_t mask = 1u << MORPHEUS_EVENT_ACKNOWLEDGED | 1u << MORPHEUS_EVENT_EXIT;
    if (detail == EventDetail::hints) mask = ~MORPHEUS_TRACE_EVENTS;
    if (detail == EventDetail::runs) mask = ~0u;
    skeleton_->bss->event_mask = mask;
  }

  [[nodiscard]] morpheus_time_counts wait_times() const override {
    morpheus_time_counts sum{};
    for (int cpu = 0; cpu < skeleton_->bss->nr_cpus; ++cpu) {
      const auto& one = skeleton_->bss->wait_times[cpu];
      sum.sum_ns += one.sum_ns;
      for (std::size_t i = 0; i < std::size(sum.counts); ++i) sum.counts[i] += one.counts[i];
    }
    return sum;
  }

  [[nodiscard]] int event_fd() const override { return ring_buffer__epoll_fd(ring_.get()); }

  void drain_events(const std::function<void(const morpheus_event&)>& each) override {
    each_ = &each;
    (void)ring_buffer__consume(ring_.get());
    each_ = nullptr;
  }

  Result<void> want_blame(EachBlame each) override {
    return blame_.want(*skeleton_, std::move(each));
  }

  [[nodiscard]] std::uint64_t events_dropped() const override {
    return skeleton_->bss->events_dropped + skeleton_->bss->blames_dropped;
  }

 private:
  Result<void> load(bool with_scheduler) {
    clear_bpf_log();
    skeleton_.reset(morpheus_bpf::open());
    if (!skeleton_) return fail_errno("open the BPF object");
    skeleton_->bss->nr_cpus = std::min<int>(libbpf_num_possible_cpus(), MORPHEUS_MAX_CPUS);
    lines_->prepare(*skeleton_);
    scheduler_->prepare(*skeleton_, with_scheduler);
    if (const int err = morpheus_bpf::load(skeleton_.get()); err != 0) {
      skeleton_.reset();
      return tl::unexpected(load_error(err));
    }
    ring_.reset(ring_buffer__new(bpf_map__fd(skeleton_->maps.events), on_event, this, nullptr));
    if (!ring_) return fail_errno("map the event ring");
    if (auto added = blame_.add_to(ring_.get(), *skeleton_); !added) return added;
    return with_scheduler ? scheduler_->start() : Result<void>();
  }

  Result<void> attach_observer() {
    const auto& programs = skeleton_->progs;
    for (auto* program : {programs.on_switch, programs.on_wakeup, programs.on_wakeup_new,
                          programs.on_migrate, programs.on_exit}) {
      observer_.emplace_back(bpf_program__attach(program));
      if (!observer_.back())
        return fail_errno(std::string("attach the tracing program ") + bpf_program__name(program));
    }
    return {};
  }

  static int on_event(void* self, void* data, std::size_t size) {
    morpheus_event event{};
    if (size < sizeof(event)) return 0;
    std::memcpy(&event, data, sizeof(event));
    const auto* each = static_cast<BpfKernel*>(self)->each_;
    if (each != nullptr) (*each)(event);
    return 0;
  }

  std::unique_ptr<morpheus_bpf, SkeletonDeleter> skeleton_;
  std::unique_ptr<ring_buffer, RingDeleter> ring_;
  std::vector<BpfLink> observer_;
  BpfBlame blame_;
  Scope scope_;
  std::optional<BpfScheduler> scheduler_;
  std::optional<BpfLines> lines_;
  const std::function<void(const morpheus_event&)>* each_ = nullptr;
};

}  // namespace

std::unique_ptr<KernelSide> make_bpf_kernel(Scope scope) {
  return std::make_unique<BpfKernel>(scope);
}

}  // namespace morpheus::daemon
