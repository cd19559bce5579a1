// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bench/service/crowd.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <stdexcept>

#include "proto/scb.h"
#include "proto/varlink_client.hpp"

namespace morpheus::bench {

struct CrowdBoard {
  std::atomic<unsigned> prepared, registered, failed;
  std::atomic<bool> go;
};

namespace {

constexpr std::size_t kStack = 64 * 1024;

void* idle(void* tid) {
  static_cast<std::atomic<pid_t>*>(tid)->store(::gettid());
  while (true) ::pause();
}

// The threads' numbers.
std::vector<pid_t> start_threads(unsigned count) {
  std::vector<std::atomic<pid_t>> tids(count);
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstacksize(&attributes, kStack);
  std::vector<pid_t> started;
  for (auto& tid : tids) {
    pthread_t thread;
    if (::pthread_create(&thread, &attributes, idle, &tid) != 0) return {};
    while (tid == 0) ::sched_yield();
    started.push_back(tid);
  }
  return started;
}

bool register_threads(varlink::Client& client, const std::vector<pid_t>& tids, CrowdBoard& board) {
  constexpr std::chrono::minutes kPatience{2};
  if (!client.call("io.morpheus.Worker.Attach",
                   {{"version_major", MORPHEUS_SCB_VERSION_MAJOR},
                    {"version_minor", 0},
                    {"workers", tids.size()}},
                   {}, kPatience))
    return false;
  for (const pid_t tid : tids) {
    const std::array pidfd{static_cast<int>(::syscall(SYS_pidfd_open, tid, O_EXCL))};
    const auto slot = client.call("io.morpheus.Worker.Register", {{"pidfd", 0}}, pidfd, kPatience);
    ::close(pidfd[0]);
    if (!slot ||
        !client.call("io.morpheus.Worker.SetState",
                     {{"slot", slot->parameters["slot"]}, {"state", "RUNNING"}}, {}, kPatience))
      return false;
    ++board.registered;
  }
  return true;
}

[[noreturn]] void be_client(const std::string& socket, unsigned workers, CrowdBoard& board) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const auto tids = start_threads(workers);
  ++board.prepared;
  if (tids.empty()) ++board.failed;
  while (!board.go) ::usleep(2000);
  auto client = varlink::Client::connect(socket);
  if (!client || !register_threads(*client, tids, board)) ++board.failed;
  while (true) ::pause();
}

}  // namespace

Crowd::Crowd(const std::string& socket, unsigned clients, unsigned workers) : workers_(workers) {
  void* const memory = ::mmap(nullptr, sizeof(CrowdBoard), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::runtime_error("no shared memory for the crowd");
  board_ = new (memory) CrowdBoard{};
  for (unsigned i = 0; i < clients; ++i) {
    const pid_t pid = ::fork();
    if (pid == 0) be_client(socket, workers, *board_);
    if (pid < 0) throw std::runtime_error("cannot start so many processes");
    pids_.push_back(pid);
  }
  while (board_->prepared < clients) ::usleep(1000);
}

Crowd::~Crowd() {
  for (unsigned i = 0; i < pids_.size(); ++i) kill(i);
  ::munmap(board_, sizeof(CrowdBoard));
}

double Crowd::register_all() {
  const unsigned all = static_cast<unsigned>(pids_.size()) * workers_;
  const auto start = std::chrono::steady_clock::now();
  board_->go = true;
  while (board_->registered < all && board_->failed == 0) ::usleep(500);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  if (board_->failed > 0)
    throw std::runtime_error("a client could not attach or register its workers");
  return took.count();
}

void Crowd::kill(unsigned i) {
  if (pids_[i] == 0) return;
  ::kill(pids_[i], SIGKILL);
  ::waitpid(pids_[i], nullptr, 0);
  pids_[i] = 0;
}

}  // namespace morpheus::bench
