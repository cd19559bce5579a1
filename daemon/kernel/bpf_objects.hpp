// SPDX-License-Identifier: GPL-2.0-only
// What the BPF half of the kernel side shares: an owner for a link, and a way to run the programs
// that only the daemon calls.
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "proto/result.hpp"

namespace morpheus::daemon {

struct BpfLinkDeleter {  // detaches; nothing could be done about an error here
  void operator()(bpf_link* link) const { (void)bpf_link__destroy(link); }
};
using BpfLink = std::unique_ptr<bpf_link, BpfLinkDeleter>;

/// Runs a program of SEC("syscall") once and returns what it returned. A negative number is an
/// errno: it fails as a system call would. `what` becomes the error's. The kernel writes `context`
/// back, too.
[[nodiscard]] inline Result<int> run_program(const bpf_program* program, std::string what,
                                             void* context = nullptr, std::size_t size = 0) {
  bpf_test_run_opts run{};
  run.sz = sizeof(run);
  run.ctx_in = context;
  run.ctx_size_in = static_cast<std::uint32_t>(size);
  if (bpf_prog_test_run_opts(bpf_program__fd(program), &run) != 0)
    return fail_errno(std::move(what));
  const auto returned = static_cast<int>(run.retval);
  if (returned < 0) return fail(std::move(what), -returned);
  return returned;
}

template <class Context>
[[nodiscard]] Result<int> run_program(const bpf_program* program, std::string what,
                                      Context& context) {
  return run_program(program, std::move(what), &context, sizeof(context));
}

/// Runs such a program once for each CPU, whose number is its argument.
[[nodiscard]] inline Result<void> prepare_cpus(const bpf_program* program, int cpus) {
  for (std::uint32_t cpu = 0; cpu < static_cast<std::uint32_t>(cpus); ++cpu)
    if (const auto run = run_program(program, "prepare CPU " + std::to_string(cpu), cpu); !run)
      return tl::unexpected(run.error());
  return {};
}

}  // namespace morpheus::daemon
