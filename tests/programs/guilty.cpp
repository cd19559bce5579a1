// SPDX-License-Identifier: GPL-2.0-only
// A program whose guilt is known. On one CPU: a worker that never looks at its safe points, because
// it is in crunch(); one that looks every 50 us; and, in a process of its own, a thread that sleeps
// for a millisecond and then wants that CPU for two. All have long slices, where the kernel knows
// of such (sched_setattr(2), Linux 6.12): else its own class may end each run before it does harm.
//
// usage: guilty SOCKET CPU    runs until it is killed
//        guilty --lines       prints the first and the last line of the guilty loop
#include <morpheus/morpheus.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

namespace {

constexpr int kFirstLine = __LINE__ + 2;
[[gnu::noinline]] std::uint64_t crunch(std::uint64_t seed) {
  for (int i = 0; i < 200'000'000; ++i) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    // its frame is named, so that it has one: GCC gives none to a function that calls no other
    asm volatile("" : "+r"(seed) : "r"(__builtin_frame_address(0)));
  }
  return seed;
}
constexpr int kLastLine = __LINE__ - 3;

volatile std::uint64_t sink;

[[gnu::noinline]] void handle_request() {
  sink = crunch(sink + 1);
  asm volatile("");  // no tail call: the frame stays
}

void must(int error, const char* what) {
  if (error == 0) return;
  std::fprintf(stderr, "guilty: %s: %s\n", what, morpheus_error_text(error));
  std::_Exit(1);
}

void have_long_slices() {
  struct {
    std::uint32_t size, policy;
    std::uint64_t flags;
    std::int32_t nice;
    std::uint32_t priority;
    std::uint64_t runtime, deadline, period;
  } attributes{};
  attributes.size = sizeof(attributes);
  attributes.runtime = 20'000'000;
  ::syscall(SYS_sched_setattr, 0, &attributes, 0);
}

void enlist(const char* name) {
  ::prctl(PR_SET_NAME, name);
  morpheus_thread* self = nullptr;
  must(morpheus_worker_register(&self), "register");
  must(morpheus_worker_set_state(MORPHEUS_WORKER_RUNNING), "running");
}

void be_guilty() {
  enlist("deaf0");
  for (;;) handle_request();
}

void be_polite() {
  enlist("polite0");
  auto here = morpheus_safepoint_get();
  for (;;) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(50);
    while (std::chrono::steady_clock::now() < end) {
    }
    morpheus_checkpoint(&here);
  }
}

void wait_for_the_cpu() {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::prctl(PR_SET_NAME, "victim0");
  for (;;) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(2);
    while (std::chrono::steady_clock::now() < end) {
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--lines") == 0)
    return std::printf("%d %d\n", kFirstLine, kLastLine) > 0 ? 0 : 1;
  if (argc != 3) return 64;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  cpu_set_t cpu;
  CPU_ZERO(&cpu);
  CPU_SET(static_cast<unsigned>(std::atoi(argv[2])), &cpu);
  if (::sched_setaffinity(0, sizeof(cpu), &cpu) != 0) return 1;
  have_long_slices();
  if (::fork() == 0) wait_for_the_cpu();
  morpheus_options options{};
  options.socket = argv[1];
  options.name = "guilty";
  must(morpheus_attach(&options), "attach");
  std::thread guilty(be_guilty), polite(be_polite);
  guilty.join();
  polite.join();
}
