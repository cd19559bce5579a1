// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/kernel/bpf_scheduler.hpp"

#include <fcntl.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <fstream>

#include "daemon/kernel/bpf_log.hpp"
#include "daemon/kernel/cpu_caches.hpp"
#include "daemon/log.hpp"
#include "morpheus.skel.h"
#include "proto/monotonic_clock.hpp"
#include "proto/unique_fd.hpp"

namespace morpheus::daemon {
namespace {

constexpr std::uint64_t kSwitchPartial = 1u << 3;  // the kernel's SCX_OPS_SWITCH_PARTIAL

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

}  // namespace

void BpfScheduler::prepare(morpheus_bpf& skeleton, bool is_wanted) {
  skeleton_ = &skeleton;
  if (scope_ == Scope::workers) skeleton.struct_ops.morpheus_ops->flags |= kSwitchPartial;
  groups_.prepare(skeleton);
  if (!is_wanted) leave_out();
}

void BpfScheduler::leave_out() {
  (void)bpf_map__set_autocreate(skeleton_->maps.morpheus_ops, false);
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton_->obj) {
    if (bpf_program__type(program) == BPF_PROG_TYPE_STRUCT_OPS)
      (void)bpf_program__set_autoload(program, false);
  }
  const auto& programs = skeleton_->progs;
  for (auto* needs_it : {programs.prepare_parking, programs.prepare_preemption, programs.set_group,
                         programs.end_penalty})
    (void)bpf_program__set_autoload(needs_it, false);
}

Result<void> BpfScheduler::start() {
  auto prepared = prepare_cpus(skeleton_->progs.prepare_preemption, skeleton_->bss->nr_cpus);
  return prepared ? groups_.start() : prepared;
}

Result<void> BpfScheduler::set_mode(Mode mode) {
  notice_end();
  if (mode == Mode::enforced) return attach();
  detach();
  return {};
}

Result<void> BpfScheduler::attach() {
  if (link_) return {};
  if (auto why = blocker()) return fail(*why);
  clear_bpf_log();
  skeleton_->bss->scheduler_exit = {};
  groups_.forget();
  set_caches();
  link_.reset(bpf_map__attach_struct_ops(skeleton_->maps.morpheus_ops));
  if (!link_) return fail("the kernel did not accept the scheduler: " + bpf_log_cause(), errno);
  workers_class_.set(scope_ == Scope::workers);
  return {};
}

// At each attachment, because CPUs may have come since the last.
void BpfScheduler::set_caches() {
  const auto numbers = read_llcs(kCpuDirectory, static_cast<unsigned>(skeleton_->bss->nr_cpus));
  std::ranges::copy(numbers, skeleton_->bss->llc_of);
  skeleton_->bss->nr_llcs = *std::ranges::max_element(numbers) + 1;
}

void BpfScheduler::detach() {
  workers_class_.set(false);
  if (!link_) return;
  // explicitly, because the descriptor in rescue()'s hands keeps the link alive
  (void)bpf_link__detach(link_.get());
  link_.reset();
  groups_.forget();
}

SchedulerReport BpfScheduler::report() {
  notice_end();
  SchedulerReport report;
  report.kernel_state = read_line("/sys/kernel/sched_ext/state");
  report.kernel_ops = read_line("/sys/kernel/sched_ext/root/ops");
  report.attached = link_ && report.kernel_state == "enabled";
  report.why_not = link_ ? std::nullopt : blocker();
  report.last_exit = last_exit_;
  return report;
}

std::optional<std::string> BpfScheduler::blocker() const {
  if (ruled_out_) return ruled_out_;
  if (read_line("/sys/kernel/sched_ext/state").value_or("disabled") == "disabled") return {};
  return "the sched_ext scheduler '" +
         read_line("/sys/kernel/sched_ext/root/ops").value_or("unknown") +
         "' is loaded; stop it first";
}

// The kernel may end our scheduler at any time. It is right then, not the link that is left.
void BpfScheduler::notice_end() {
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
  link_.reset();
  groups_.forget();
}

std::function<void()> BpfScheduler::rescue() const {
  if (!link_) return {};
  const int copy = ::fcntl(bpf_link__fd(link_.get()), F_DUPFD_CLOEXEC, 3);
  auto link = std::make_shared<UniqueFd>(copy);
  return [link] { (void)bpf_link_detach(link->get()); };
}

unsigned BpfScheduler::group_interval() const { return groups_.kernel_calls_on_change() ? 30 : 1; }

void BpfScheduler::set_groups(std::span<const GroupRule> rules) {
  if (!link_) return;
  const auto set = groups_.set(rules, monotonic_ns());
  if (!set) log::warn("cannot apply a bound on CPU time: {}", set.error().text());
}

void BpfScheduler::add_worker(std::uint32_t slot, pid_t tid) {
  if (scope_ == Scope::workers) workers_class_.add(slot, tid);
}

}  // namespace morpheus::daemon
