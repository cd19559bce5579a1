// SPDX-License-Identifier: GPL-2.0-only
// Boost.Asio: awaitable coroutines on an io_context, on one thread without its locks.
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
