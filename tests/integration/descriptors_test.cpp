// SPDX-License-Identifier: GPL-2.0-only
// Hostile descriptors and memory: what a client sends, maps and punches hurts only itself.
#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <atomic>
#include <deque>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "tests/integration/bystander.hpp"

using namespace morpheus;
using namespace morpheus::test;
using namespace std::string_literals;

namespace {

// The sending half of a TCP connection whose close() blocks: it lingers for half a minute, and the
// peer does not read what fills its buffers.
class Lingering {
 public:
  Lingering() {
    const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const where = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(listener.get(), where, size) == 0);
    REQUIRE(::listen(listener.get(), 1) == 0);
    REQUIRE(::getsockname(listener.get(), where, &size) == 0);
    socket_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::connect(socket_.get(), where, size) == 0);
    peer_.reset(::accept(listener.get(), nullptr, nullptr));
    ::fcntl(socket_.get(), F_SETFL, O_NONBLOCK);
    const linger on{1, 30};
    REQUIRE(::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &on, sizeof(on)) == 0);
    std::array<char, 65536> junk{};
    while (::send(socket_.get(), junk.data(), junk.size(), MSG_NOSIGNAL) > 0) {
    }
  }
  // Sends it with the bytes and closes it: the receiver has the last reference.
  void send_with(int to, std::string_view bytes, int copies = 1) {
    const std::vector<int> fds(static_cast<std::size_t>(copies), socket_.get());
    send_all(to, bytes, fds);
    // returns at once, because this is not the last reference
    socket_.reset();
  }

 private:
  UniqueFd peer_, socket_;
};

long rss_kib(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("VmRSS:")) return std::stol(line.substr(6));
  return -1;
}

std::size_t open_descriptors(pid_t pid) {
  const auto path = "/proc/" + std::to_string(pid) + "/fd";
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path),
                                                std::filesystem::directory_iterator()));
}

std::string refusal(Attached& a, int fd) {
  const std::array fds{fd};
  const auto reply = a.client.call("io.morpheus.Worker.Register", {{"pidfd", 0}}, fds);
  return reply ? "registered" : reply.error().name;
}

}  // namespace

