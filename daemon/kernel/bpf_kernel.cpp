// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/kernel/bpf_kernel.hpp"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <fstream>
#include <span>
#include <utility>

#include "daemon/kernel/bpf_groups.hpp"
#include "daemon/kernel/bpf_lines.hpp"
#include "daemon/kernel/bpf_log.hpp"
#include "daemon/kernel/cpu_caches.hpp"
#include "daemon/kernel/ext_class.hpp"
#include "daemon/log.hpp"
#include "morpheus.skel.h"
#include "proto/linux_version.hpp"
#include "proto/monotonic_clock.hpp"
#include "proto/unique_fd.hpp"

namespace morpheus::daemon {
namespace {

std::string no_sched_ext() {
  return "this kernel has no sched_ext (CONFIG_SCHED_CLASS_EXT is off); Enforced mode needs one "
         "that has "
         "it, such as Debian's stock kernels from " +
         kDebianSchedExtSince.text() + " on";
}

constexpr std::uint64_t kSwitchPartial = 1u << 3;  // the kernel's SCX_OPS_SWITCH_PARTIAL

struct SkeletonDeleter {  // detaches and unloads
  void operator()(morpheus_bpf* skeleton) const { morpheus_bpf::destroy(skeleton); }
};
struct LinkDeleter {  // detaches; errors are of no use to anybody here
  void operator()(bpf_link* link) const { (void)bpf_link__destroy(link); }
};
struct RingDeleter {
  void operator()(ring_buffer* ring) const { ring_buffer__free(ring); }
};
struct BtfDeleter {
  void operator()(btf* types) const { btf__free(types); }
};

std::optional<std::string> read_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  return line;
}

template <std::size_t N>
std::string text_in(const char (&buffer)[N]) {
  return {buffer, strnlen(buffer, N)};
}

struct KernelFeatures {
  bool sched_ext = false;
  bool user_pointers = false;         // 6.13+
  bool cgroup_set_weight = false;     // with CONFIG_EXT_GROUP_SCHED
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
      .cgroup_set_weight = has_member(*types, "sched_ext_ops", "cgroup_set_weight"),
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
    if (!features->sched_ext) why_not_ = no_sched_ext();
    lines_.emplace(features->user_pointers);
    groups_.emplace(features->cgroup_set_weight, features->cgroup_set_bandwidth);

    auto loaded = load(features->sched_ext);
    if (!loaded && features->sched_ext) {
      // Observer must work even where the scheduler half does not.
      const auto reason = loaded.error().text();
      loaded = load(false);
      if (loaded) why_not_ = "the scheduler did not load: " + reason;
    }
    if (!loaded) return loaded;
    set_tunables(tunables);
    want_events(EventDetail::own);
    return attach_observer();
  }

  void stop() override {
    detach_scheduler();
    observer_.clear();
    ring_.reset();
    skeleton_.reset();
  }

  Result<void> set_mode(Mode mode) override {
    drop_ended_scheduler();
    if (mode == Mode::observer) {
      detach_scheduler();
      return {};
    }
    if (scheduler_) return {};
    if (auto blocker = enforced_blocker()) return fail(*blocker);
    clear_bpf_log();
    skeleton_->bss->scheduler_exit = {};
    groups_->forget();
    set_caches();
    scheduler_.reset(bpf_map__attach_struct_ops(skeleton_->maps.morpheus_ops));
    if (!scheduler_)
      return fail("the kernel did not accept the scheduler: " + bpf_log_cause(), errno);
    workers_class_.set(scope_ == Scope::workers);
    return {};
  }

  SchedulerReport report() override {
    drop_ended_scheduler();
    SchedulerReport report;
    report.kernel_state = read_line("/sys/kernel/sched_ext/state");
    report.kernel_ops = read_line("/sys/kernel/sched_ext/root/ops");
    report.attached = scheduler_ && report.kernel_state == "enabled";
    report.why_not = scheduler_ ? std::nullopt : enforced_blocker();
    report.last_exit = last_exit_;
    return report;
  }

  [[nodiscard]] unsigned group_interval() const override {
    return groups_->told_by_kernel() ? 30 : 1;
  }

  void set_groups(std::span<const GroupRule> rules) override {
    if (!scheduler_) return;
    const auto set = groups_->set(rules, monotonic_ns());
    if (!set) log::warn("a bound on CPU time is not kept: {}", set.error().text());
  }

  void set_penalty(const morpheus_penalty& penalty) override { skeleton_->bss->penalty = penalty; }

  std::function<void()> rescue() override {
    if (!scheduler_) return {};
    const int copy = ::fcntl(bpf_link__fd(scheduler_.get()), F_DUPFD_CLOEXEC, 3);
    auto link = std::make_shared<UniqueFd>(copy);
    return [link] { (void)bpf_link_detach(link->get()); };
  }

  void set_tunables(const morpheus_tunables& tunables) override {
    skeleton_->bss->tunables = tunables;
  }

  Result<ClientLines> make_lines(std::uint32_t workers) override { return lines_->make(workers); }

  Result<void> add_worker(const WorkerSpec& spec) override {
    if (skeleton_->bss->nr_workers == 0)
      if (auto reset = run_for_each_cpu(skeleton_->progs.reset_cpu); !reset) return reset;
    auto& record = skeleton_->bss->workers[spec.slot];
    record = {};
    record.tid = spec.tid;
    record.generation = spec.generation;
    record.state = MORPHEUS_WORKER_REGISTERED;
    record.priority = MORPHEUS_PRIORITY_DEFAULT;
    record.seq = record.ended_seq = record.lost_seq = record.blocked_seq = spec.first_seq;
    if (auto added = lines_->add(spec); !added) return added;
    ++skeleton_->bss->nr_workers;
    if (scope_ == Scope::workers) workers_class_.add(spec.slot, static_cast<pid_t>(spec.tid));
    return {};
  }

