// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/state/canary.hpp"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include "proto/unique_fd.hpp"

using namespace morpheus;
using namespace morpheus::daemon;
using namespace std::chrono_literals;

namespace {

std::atomic<bool> choking{false};

// Runs on the singer's thread: as good as having no CPU.
void choke(int) {
  while (choking) ::usleep(1000);
}

bool readable(int fd, int within_ms) {
  pollfd watched{fd, POLLIN, 0};
  return ::poll(&watched, 1, within_ms) == 1;
}

struct Watched {
  UniqueFd alarm{::eventfd(0, EFD_CLOEXEC)};
  std::atomic<int> rescued{0};
  std::unique_ptr<Canary> canary;
  explicit Watched(Canary::Options options) {
    auto started = Canary::start(options, alarm.get(), [this] { ++rescued; });
    REQUIRE(started);
    canary = std::move(*started);
    while (canary->singer() == 0) ::usleep(1000);
  }
};

}  // namespace

TEST_CASE("a canary that sings raises no alarm") {
  Watched watched({.starved = 200ms, .real_time = false});
  CHECK_FALSE(readable(watched.alarm.get(), 1000));
  CHECK(watched.rescued == 0);
}

TEST_CASE("a canary that gets no CPU raises the alarm, and the rescue is called once") {
  Watched watched({.starved = 200ms, .real_time = false});
  struct sigaction action{};
  action.sa_handler = choke;
  REQUIRE(::sigaction(SIGURG, &action, nullptr) == 0);
  choking = true;
  const pid_t singer = watched.canary->singer();
  ::syscall(SYS_tgkill, ::getpid(), singer, SIGURG);
  CHECK(readable(watched.alarm.get(), 10'000));
  CHECK(watched.canary->has_alarm());
  for (int i = 0; i < 1000 && watched.rescued == 0; ++i) ::usleep(1000);
  CHECK(watched.rescued == 1);
  choking = false;
}

TEST_CASE("the watchdog is a real-time thread, the canary an ordinary one") {
  const UniqueFd alarm(::eventfd(0, EFD_CLOEXEC));
  auto canary = Canary::start({.starved = 1s}, alarm.get(), [] {});
  if (!canary && canary.error().code == EPERM) SKIP("may not make threads real-time here");
  REQUIRE(canary);
  while ((*canary)->singer() == 0) ::usleep(1000);
  CHECK(::sched_getscheduler((*canary)->singer()) == SCHED_OTHER);
  CHECK(::sched_getscheduler(0) == SCHED_OTHER);
}
