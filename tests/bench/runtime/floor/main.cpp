// SPDX-License-Identifier: GPL-2.0-only
// The floor: hand-written code that does only the measured step.
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
      {"checkpoint", checkpoint},
      {"checkpoint-loop", checkpoint_loop},
      {"hog", hog},
      {"idle", idle},
      {"wake", wake},
      {"scaling", scaling},
  };
  return play(argc, argv, kMeasures);
}
