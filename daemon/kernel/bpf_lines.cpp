// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/kernel/bpf_lines.hpp"

#include <utility>

#include "daemon/kernel/bpf_objects.hpp"
#include "daemon/log.hpp"
#include "morpheus.skel.h"

namespace morpheus::daemon {
namespace {

Result<UniqueFd> make_map(const char* name, std::uint32_t lines) {
  bpf_map_create_opts options{};
  options.sz = sizeof(options);
  options.map_flags = BPF_F_MMAPABLE | BPF_F_INNER_MAP;
  UniqueFd map(bpf_map_create(BPF_MAP_TYPE_ARRAY, name, sizeof(__u32), MORPHEUS_SCB_LINE_SIZE,
                              lines, &options));
  if (!map) return fail_errno(std::string("create the map ") + name);
  return map;
}

Result<void> put(bpf_map* outer, std::uint32_t slot, int inner) {
  if (bpf_map__update_elem(outer, &slot, sizeof(slot), &inner, sizeof(inner), BPF_ANY) != 0)
    return fail_errno(std::string("hand a client's lines to ") + bpf_map__name(outer));
  return {};
}

}  // namespace

void BpfLines::prepare(morpheus_bpf& skeleton) {
  skeleton_ = &skeleton;
  skeleton.rodata->lines_in_maps = in_maps_;
  for (auto* map : {skeleton.maps.kernel_line_maps, skeleton.maps.runtime_line_maps})
    (void)bpf_map__set_autocreate(map, in_maps_);
  (void)bpf_program__set_autoload(skeleton.progs.store_kernel_line, in_maps_);
}

Result<ClientLines> BpfLines::make(std::uint32_t workers) const {
  if (!in_maps_) return ClientLines::in_memfds(workers);
  const auto capacity = ClientLines::capacity_for(workers);
  auto kernel = make_map("kernel_lines", capacity);
  if (!kernel) return tl::unexpected(kernel.error());
  auto runtime = make_map("runtime_lines", capacity);
  if (!runtime) return tl::unexpected(runtime.error());
  // from now on only BPF programs can write it, neither a mapping nor a system call
  if (bpf_map_freeze(kernel->get()) != 0) return fail_errno("freeze the map kernel_lines");
  return ClientLines::in_maps(capacity, std::move(*kernel), std::move(*runtime));
}

Result<void> BpfLines::add(const WorkerSpec& spec) {
  struct {
    void* kernel;
    void* runtime;
    std::uint32_t slot, line, linked, reserved;
  } value{nullptr, nullptr, spec.slot, spec.line, 0, 0};
  if (in_maps_) {
    if (auto shown = show_maps(spec); !shown) return shown;
  } else {
    auto& line = spec.lines->kernel_line(spec.line);
    line = {};
    line.preempt_seq = line.withdrawn_seq = spec.first_seq;
    line.worker_state = MORPHEUS_WORKER_REGISTERED;
    value.kernel = &line;
    value.runtime = &spec.lines->runtime_line(spec.line);
  }
  if (bpf_map__update_elem(skeleton_->maps.worker_lines, &spec.thread_pidfd,
                           sizeof(spec.thread_pidfd), &value, sizeof(value), BPF_ANY) != 0)
    return fail_errno("hand the lines of thread " + std::to_string(spec.tid) + " to the kernel");
  entries_[spec.slot] = {spec.thread_pidfd, spec.lines, spec.line};
  return {};
}

Result<void> BpfLines::show_maps(const WorkerSpec& spec) {
  if (auto done = put(skeleton_->maps.kernel_line_maps, spec.slot, spec.lines->kernel_fd()); !done)
    return done;
  if (auto done = put(skeleton_->maps.runtime_line_maps, spec.slot, spec.lines->runtime_fd());
      !done)
    return done;
  return store_line({spec.first_seq, spec.slot, spec.line, MORPHEUS_WORKER_REGISTERED, 1});
}

Result<void> BpfLines::store_line(morpheus_line_update update) {
  const auto run = run_program(skeleton_->progs.store_kernel_line, "write a kernel line", update);
  if (!run) return tl::unexpected(run.error());
  return {};
}

void BpfLines::set_state(std::uint32_t slot, morpheus_worker_state state) {
  const auto& entry = entries_[slot];
  if (!in_maps_) {
    entry.lines->kernel_line(entry.line).worker_state = static_cast<__u8>(state);
  } else if (auto done = store_line({0, slot, entry.line, static_cast<__u32>(state), 0}); !done) {
    log::warn("a worker cannot see its state: {}", done.error().text());
  }
}

bool BpfLines::remove(std::uint32_t slot) {
  const Entry entry = std::exchange(entries_[slot], {});
  const int key = entry.pidfd;
  if (key == 0) return false;
  // it went with the thread, if that is gone
  (void)bpf_map__delete_elem(skeleton_->maps.worker_lines, &key, sizeof(key), 0);
  if (in_maps_)
    for (auto* map : {skeleton_->maps.kernel_line_maps, skeleton_->maps.runtime_line_maps})
      (void)bpf_map__delete_elem(map, &slot, sizeof(slot), 0);
  return true;
}

}  // namespace morpheus::daemon
