// SPDX-License-Identifier: GPL-2.0-only
// Loads the programs beside which Morpheus' are measured.
#pragma once

#include <array>
#include <memory>

struct bpf_link;
struct peers_bpf;

namespace morpheus::bench {

class Peers {
 public:
  /// Loads the programs and attaches none. `with_scheduler`: the kernel has sched_ext. Throws
  /// std::runtime_error.
  explicit Peers(bool with_scheduler);
  ~Peers();
  Peers(const Peers&) = delete;
  Peers& operator=(const Peers&) = delete;

  /// The FIFO becomes the machine's scheduler, or no longer is. Throws std::runtime_error.
  void attach_fifo();
  void detach_fifo() { fifo_.reset(); }
  /// The tracing programs that do nothing, and the one that only counts a time.
  void attach_empty();
  void detach_empty() { empty_ = {}; }

 private:
  struct DestroySkeleton {
    void operator()(peers_bpf* skeleton) const;
  };
  struct DestroyLink {
    void operator()(bpf_link* link) const;
  };
  using Link = std::unique_ptr<bpf_link, DestroyLink>;

  std::unique_ptr<peers_bpf, DestroySkeleton> skeleton_;
  Link fifo_;
  std::array<Link, 3> empty_;
};

}  // namespace morpheus::bench
