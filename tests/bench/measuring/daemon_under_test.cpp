// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bench/measuring/daemon_under_test.hpp"

#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>

namespace morpheus::bench {
namespace {

using varlink::Json;

// Loading and verifying the BPF programs takes seconds in an emulated machine.
constexpr std::chrono::seconds kStartTimeout{60};
constexpr std::chrono::milliseconds kModeTimeout{30'000};

std::string built(const char* program) {
  const char* build = std::getenv("MORPHEUS_BUILD_DIR");
  return std::string(build != nullptr ? build : MORPHEUS_BUILD_DIR) + "/daemon/" + program;
}

std::string private_directory() {
  char name[] = "/tmp/morpheus-bench-XXXXXX";
  if (::mkdtemp(name) == nullptr) throw std::runtime_error("cannot make a directory in /tmp");
  ::chmod(name, 0755);  // the load connects as another user
  return name;
}

pid_t spawn(const std::string& program, const std::string& directory, const std::string& socket,
            const Json& config, const std::string& backend) {
  const std::string path = directory + "/config.json";
  std::ofstream(path) << json_text(config);
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  ::execl(program.c_str(), "morpheusd", "--config", path.c_str(), "--backend", backend.c_str(),
          "--socket", socket.c_str(), "--mode", "observer", "--log-level", "error", nullptr);
  std::fprintf(stderr, "bench: cannot run %s\n", program.c_str());
  ::_exit(69);
}

}  // namespace

DaemonUnderTest::DaemonUnderTest(const Json& config, const std::string& backend)
    : directory_(private_directory()),
      socket_(directory_ + "/morpheusd.sock"),
      pid_(spawn(built("morpheusd"), directory_, socket_, config, backend)) {
  try {
    await_answer();
  } catch (const CannotStart&) {
    std::filesystem::remove_all(directory_);
    throw;
  }
}

DaemonUnderTest::~DaemonUnderTest() {
  ::kill(pid_, SIGTERM);
  ::waitpid(pid_, nullptr, 0);
  std::filesystem::remove_all(directory_);
}

void DaemonUnderTest::await_answer() {
  const auto deadline = std::chrono::steady_clock::now() + kStartTimeout;
  int status = 0;
  while (std::chrono::steady_clock::now() < deadline) {
    if (has_ended(status)) throw CannotStart{WIFEXITED(status) ? WEXITSTATUS(status) : 70};
    if (auto client = varlink::Client::connect(socket_);
        client && client->call("io.morpheus.Control.GetStatus"))
      return;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  std::fprintf(stderr, "bench: morpheusd does not reply\n");
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  throw CannotStart{};
}

bool DaemonUnderTest::has_ended(int& status) { return ::waitpid(pid_, &status, WNOHANG) == pid_; }

void DaemonUnderTest::set_mode(const std::string& mode) {
  if (mode == mode_) return;
  call("SetMode", {{"mode", mode}});
  mode_ = mode;
}

std::unique_ptr<TraceRun> DaemonUnderTest::trace(const std::string& file, double seconds) const {
  const auto duration = std::to_string(seconds);
  const auto program = built("ctl/morpheusctl");
  const pid_t pid = ::fork();
  if (pid < 0) throw std::runtime_error("cannot fork");
  if (pid == 0) {
    ::dup2(STDERR_FILENO, STDOUT_FILENO);
    ::execl(program.c_str(), "morpheusctl", "--socket", socket_.c_str(), "trace", "--seconds",
            duration.c_str(), "--output", file.c_str(), nullptr);
    ::_exit(69);
  }
  return std::make_unique<TraceRun>(pid);
}

TraceRun::~TraceRun() { ::waitpid(pid_, nullptr, 0); }

HintCounts DaemonUnderTest::counts(pid_t client, unsigned workers) {
  HintCounts sum;
  unsigned watched = 0;
  const Json reply = call("ListWorkers");
  for (const Json& worker : reply.at("workers")) {
    if (worker.at("pid") != client) continue;
    ++watched;
    sum.hints += worker.at("hints").get<std::uint64_t>();
    sum.acknowledged += worker.at("acknowledged").get<std::uint64_t>();
    sum.withdrawn += worker.at("withdrawn").get<std::uint64_t>();
    sum.escalations += worker.at("escalations").get<std::uint64_t>();
    sum.deferrals += worker.at("deferrals").get<std::uint64_t>();
  }
  if (watched < workers)
    throw std::runtime_error("the daemon watches only " + std::to_string(watched) + " of the " +
                             std::to_string(workers) + " workers");
  return sum;
}

AckLatency DaemonUnderTest::ack_latency() {
  const Json latency = call("GetStatus").at("ack_latency");
  return {latency.at("p50_ns").get<std::uint64_t>(), latency.at("p99_ns").get<std::uint64_t>()};
}

Json DaemonUnderTest::call(const std::string& method, const Json& parameters) {
  auto client = varlink::Client::connect(socket_);
  if (!client) throw std::runtime_error(method + ": " + client.error().text());
  auto reply = client->call("io.morpheus.Control." + method, parameters, {}, kModeTimeout);
  if (!reply) throw std::runtime_error(method + ": " + reply.error().text());
  return std::move(reply->parameters);
}

}  // namespace morpheus::bench