  void set_worker_state(std::uint32_t slot, morpheus_worker_state state) override {
    skeleton_->bss->workers[slot].state = state;
    lines_->set_state(slot, state);
  }

  void remove_worker(std::uint32_t slot) override {
    skeleton_->bss->workers[slot].state = MORPHEUS_WORKER_DEAD;
    workers_class_.forget(slot);
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

  [[nodiscard]] std::uint64_t events_dropped() const override {
    return skeleton_->bss->events_dropped;
  }

 private:
  Result<void> load(bool with_scheduler) {
    clear_bpf_log();
    skeleton_.reset(morpheus_bpf::open());
    if (!skeleton_) return fail_errno("open the BPF object");
    skeleton_->bss->nr_cpus = std::min<int>(libbpf_num_possible_cpus(), MORPHEUS_MAX_CPUS);
    if (scope_ == Scope::workers) skeleton_->struct_ops.morpheus_ops->flags |= kSwitchPartial;
    lines_->prepare(*skeleton_);
    groups_->prepare(*skeleton_);
    if (!with_scheduler) leave_scheduler_out();
    if (const int err = morpheus_bpf::load(skeleton_.get()); err != 0) {
      skeleton_.reset();
      return tl::unexpected(load_error(err));
    }
    ring_.reset(ring_buffer__new(bpf_map__fd(skeleton_->maps.events), on_event, this, nullptr));
    if (!ring_) return fail_errno("map the event ring");
    if (!with_scheduler) return {};
    if (auto prepared = run_for_each_cpu(skeleton_->progs.prepare_preemption); !prepared)
      return prepared;
    return groups_->start();
  }

  /// At each attachment: CPUs may have come since.
  void set_caches() {
    const auto numbers = read_llcs(kCpuDirectory, static_cast<unsigned>(skeleton_->bss->nr_cpus));
    std::ranges::copy(numbers, skeleton_->bss->llc_of);
    skeleton_->bss->nr_llcs = *std::ranges::max_element(numbers) + 1;
  }

  void leave_scheduler_out() {
    (void)bpf_map__set_autocreate(skeleton_->maps.morpheus_ops, false);
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, skeleton_->obj) {
      if (bpf_program__type(program) == BPF_PROG_TYPE_STRUCT_OPS)
        (void)bpf_program__set_autoload(program, false);
    }
    const auto& programs = skeleton_->progs;
    for (auto* needs_it : {programs.prepare_parking, programs.prepare_preemption,
                           programs.set_group, programs.end_penalty})
      (void)bpf_program__set_autoload(needs_it, false);
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

  Result<void> run_for_each_cpu(const bpf_program* each) {
    const int program = bpf_program__fd(each);
    for (std::uint32_t cpu = 0; cpu < static_cast<std::uint32_t>(skeleton_->bss->nr_cpus); ++cpu) {
      LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &cpu, .ctx_size_in = sizeof(cpu));
      if (bpf_prog_test_run_opts(program, &run) != 0)
        return fail_errno("prepare CPU " + std::to_string(cpu));
      if (static_cast<int>(run.retval) != 0)
        return fail("prepare CPU " + std::to_string(cpu), -static_cast<int>(run.retval));
    }
    return {};
  }

  /// Why Enforced mode cannot be had right now.
  std::optional<std::string> enforced_blocker() const {
    if (why_not_) return why_not_;
    if (read_line("/sys/kernel/sched_ext/state").value_or("disabled") == "disabled") return {};
    return "the sched_ext scheduler '" +
           read_line("/sys/kernel/sched_ext/root/ops").value_or("unknown") +
           "' is loaded; stop it first";
  }

  // Explicitly: the descriptor that rescue() handed out keeps the link, too.
  void detach_scheduler() {
    workers_class_.set(false);
    if (!scheduler_) return;
    (void)bpf_link__detach(scheduler_.get());
    scheduler_.reset();
    groups_->forget();
  }

  /// The kernel may end our scheduler at any time: believe it, not the link that is left.
  void drop_ended_scheduler() {
    if (!skeleton_) return;
    auto& noted = skeleton_->bss->scheduler_exit;
    const auto cause = std::atomic_ref(noted.cause).exchange(MORPHEUS_EXIT_NONE);
    if (cause == MORPHEUS_EXIT_NONE || cause == MORPHEUS_EXIT_DETACHED) return;
    auto exit = std::make_shared<SchedulerExit>();
    exit->cause = static_cast<morpheus_exit_cause>(cause);
    exit->time_ns = noted.time_ns;
    exit->code = noted.code;
    exit->reason = text_in(noted.reason);
    exit->message = text_in(noted.message);
    exit->dump = text_in(noted.dump);
    last_exit_ = std::move(exit);
    workers_class_.set(false);
    scheduler_.reset();
    groups_->forget();
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
  std::vector<std::unique_ptr<bpf_link, LinkDeleter>> observer_;
  std::unique_ptr<bpf_link, LinkDeleter> scheduler_;
  Scope scope_;
  ExtClass workers_class_;
  std::optional<BpfLines> lines_;
  std::optional<BpfGroups> groups_;
  std::optional<std::string> why_not_;
  std::shared_ptr<const SchedulerExit> last_exit_;
  const std::function<void(const morpheus_event&)>* each_ = nullptr;
};

}  // namespace

std::unique_ptr<KernelSide> make_bpf_kernel(Scope scope) {
  return std::make_unique<BpfKernel>(scope);
}

}  // namespace morpheus::daemon
