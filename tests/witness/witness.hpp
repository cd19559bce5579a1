// SPDX-License-Identifier: GPL-2.0-only
// Loads the witness: an independent tracing program that counts what scheduling does to the threads
// that it watches.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "proto/result.hpp"
#include "tests/witness/witness.h"

struct witness_bpf;

namespace morpheus::test {

/// Counts as long as it lives. Forked children can use the shared memory even after they gave up
/// all privileges.
class Witness {
 public:
  /// Needs root. Fails with the reason where BPF cannot be loaded.
  [[nodiscard]] static Result<std::unique_ptr<Witness>> start();
  ~Witness();
  Witness(const Witness&) = delete;
  Witness& operator=(const Witness&) = delete;

  /// Watches the first `count` entries of marks(), which the threads fill in themselves.
  void watch(std::uint32_t count);
  /// `tid` as the kernel's initial PID namespace numbers it; a forked child may call this.
  void set_probe(std::uint32_t tid);

  [[nodiscard]] std::span<witness_mark, WITNESS_MAX_THREADS> marks();
  [[nodiscard]] witness_count count(std::size_t thread) const;
  /// The stints of `thread` on a CPU, counted by length in units of WITNESS_STINT_BUCKET_NS.
  [[nodiscard]] std::span<const std::uint32_t, WITNESS_STINT_BUCKETS> stints(
      std::size_t thread) const;
  /// Ticks in a stint count once it has lasted for longer than `ns`: see witness_count.
  void allow(std::uint64_t ns);
  /// Forgets all threads and their counts.
  void clear();
  [[nodiscard]] std::array<std::uint64_t, WITNESS_PASSED_MAX> passed() const;
  /// How often since start a thread woke on `cpu`, began there, or was moved there.
  [[nodiscard]] std::uint64_t arrivals(unsigned cpu) const;

 private:
  explicit Witness(witness_bpf* skeleton);
  witness_bpf* skeleton_;
};

}  // namespace morpheus::test
