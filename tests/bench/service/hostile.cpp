// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bench/service/hostile.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <random>
#include <stdexcept>

#include "proto/varlink_socket.hpp"
#include "tests/bench/measuring/unprivileged.hpp"

namespace morpheus::bench {
namespace {

using namespace std::string_literals;

struct BadInput {
  std::string bytes;
  unsigned fds = 0;
  bool hang_up = false;  // at once, with what was sent unread
};

using Random = std::minstd_rand;

std::string random_bytes(Random& random, std::size_t size) {
  std::string bytes(size, '\0');
  for (auto& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

// A good call with one byte changed.
std::string almost(Random& random) {
  std::string call =
      "{\"method\":\"io.morpheus.Worker.Attach\",\"parameters\":{\"version_major\":1,\"version_minor\":0,\"workers\":4}}\0"s;
  call[random() % call.size()] = static_cast<char>(random());
  return call + '\0';
}

const std::vector<std::pair<std::string, std::function<BadInput(Random&)>>> kKinds{
    {"random bytes", [](Random& r) { return BadInput{random_bytes(r, 1 + r() % 4000) + '\0'}; }},
    {"a call with one byte changed", [](Random& r) { return BadInput{almost(r)}; }},
    {"invalid UTF-8", [](Random&) { return BadInput{"{\"method\":\"\xed\xa0\x80\"}\0"s}; }},
    {"deep JSON",
     [](Random& r) { return BadInput{"{\"a\":" + std::string(100 + r() % 100'000, '[') + '\0'}; }},
    {"no object", [](Random&) { return BadInput{"[1,2]\0"s}; }},
    {"no call", [](Random&) { return BadInput{"{\"method\":7}\0"s}; }},
    {"an unknown method",
     [](Random&) { return BadInput{"{\"method\":\"io.morpheus.Worker.Fly\"}\0"s, 0, true}; }},
    {"a message without end", [](Random&) { return BadInput{std::string(600'000, ' ')}; }},
    {"half a message", [](Random&) { return BadInput{"{\"method\":\"io.mor", 0, true}; }},
    {"a flood of descriptors", [](Random&) { return BadInput{"x", 250}; }},
    {"unread descriptors", [](Random&) { return BadInput{"{\"method\":", 100, true}; }},
    {"descriptors of a wrong kind",
     [](Random&) {
       return BadInput{
           "{\"method\":\"io.morpheus.Worker.Register\",\"parameters\":{\"pidfd\":0}}\0{}\0"s, 2};
     }},
};

// Whether the daemon still takes connections.
bool send_one(const std::string& socket, const BadInput& input) {
  const auto connected = varlink::connect_unix(socket);
  if (!connected) return false;
  const int fd = connected->get();
  std::string_view rest = input.bytes;
  std::vector<int> fds(input.fds, STDIN_FILENO);
  std::array<char, 4096> buffer;
  while (!rest.empty()) {
    const auto sent = varlink::send_some(fd, rest, fds);
    if (!sent && sent.error().code != EAGAIN) return true;  // the daemon has hung up: as it should
    if (sent) {
      rest.remove_prefix(*sent);
      fds.clear();
    }
  }
  if (input.hang_up) return true;
  // its reply, and, where it ends the connection, the end
  for (int i = 0; i < 2; ++i) {
    pollfd watched{fd, POLLIN, 0};
    if (::poll(&watched, 1, 200) != 1) break;
    const auto got = varlink::receive_some(fd, buffer, varlink::kMostFds);
    if (!got || got->size == 0) break;
  }
  return true;
}

[[noreturn]] void rage(const std::string& socket, std::atomic<std::uint64_t>& calls) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (!give_up_root()) ::_exit(1);
  std::vector<varlink::Client> clients;
  for (int i = 0; i < 4; ++i)
    if (auto client = varlink::Client::connect(socket)) clients.push_back(std::move(*client));
  const std::array<const char*, 4> methods{"io.morpheus.Control.ListWorkers",
                                           "io.morpheus.Control.GetStatus", "io.morpheus.Nothing.X",
                                           "org.varlink.service.GetInfo"};
  for (std::size_t i = 0;; ++i) {
    for (auto& client : clients) {
      const auto reply = client.call(methods[i % methods.size()], varlink::Json::object(), {},
                                     std::chrono::seconds(30));
      if (reply || reply.error().kind == varlink::CallError::Kind::varlink) ++calls;
    }
  }
}

}  // namespace

std::map<std::string, unsigned> send_bad_inputs(const std::string& socket, unsigned each) {
  std::map<std::string, unsigned> sent;
  Random random(1);
  for (const auto& [kind, make] : kKinds) {
    for (unsigned i = 0; i < each; ++i) {
      if (!send_one(socket, make(random)))
        throw std::runtime_error("the daemon did not survive: " + kind);
      ++sent[kind];
    }
  }
  return sent;
}

Storm::Storm(const std::string& socket, unsigned processes) {
  void* const memory =
      ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::runtime_error("no shared memory for the storm");
  calls_ = new (memory) std::atomic<std::uint64_t>(0);
  for (unsigned i = 0; i < processes; ++i) {
    const pid_t pid = ::fork();
    if (pid == 0) rage(socket, *calls_);
    pids_.push_back(pid);
  }
}

Storm::~Storm() {
  for (const pid_t pid : pids_) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
  ::munmap(calls_, 4096);
}

CallTimes time_calls(const std::string& socket, double seconds) {
  using Clock = std::chrono::steady_clock;
  auto client = varlink::Client::connect(socket);
  if (!client) throw std::runtime_error(client.error().text());
  std::vector<double> times;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  while (Clock::now() < end) {
    const auto start = Clock::now();
    if (!client->call("io.morpheus.Control.GetTunables", varlink::Json::object(), {},
                      std::chrono::seconds(60)))
      throw std::runtime_error("a well-behaved client lost its connection");
    times.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
    ::usleep(1000);
  }
  std::ranges::sort(times);
  return {times[times.size() / 2], times[times.size() * 99 / 100], times.back(), times.size()};
}

}  // namespace morpheus::bench
