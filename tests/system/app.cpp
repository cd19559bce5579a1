// SPDX-License-Identifier: GPL-2.0-only
// The application of the system test, as a user of the library would write it: workers that
// compute, with safe points, critical sections and consent to a kick. Prints a line when all
// workers are registered. Ends at SIGTERM.
#include <signal.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <morpheus/attachment.hpp>
#include <morpheus/worker.hpp>
#include <thread>
#include <vector>

namespace {

std::atomic<bool> ending{false};

void compute(std::chrono::microseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {
  }
}

void work(std::atomic<int>& ready) {
  const morpheus::worker self({.policy = MORPHEUS_POLICY_THREAD_KICK});
  ++ready;
  for (morpheus::safe_point here; !ending; here.checkpoint()) {
    compute(std::chrono::microseconds(50));
    const morpheus::critical_section section(self);
    compute(std::chrono::microseconds(50));
  }
}

}  // namespace

int main(int argc, char** argv) {
  ::signal(SIGTERM, [](int) { ending = true; });
  const int count = argc > 1 ? std::atoi(argv[1]) : 4;
  const morpheus::attachment attachment;
  std::atomic<int> ready{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back(work, std::ref(ready));
  while (ready < count) std::this_thread::yield();
  std::printf("%d workers\n", count);
  std::fflush(stdout);
  for (auto& thread : threads) thread.join();
}
