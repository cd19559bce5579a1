// SPDX-License-Identifier: GPL-2.0-only
// Boost.Fiber: stackful fibers, on stacks from a pool.
#include "../measures.hpp"

int main(int argc, char** argv) {
  using namespace bench;
  constexpr Measure kMeasures[] = {
      {"yield", yield},
      {"spawn-join", spawn_join},
      {"fork-join", fork_join},
      {"ping-pong", ping_pong},
      {"timers", timers},
      {"memory", memory},
      {"hog", hog},
      {"idle", idle},
      {"wake", wake},
      {"scaling", scaling},
  };
  return play(argc, argv, kMeasures);
}
