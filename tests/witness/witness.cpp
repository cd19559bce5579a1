// SPDX-License-Identifier: GPL-2.0-only
#include "tests/witness/witness.hpp"

#include <bpf/libbpf.h>
#include <unistd.h>

#include <algorithm>

#include "witness.skel.h"

namespace morpheus::test {

Result<std::unique_ptr<Witness>> Witness::start() {
  auto* skeleton = witness_bpf::open_and_load();
  if (skeleton == nullptr) return fail_errno("load the witness");
  std::unique_ptr<Witness> witness(new Witness(skeleton));
  if (::access("/sys/kernel/sched_ext", F_OK) != 0)  // they count what a scheduler does
    for (auto* probe : {skeleton->progs.on_kick, skeleton->progs.on_tick})
      bpf_program__set_autoattach(probe, false);
  if (const int err = witness_bpf::attach(skeleton); err != 0)
    return fail("attach the witness", -err);
  return witness;
}

Witness::Witness(witness_bpf* skeleton) : skeleton_(skeleton) {}
Witness::~Witness() { witness_bpf::destroy(skeleton_); }

void Witness::watch(std::uint32_t count) { skeleton_->bss->nr_threads = count; }
void Witness::set_probe(std::uint32_t tid) { skeleton_->bss->probe_tid = tid; }

std::span<witness_mark, WITNESS_MAX_THREADS> Witness::marks() { return skeleton_->bss->marks; }

witness_count Witness::count(std::size_t thread) const {
  return skeleton_->bss->counts[thread % WITNESS_MAX_THREADS];
}

std::span<const std::uint32_t, WITNESS_STINT_BUCKETS> Witness::stints(std::size_t thread) const {
  return std::span<const std::uint32_t, WITNESS_STINT_BUCKETS>(
      skeleton_->bss->stints + thread % WITNESS_MAX_THREADS * WITNESS_STINT_BUCKETS,
      WITNESS_STINT_BUCKETS);
}

void Witness::allow(std::uint64_t ns) { skeleton_->bss->allowed_ns = ns; }

void Witness::clear() {
  watch(0);
  set_probe(0);
  std::ranges::fill(skeleton_->bss->marks, witness_mark{});
  std::ranges::fill(skeleton_->bss->counts, witness_count{});
  std::ranges::fill(skeleton_->bss->passed, 0);
  std::ranges::fill(skeleton_->bss->stints, 0);
  std::ranges::fill(skeleton_->bss->stint_since, 0);
}

std::array<std::uint64_t, WITNESS_PASSED_MAX> Witness::passed() const {
  std::array<std::uint64_t, WITNESS_PASSED_MAX> counts{};
  std::copy_n(skeleton_->bss->passed, counts.size(), counts.begin());
  return counts;
}

std::uint64_t Witness::arrivals(unsigned cpu) const {
  return skeleton_->bss->arrivals[cpu % WITNESS_MAX_CPUS];
}

}  // namespace morpheus::test
