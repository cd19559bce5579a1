// SPDX-License-Identifier: GPL-2.0-only
// A simulated thread: what the kernel knows of it, its lines if it is a worker, and the truth about
// it, which the checker keeps apart from everything that the programs write.
#pragma once

#include "tests/sim/config.hpp"
#include "tests/sim/programs.h"
#include "tests/sim/rng.hpp"
#include "tests/sim/vtime_queue.hpp"

namespace morpheus::sim {

enum class Kind : std::uint8_t {
  cooperative,   ///< acknowledges at safe points, short critical sections
  spinner,       ///< acknowledges at safe points, never sleeps
  deaf,          ///< never acknowledges
  ack_liar,      ///< acknowledges, never yields; sometimes claims random sequences
  chaos,         ///< random values in its runtime line, all the time
  critical_hog,  ///< stays critical far beyond the cap
  sleepy,        ///< a worker that mostly sleeps
  hog,           ///< ordinary, never sleeps
  probe,         ///< ordinary, wakes a thousand times a second
  higher,        ///< of a class above ours
};

[[nodiscard]] constexpr bool is_worker_kind(Kind kind) { return kind < Kind::hog; }

enum class RunState : std::uint8_t { sleeping, arriving, runnable, running, dead };
enum class SchedClass : std::uint8_t { higher, fair, ext };
enum class Place : std::uint8_t { nowhere, local, dsq, fair, higher };

/// What the checker knows of a worker, from its own observation.
struct Truth {
  std::uint32_t slot = 0;  ///< 0: not registered
  std::uint32_t state = MORPHEUS_WORKER_INIT;
  std::uint64_t seq = 0, closed_seq = 0;  ///< newest hint given, newest one closed
  std::uint64_t withdrawn_seq = 0;
  std::uint64_t hinted_at = 0, run_start = 0, held_since = 0;
  std::uint64_t turn_start = 0;    ///< when the programs were last called because it runs
  std::uint64_t displaced_at = 0;  ///< a higher class took its CPU in mid-slice
  std::uint64_t hints = 0, acknowledged = 0, withdrawn = 0, lost = 0;
  std::uint64_t escalations = 0, blocked = 0, deferrals = 0, overruns = 0;
  bool seen = false;  ///< by the programs: it may have run when it was registered
  std::uint64_t ran_ns = 0, waited_ns = 0;  ///< since it was registered; upper bounds
};

struct Thread {
  task_struct task{};
  morpheus_scb_kernel kernel{};
  morpheus_scb_runtime runtime{};
  cpumask allowed{};
  std::uint32_t index = 0;
  Kind kind = Kind::hog;
  RunState state = RunState::sleeping;
  SchedClass sched_class = SchedClass::fair;
  Place place = Place::nowhere;
  VtimeQueue* queue = nullptr;
  VtimeQueue::Entry entry{};
  Rng rng{0};
  bool consents = false, mortal = false, exiting = false, newborn = true, direct = false;
  std::uint64_t step_left = 0;  ///< of the present stretch of its program
  std::uint64_t vruntime = 0;   ///< fair class
  std::uint64_t seen_seq = 0;   ///< hints it has looked at
  std::uint64_t wait_since = 0, woken_at = 0, starve_since = 0;
  std::uint64_t total_ran = 0, digest = 0;
  std::uint32_t wake_generation = 0;
  Truth truth;
};

}  // namespace morpheus::sim
