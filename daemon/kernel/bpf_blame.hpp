// SPDX-License-Identifier: GPL-2.0-only
// The programs that take samples of workers which keep threads waiting: attached only while the
// daemon wants samples, and their ring.
#pragma once

#include <cstring>
#include <functional>
#include <utility>
#include <vector>

#include "daemon/kernel/bpf_objects.hpp"
#include "daemon/kernel/kernel_side.hpp"
#include "morpheus.skel.h"
#include "proto/monotonic_clock.hpp"

namespace morpheus::daemon {

class BpfBlame {
 public:
  /// Adds the ring to those that `ring` consumes.
  [[nodiscard]] Result<void> add_to(ring_buffer* ring, const morpheus_bpf& skeleton) {
    const int error = ring_buffer__add(ring, bpf_map__fd(skeleton.maps.blames), on_record, this);
    if (error != 0) return fail("map the ring of samples", -error);
    return {};
  }

  /// An empty `each` stops it. The observer is attached: what these programs do comes after it.
  [[nodiscard]] Result<void> want(morpheus_bpf& skeleton, EachBlame each) {
    each_ = std::move(each);
    if (!each_) {
      skeleton.bss->blame_since_ns = 0;
      links_.clear();
      return {};
    }
    // what is noted before both programs run is never brought to an end: it counts as too old
    skeleton.bss->blame_since_ns = ~std::uint64_t{0};
    if (auto attached = attach(skeleton); !attached) return attached;
    skeleton.bss->blame_since_ns = monotonic_ns();
    return {};
  }

  void stop(morpheus_bpf& skeleton) { (void)want(skeleton, {}); }

 private:
  [[nodiscard]] Result<void> attach(morpheus_bpf& skeleton) {
    if (!links_.empty()) return {};
    for (auto* program : {skeleton.progs.on_timer_exit, skeleton.progs.on_blamed_switch}) {
      links_.emplace_back(bpf_program__attach(program));
      if (links_.back()) continue;
      auto failed =
          fail_errno(std::string("attach the tracing program ") + bpf_program__name(program));
      stop(skeleton);
      return failed;
    }
    return {};
  }

  static int on_record(void* self, void* data, std::size_t size) {
    const auto& each = static_cast<BpfBlame*>(self)->each_;
    morpheus_blame_head head{};
    if (!each || size < sizeof(head)) return 0;
    std::memcpy(&head, data, sizeof(head));
    if (head.kind == MORPHEUS_BLAME_SAMPLE) hand_over<morpheus_blame_sample>(each, data, size);
    if (head.kind == MORPHEUS_BLAME_WAIT) hand_over<morpheus_blame_wait>(each, data, size);
    return 0;
  }

  template <class Record>
  static void hand_over(const EachBlame& each, const void* data, std::size_t size) {
    Record record{};
    if (size < sizeof(record)) return;
    std::memcpy(&record, data, sizeof(record));
    each(record);
  }

  EachBlame each_;
  std::vector<BpfLink> links_;
};

}  // namespace morpheus::daemon
