// SPDX-License-Identifier: GPL-2.0-only
#include "sdk/src/client/call_in_flight.hpp"

#include <pthread.h>
#include <sys/socket.h>

#include <atomic>
#include <mutex>
#include <thread>

namespace morpheus::sdk {
namespace {

constexpr int kNone = -1;
constexpr std::chrono::milliseconds kLook{1};

std::mutex fd_lock;  // held while fd_in_flight is used, so that it is not closed meanwhile
std::atomic<int> fd_in_flight{kNone};
std::atomic<int> forking{0};  // threads that wait to fork

void cut_off() {
  const std::scoped_lock lock(fd_lock);
  if (fd_in_flight != kNone) ::shutdown(fd_in_flight, SHUT_RDWR);
}

void before_fork() {
  ++forking;
  for (auto left = CallInFlight::kForkPatience; fd_in_flight != kNone && left.count() > 0;
       left -= kLook)
    std::this_thread::sleep_for(kLook);
  cut_off();
}

}  // namespace

CallInFlight::CallInFlight(int fd) {
  const std::scoped_lock lock(fd_lock);
  fd_in_flight = fd;
}

CallInFlight::~CallInFlight() {
  const std::scoped_lock lock(fd_lock);
  fd_in_flight = kNone;
}

std::chrono::milliseconds CallInFlight::timeout() { return forking > 0 ? kForkPatience : kTimeout; }

void CallInFlight::watch_forks() {
  // The registry's lock is held across the fork, so the child finds no call, and fd_lock free.
  [[maybe_unused]] static const int registered =
      ::pthread_atfork(before_fork, [] { --forking; }, [] { forking = 0; });
}

}  // namespace morpheus::sdk