TEST_CASE("a descriptor whose close() blocks holds nobody up, whatever way it comes") {
  const DaemonProcess daemon({}, {{"message_fds", 4}});
  Bystander bystander(daemon);
  const std::string call =
      "{\"method\":\"io.morpheus.Worker.Register\",\"parameters\":{\"pidfd\":0}}\0"s;
  const std::pair<std::string, int> ways[]{
      {call, 1},                                 // with a call
      {"{}\0"s, 1},                              // with a message that is no call
      {"\xff\0"s, 1},                            // with bytes that are no message
      {"{\"method\":", 1},                       // with half a message, and then a hang-up
      {"x", 5},                                  // more than are allowed
      {call + std::string(300'000, ' '), 200}};  // with far too much of everything
  std::deque<Lingering> kept;                    // without its peer a socket does not linger
  for (const auto& [bytes, copies] : ways) {
    const auto socket = raw_connection(daemon);
    kept.emplace_back().send_with(socket.get(), bytes, copies);
    bystander.work();
  }
  bystander.work();
}

TEST_CASE("a blocking descriptor that nobody has read is no better") {
  const DaemonProcess daemon({}, {{"connections_per_uid", 2}});
  Bystander bystander(daemon);
  std::deque<Lingering> kept;
  for (int i = 0; i < 3; ++i) {
    auto socket = raw_connection(daemon);
    // The second connection is turned away, with the descriptor in it: it comes before the daemon
    // has looked.
    REQUIRE(::kill(daemon.pid(), SIGSTOP) == 0);
    auto surplus = raw_connection(daemon);
    kept.emplace_back().send_with(surplus.get(), "x");
    surplus.reset();
    REQUIRE(::kill(daemon.pid(), SIGCONT) == 0);
    bystander.work();
    socket.reset();
    bystander.work();
  }
}

TEST_CASE("a descriptor of the wrong kind names no thread") {
  const DaemonProcess daemon;
  Bystander bystander(daemon);
  Attached a(daemon);
  std::array<int, 2> pipe{};
  REQUIRE(::pipe2(pipe.data(), O_CLOEXEC) == 0);
  const UniqueFd reader(pipe[0]), writer(pipe[1]);
  const UniqueFd memory(::memfd_create("x", MFD_CLOEXEC)), event(::eventfd(0, EFD_CLOEXEC)),
      poll(::epoll_create1(EPOLL_CLOEXEC)), directory(::open("/", O_PATH | O_CLOEXEC)),
      file(::open("/proc/self/mem", O_RDWR | O_CLOEXEC)),
      socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  for (const auto* fd : {&reader, &writer, &memory, &event, &poll, &directory, &file, &socket}) {
    REQUIRE(*fd);
    CHECK(refusal(a, fd->get()) == "io.morpheus.Worker.NoSuchThread");
  }
  const pid_t gone = ::fork();
  if (gone == 0) ::_exit(0);
  const UniqueFd dead(static_cast<int>(::syscall(SYS_pidfd_open, gone, 0)));
  ::waitpid(gone, nullptr, 0);
  CHECK(refusal(a, dead.get()) == "io.morpheus.Worker.NoSuchThread");
  bystander.work();
}

TEST_CASE("no descriptor that a client sends stays open") {
  const DaemonProcess daemon;
  Bystander bystander(daemon);
  auto client = daemon.connect();
  REQUIRE(client.call("org.varlink.service.GetInfo"));
  const auto before = open_descriptors(daemon.pid());
  // on a connection that stays open; fewer than may wait for their close()
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
  for (int i = 0; i < 40; ++i)
    REQUIRE(client.call("org.varlink.service.GetInfo", Json::object(), std::array{0, pidfd.get()}));
  for (int i = 0; i < 200; ++i) {
    const auto socket = raw_connection(daemon);
    const std::vector<int> fds(static_cast<std::size_t>(i % 250), 0);
    send_all(socket.get(), i % 2 == 0 ? "{}\0"s : "{\"half\":"s, fds);
    if (i % 3 == 0) (void)read_to_end(socket.get());
  }
  CHECK(eventually([&] { return open_descriptors(daemon.pid()) <= before; }));
  bystander.work();
}

TEST_CASE("a client in a PID namespace of its own registers its thread by pidfd") {
  if (::geteuid() != 0) SKIP("needs root, to make a PID namespace");
  const DaemonProcess daemon;
  const pid_t outside = ::fork();
  if (outside == 0) {
    if (::unshare(CLONE_NEWPID) != 0) ::_exit(77);
    const pid_t inside = ::fork();
    if (inside == 0) {
      if (::getpid() != 1) ::_exit(1);
      auto client = Client::connect(daemon.socket());
      if (!client || !client->call("io.morpheus.Worker.Attach",
                                   {{"version_major", 1}, {"version_minor", 0}, {"workers", 2}}))
        ::_exit(2);
      // its own number belongs to a thread of another process outside
      const auto by_tid = client->call("io.morpheus.Worker.Register", {{"tid", ::gettid()}});
      if (by_tid || !by_tid.error().is("io.morpheus.Worker.ThreadNotYours")) ::_exit(3);
      const auto by_pidfd = [&] {
        const std::array pidfd{static_cast<int>(::syscall(SYS_pidfd_open, ::gettid(), O_EXCL))};
        return client->call("io.morpheus.Worker.Register", {{"pidfd", 0}}, pidfd).has_value();
      };
      if (!by_pidfd()) ::_exit(4);
      bool also_another_thread = false;
      std::thread([&] { also_another_thread = by_pidfd(); }).join();
      ::_exit(also_another_thread ? 0 : 5);
    }
    int status = -1;
    ::waitpid(inside, &status, 0);
    ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 9);
  }
  int status = -1;
  REQUIRE(::waitpid(outside, &status, 0) == outside);
  REQUIRE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) SKIP("may not make PID namespaces here");
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("whatever a client writes into its lines and punches out of them, the daemon reads on") {
  const DaemonProcess daemon({"--fake-hint-ms", "1"});
  Bystander bystander(daemon);
  Attached a(daemon, 64);
  std::atomic<pid_t> tid{0};
  std::atomic<bool> done{false};
  std::thread worker([&] {
    tid = ::gettid();
    while (!done) ::usleep(1000);
  });
  while (tid == 0) ::usleep(1000);
  a.run(a.register_thread(tid));
  auto operators = daemon.connect();
  std::minstd_rand random(1);
  auto* const line = const_cast<morpheus_scb_runtime*>(&a.runtime(0));
  for (int i = 0; i < 300; ++i) {
    auto* const bytes = reinterpret_cast<unsigned char*>(line);
    for (std::size_t at = 0; at < sizeof(*line); ++at)
      bytes[at] = static_cast<unsigned char>(i % 3 == 0 ? 0xff : random());
    if (i % 5 == 0)
      CHECK(::fallocate(a.fds[1].get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) == 0);
    if (i % 7 == 0) CHECK(::madvise(line, 4096, MADV_REMOVE) == 0);
    // F_SEAL_WRITE would fail anyway, because the memory is mapped
    CHECK((::fcntl(a.fds[1].get(), F_ADD_SEALS, F_SEAL_FUTURE_WRITE) == -1 && errno == EPERM));
    const auto workers = operators.call("io.morpheus.Control.ListWorkers");
    CHECK((workers && workers->parameters["workers"].size() == 2));
  }
  done = true;
  worker.join();
  bystander.work();
}

TEST_CASE("readers that ask for a lot and read nothing take a bounded amount of memory") {
#ifdef __SANITIZE_ADDRESS__
  SKIP("AddressSanitizer keeps what was freed");
#endif
  const DaemonProcess daemon({}, {{"memory_kib_per_uid", 2048}});
  Attached crowd(daemon, 64);
  std::vector<Client> connections;
  const std::string call =
      "{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":"
      "{\"interface\":\"io.morpheus.Control\"}}\0"s;
  std::string calls;
  for (int i = 0; i < 500; ++i) calls += call;
  const long before = rss_kib(daemon.pid());
  std::vector<UniqueFd> sockets;
  for (int i = 0; i < 100; ++i) {
    sockets.push_back(raw_connection(daemon));
    (void)varlink::send_some(sockets.back().get(), calls, {});
  }
  REQUIRE(eventually([&] { return daemon.log().find("memory_kib_per_uid") != std::string::npos; }));
  ::usleep(300'000);
  // what waits is charged, and connections beyond the quota end; the allocator keeps some megabytes
  CHECK(rss_kib(daemon.pid()) - before < 2048 + 8192);
  // the quota of the readers' own user may be used up; that of others is not
  if (::geteuid() == 0) CHECK(daemon.ctl({"status"}, 65534).status == 0);
}

TEST_CASE("subscribers of one user are bounded by name") {
  const DaemonProcess daemon({}, {{"subscribers_per_uid", 2}});
  std::vector<Client> subscribers;
  for (int i = 0; i < 2; ++i) {
    subscribers.push_back(daemon.connect());
    REQUIRE(subscribers.back().call_more("io.morpheus.Control.Subscribe"));
    REQUIRE(subscribers.back().next_reply(std::chrono::seconds(5)));
  }
  auto third = daemon.connect();
  REQUIRE(third.call_more("io.morpheus.Control.Subscribe"));
  const auto refused = third.next_reply(std::chrono::seconds(5));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().is("io.morpheus.Control.QuotaExceeded"));
  CHECK(refused.error().parameters["what"] == "subscribers_per_uid");
  subscribers.pop_back();
  CHECK(eventually([&] {
    auto again = daemon.connect();
    return again.call_more("io.morpheus.Control.Subscribe") &&
           again.next_reply(std::chrono::seconds(5));
  }));
}

TEST_CASE("rights that the configuration gives to a group are refused to others by name") {
  if (::geteuid() != 0) SKIP("needs root, to become another user than the daemon's");
  const DaemonProcess daemon({{"attach_group", "daemon"}, {"read_group", "daemon"}}, Backend::fake);
  const auto as_nobody = [&](const char* method, const Json& parameters) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      if (::setgroups(0, nullptr) != 0 || ::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(99);
      auto client = Client::connect(daemon.socket());
      const auto reply = client->call(method, parameters);
      ::_exit(reply ? 0 : reply.error().is("org.varlink.service.PermissionDenied") ? 1 : 2);
    }
    int status = -1;
    ::waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  };
  CHECK(as_nobody("io.morpheus.Worker.Attach",
                  {{"version_major", 1}, {"version_minor", 0}, {"workers", 1}}) == 1);
  for (const char* method : {"GetStatus", "ListWorkers", "ListClients", "GetTunables"})
    CHECK(as_nobody(("io.morpheus.Control."s + method).c_str(), Json::object()) == 1);
  CHECK(as_nobody("org.varlink.service.GetInfo", Json::object()) == 0);
  Attached root(daemon);
  CHECK(root.client.call("io.morpheus.Control.GetStatus"));
}
