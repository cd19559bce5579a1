// SPDX-License-Identifier: GPL-2.0-only
// Morpheus: threads that have nothing to do, and the thread that wakes them.
#include <atomic>
#include <thread>

#include "../gap.hpp"
#include "../measures.hpp"
#include "runtimes.hpp"

namespace bench {
namespace {

morpheus::task<> count(std::atomic<std::size_t>& woken) {
  woken.fetch_add(1);
  co_return;
}

}  // namespace

void idle(const Run& run) {
  const morpheus::runtime runtime(threads(2));
  report_idle(run);
}

void wake(const Run& run) {
  const std::size_t wakes = run.scaled(1000);
  std::atomic<std::size_t> woken = 0;
  {
    morpheus::runtime runtime(threads(2));
    for (std::size_t i = 0; i < wakes; ++i) {
      sleep_for_gap();
      runtime.spawn(count(woken)).detach();
    }
  }
  if (woken != wakes) std::abort();
  report("wakes", static_cast<double>(wakes));
}

}  // namespace bench
