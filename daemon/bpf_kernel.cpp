// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/bpf_kernel.hpp"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <fstream>
#include <utility>

#include "daemon/bpf_log.hpp"
#include "morpheus.skel.h"
#include "proto/unique_fd.hpp"

namespace morpheus::daemon {
namespace {

constexpr std::uint32_t kUnregistered = 64;  // SCX_EXIT_UNREG: user space detached it
constexpr const char* kNoSchedExt =
    "this kernel has no sched_ext (CONFIG_SCHED_CLASS_EXT is off); Enforced mode needs one that has "
    "it, such as Debian's stock kernels from 6.16 on";

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

Result<bool> kernel_has_sched_ext() {
  const std::unique_ptr<btf, BtfDeleter> types(btf__load_vmlinux_btf());
  if (!types)
    return fail("this kernel offers no BTF (/sys/kernel/btf/vmlinux); Morpheus needs one built with "
                "CONFIG_DEBUG_INFO_BTF=y", errno);
  return btf__find_by_name_kind(types.get(), "sched_ext_ops", BTF_KIND_STRUCT) > 0;
}

Error load_error(int err) {
  if (err == -EPERM || err == -EACCES) {
    const auto cause = bpf_log_cause();
    return {"loading BPF programs is not permitted: run morpheusd as root, or with CAP_BPF and "
            "CAP_PERFMON" + (cause.empty() ? "" : " (" + cause + ")"), -err};
  }
  return {"the kernel refused the BPF programs: " + bpf_log_cause(), -err};
}

class BpfKernel final : public KernelSide {
 public:
  [[nodiscard]] std::string_view name() const override { return "bpf"; }

  Result<void> start(const morpheus_tunables& tunables) override {
    install_bpf_log();
    const auto has_sched_ext = kernel_has_sched_ext();
    if (!has_sched_ext) return tl::unexpected(has_sched_ext.error());
    if (!*has_sched_ext) why_not_ = kNoSchedExt;

    auto loaded = load(*has_sched_ext);
    if (!loaded && *has_sched_ext) {
      // Observer must work even where the scheduler half does not.
      const auto reason = loaded.error().text();
      loaded = load(false);
      if (loaded) why_not_ = "the scheduler did not load: " + reason;
    }
    if (!loaded) return loaded;
    set_tunables(tunables);
    want_all_events(false);
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
    scheduler_.reset(bpf_map__attach_struct_ops(skeleton_->maps.morpheus_ops));
    if (!scheduler_) return fail("the kernel did not accept the scheduler: " + bpf_log_cause(), errno);
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

  std::function<void()> rescue() override {
    if (!scheduler_) return {};
    const int copy = ::fcntl(bpf_link__fd(scheduler_.get()), F_DUPFD_CLOEXEC, 3);
    auto link = std::make_shared<UniqueFd>(copy);
    return [link] { (void)bpf_link_detach(link->get()); };
  }

  void set_tunables(const morpheus_tunables& tunables) override {
    skeleton_->bss->tunables = tunables;
  }

  Result<void> add_worker(const WorkerSpec& spec) override {
    if (skeleton_->bss->nr_workers == 0)
      if (auto reset = reset_cpus(); !reset) return reset;
    auto& record = skeleton_->bss->workers[spec.slot];
    record = {};
    record.tid = spec.tid;
    record.generation = spec.generation;
    record.state = MORPHEUS_WORKER_REGISTERED;
    record.seq = record.ended_seq = record.lost_seq = record.blocked_seq = spec.first_seq;
    *spec.kernel_line = {};
    spec.kernel_line->preempt_seq = spec.kernel_line->withdrawn_seq = spec.first_seq;
    spec.kernel_line->worker_state = MORPHEUS_WORKER_REGISTERED;

    const struct {
      void* kernel;
      void* runtime;
      std::uint32_t slot;
      std::uint32_t linked;
    } value{spec.kernel_line, spec.runtime_line, spec.slot, 0};
    if (bpf_map__update_elem(skeleton_->maps.worker_lines, &spec.thread_pidfd,
                             sizeof(spec.thread_pidfd), &value, sizeof(value), BPF_ANY) != 0)
      return fail_errno("hand the lines of thread " + std::to_string(spec.tid) + " to the kernel");
    pidfds_[spec.slot] = spec.thread_pidfd;
    ++skeleton_->bss->nr_workers;
    return {};
  }

  void set_worker_state(std::uint32_t slot, morpheus_worker_state state) override {
    skeleton_->bss->workers[slot].state = state;
  }

  void remove_worker(std::uint32_t slot) override {
    const int key = std::exchange(pidfds_[slot], 0);
    if (key == 0) return;
    skeleton_->bss->workers[slot].state = MORPHEUS_WORKER_DEAD;
    --skeleton_->bss->nr_workers;
    // Gone already when the thread is: its storage went with it.
    (void)bpf_map__delete_elem(skeleton_->maps.worker_lines, &key, sizeof(key), 0);
    const std::uint64_t no_task = 0;
    (void)bpf_map__update_elem(skeleton_->maps.worker_tasks, &slot, sizeof(slot), &no_task,
                               sizeof(no_task), BPF_ANY);
  }

  [[nodiscard]] morpheus_worker worker(std::uint32_t slot) const override {
    return skeleton_->bss->workers[slot];
  }

  void want_all_events(bool all) override {
    skeleton_->bss->event_mask =
        all ? ~0u : 1u << MORPHEUS_EVENT_ACK | 1u << MORPHEUS_EVENT_EXIT;
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
    if (!with_scheduler) leave_scheduler_out();
    if (const int err = morpheus_bpf::load(skeleton_.get()); err != 0) {
      skeleton_.reset();
      return tl::unexpected(load_error(err));
    }
    ring_.reset(ring_buffer__new(bpf_map__fd(skeleton_->maps.events), on_event, this, nullptr));
    if (!ring_) return fail_errno("map the event ring");
    return {};
  }

  void leave_scheduler_out() {
    (void)bpf_map__set_autocreate(skeleton_->maps.morpheus_ops, false);
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, skeleton_->obj) {
      if (bpf_program__type(program) == BPF_PROG_TYPE_STRUCT_OPS)
        (void)bpf_program__set_autoload(program, false);
    }
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

  Result<void> reset_cpus() {
    const int program = bpf_program__fd(skeleton_->progs.reset_cpu);
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
    if (scheduler_) (void)bpf_link__detach(scheduler_.get());
    scheduler_.reset();
  }

  /// The kernel may end our scheduler at any time: believe it, not the link that is left.
  void drop_ended_scheduler() {
    if (!skeleton_ || skeleton_->bss->scheduler_exit.kind == 0) return;
    auto& exit = skeleton_->bss->scheduler_exit;
    if (exit.kind == kUnregistered) {  // our own doing
      exit.kind = 0;
      return;
    }
    const std::string reason(exit.reason, strnlen(exit.reason, sizeof(exit.reason)));
    const std::string message(exit.message, strnlen(exit.message, sizeof(exit.message)));
    last_exit_ = message.empty() ? reason : reason + ": " + message;
    exit.kind = 0;
    scheduler_.reset();
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
  std::array<int, MORPHEUS_MAX_WORKERS> pidfds_{};  // 0: none, which no pidfd is
  std::optional<std::string> why_not_;
  std::optional<std::string> last_exit_;
  const std::function<void(const morpheus_event&)>* each_ = nullptr;
};

}  // namespace

std::unique_ptr<KernelSide> make_bpf_kernel() { return std::make_unique<BpfKernel>(); }

}  // namespace morpheus::daemon
