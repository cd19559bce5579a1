// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bench/scheduler/program_times.hpp"

#include <bpf/bpf.h>
#include <bpf/btf.h>

#include <cerrno>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>

namespace morpheus::bench {
namespace {

struct FreeBtf {
  void operator()(btf* types) const { btf__free(types); }
};

bpf_prog_info info_of(int fd, bpf_func_info* first_function) {
  bpf_prog_info info{};
  if (first_function != nullptr) {
    info.nr_func_info = 1;
    info.func_info_rec_size = sizeof *first_function;
    info.func_info = reinterpret_cast<std::uintptr_t>(first_function);
  }
  __u32 size = sizeof info;
  if (bpf_prog_get_info_by_fd(fd, &info, &size) != 0) return {};
  return info;
}

// Not bpf_prog_info.name, which is cut off after 15 bytes: some callbacks' names would be the same.
std::string function_name(int fd) {
  bpf_func_info function{};
  const auto info = info_of(fd, &function);
  if (info.btf_id == 0 || info.nr_func_info == 0) return {};
  const std::unique_ptr<btf, FreeBtf> types(btf__load_from_kernel_by_id(info.btf_id));
  const btf_type* type = types ? btf__type_by_id(types.get(), function.type_id) : nullptr;
  return type == nullptr ? std::string() : btf__name_by_offset(types.get(), type->name_off);
}

}  // namespace

ProgramClock::ProgramClock() : enabled_(bpf_enable_stats(BPF_STATS_RUN_TIME)) {
  if (!enabled_)
    throw std::system_error(errno, std::generic_category(), "enable BPF run-time statistics");
}

ProgramTimes ProgramClock::read() {
  ProgramTimes times;
  __u32 id = 0;
  while (bpf_prog_get_next_id(id, &id) == 0) {
    const UniqueFd program(bpf_prog_get_fd_by_id(id));
    if (!program) continue;  // gone meanwhile
    const auto name = function_name(program.get());
    if (name.empty()) continue;
    const auto info = info_of(program.get(), nullptr);
    times[name].ns += info.run_time_ns;
    times[name].calls += info.run_cnt;
  }
  return times;
}

ProgramTimes difference(const ProgramTimes& before, const ProgramTimes& after) {
  ProgramTimes times;
  for (const auto& [name, now] : after) {
    const auto found = before.find(name);
    const ProgramTime then = found == before.end() ? ProgramTime{} : found->second;
    if (now.calls > then.calls) times[name] = {now.ns - then.ns, now.calls - then.calls};
  }
  return times;
}

std::uint64_t context_switches() {
  std::ifstream stat("/proc/stat");
  std::uint64_t count = 0;
  for (std::string word; stat >> word;)
    if (word == "ctxt" && stat >> count) return count;
  throw std::runtime_error("no context switches in /proc/stat");
}

}  // namespace morpheus::bench
