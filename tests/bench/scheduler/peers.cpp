// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bench/scheduler/peers.hpp"

#include <bpf/libbpf.h>

#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>

#include "peers.skel.h"

namespace morpheus::bench {
namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

void Peers::DestroySkeleton::operator()(peers_bpf* skeleton) const { peers_bpf::destroy(skeleton); }
void Peers::DestroyLink::operator()(bpf_link* link) const { bpf_link__destroy(link); }

Peers::Peers(bool with_scheduler) : skeleton_(peers_bpf::open()) {
  if (!skeleton_) fail("open the benchmark's peers");
  if (!with_scheduler) {
    bpf_map__set_autocreate(skeleton_->maps.fifo_ops, false);
    for (auto* program : {skeleton_->progs.fifo_select_cpu, skeleton_->progs.fifo_enqueue,
                          skeleton_->progs.fifo_dispatch, skeleton_->progs.fifo_init})
      bpf_program__set_autoload(program, false);
  }
  if (peers_bpf::load(skeleton_.get()) != 0) fail("load the benchmark's peers");
}

Peers::~Peers() = default;

void Peers::attach_fifo() {
  if (fifo_) return;
  fifo_.reset(bpf_map__attach_struct_ops(skeleton_->maps.fifo_ops));
  if (!fifo_) fail("attach the FIFO scheduler");
}

void Peers::attach_empty() {
  empty_[0].reset(bpf_program__attach(skeleton_->progs.empty_switch));
  empty_[1].reset(bpf_program__attach(skeleton_->progs.empty_wakeup));
  empty_[2].reset(bpf_program__attach(skeleton_->progs.counting_switch));
  if (!empty_[0] || !empty_[1] || !empty_[2]) fail("attach the empty tracing programs");
}

}  // namespace morpheus::bench
