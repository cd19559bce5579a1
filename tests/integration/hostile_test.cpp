// SPDX-License-Identifier: GPL-2.0-only
// Each way of misbehaving gets its named error, or the connection is dropped; a second client
// notices nothing.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <future>
#include <semaphore>
#include <thread>

#include "proto/varlink_socket.hpp"
#include "tests/integration/bystander.hpp"

using namespace morpheus;
using namespace morpheus::test;
using namespace std::chrono_literals;
using namespace std::string_literals;

namespace {

// The error that ends the connection after these bytes.
std::string last_words(const DaemonProcess& daemon, std::string_view bytes,
                       std::span<const int> fds = {}) {
  const auto socket = raw_connection(daemon);
  send_all(socket.get(), bytes, fds);
  auto reply = read_to_end(socket.get());
  if (!reply) return "still open";
  if (reply->empty()) return "closed without a word";
  return parse_json(reply->substr(0, reply->find('\0'))).value("error", "no error");
}

// The next answers on a connection; fewer if the daemon keeps us waiting.
std::vector<Json> answers(int socket, std::size_t count) {
  std::vector<Json> all;
  std::string rest;
  std::array<char, 65536> buffer;
  pollfd watched{socket, POLLIN, 0};
  while (all.size() < count && ::poll(&watched, 1, 10'000) > 0) {
    const auto got = varlink::receive_some(socket, buffer, 0);
    if (!got || got->size == 0) break;
    rest.append(buffer.data(), got->size);
    for (std::size_t end = rest.find('\0'); end != std::string::npos; end = rest.find('\0')) {
      all.push_back(parse_json(rest.substr(0, end)));
      rest.erase(0, end + 1);
    }
  }
  return all;
}

}  // namespace

TEST_CASE("what breaks the protocol is answered by name and ends the connection") {
  const DaemonProcess daemon({}, {{"message_bytes", 4096}, {"message_fds", 2}});
  Bystander bystander(daemon);
  const std::string malformed = "io.morpheus.Transport.MalformedMessage";
  CHECK(last_words(daemon, "{\"method\":\0"s) == malformed);
  CHECK(last_words(daemon, "GET / HTTP/1.1\r\n\r\n\0"s) == malformed);
  CHECK(last_words(daemon, "{\"method\":\"\xff\"}\0"s) == malformed);
  CHECK(last_words(daemon, "{\"method\":1}\0"s) == malformed);
  CHECK(last_words(daemon, "{\"a\":" + std::string(1000, '[') + "\0"s) == malformed);
  CHECK(last_words(daemon, std::string(5000, ' ')) == "io.morpheus.Transport.MessageTooLong");
  CHECK(last_words(daemon, std::string(10'000'000, ' ')) == "io.morpheus.Transport.MessageTooLong");
  const std::array many{0, 0, 0};
  CHECK(last_words(daemon, "{", many) == "io.morpheus.Transport.TooManyDescriptors");
  bystander.work();
}

TEST_CASE("descriptors that trickle in are bounded too, and do not stay open in the daemon") {
  const DaemonProcess daemon({}, {{"message_fds", 2}});
  Bystander bystander(daemon);
  const auto socket = raw_connection(daemon);
  const std::array one{0};
  for (int i = 0; i < 10; ++i) {
    send_all(socket.get(), " ", one);
    ::usleep(1000);
  }
  CHECK(read_to_end(socket.get()).has_value());
  bystander.work();
}

TEST_CASE("a wrong call is answered by name, and the connection goes on") {
  const DaemonProcess daemon;
  auto client = daemon.connect();
  CHECK(client.call("io.morpheus.Worker.Fly").error().is("org.varlink.service.MethodNotFound"));
  CHECK(client.call("com.example.Fly").error().is("org.varlink.service.InterfaceNotFound"));
  CHECK(client.call("io.morpheus.Control.SetMode", {{"mode", 1}})
            .error()
            .is("org.varlink.service.InvalidParameter"));
  Attached a(daemon);
  CHECK(a.client.call("io.morpheus.Worker.Unregister", {{"slot", 9}})
            .error()
            .is("io.morpheus.Worker.NoSuchSlot"));
  const int slot = a.register_thread(::gettid());
  CHECK(a.client.call("io.morpheus.Worker.SetState", {{"slot", slot}, {"state", "DEAD"}})
            .error()
            .is("io.morpheus.Worker.InvalidTransition"));
  CHECK(client.call("io.morpheus.Control.GetStatus"));
}

TEST_CASE("a refusal is logged once for a connection, however often it happens") {
  DaemonProcess daemon;
  auto client = daemon.connect();
  for (int i = 0; i < 50; ++i) CHECK_FALSE(client.call("io.morpheus.Worker.Fly"));
  ::usleep(
      1'200'000);  // longer than the limit for each user, which would hide that of the connection
  CHECK_FALSE(client.call("io.morpheus.Worker.Fly"));
  daemon.stop(15);
  const auto log = daemon.log();
  const auto first = log.find("MethodNotFound");
  REQUIRE(first != std::string::npos);
  CHECK(log.find("MethodNotFound", first + 1) == std::string::npos);
}

TEST_CASE("half a message is waited for, but not for ever") {
  const DaemonProcess daemon({}, {{"stall_timeout_ms", 200}});
  Bystander bystander(daemon);
  const auto socket = raw_connection(daemon);
  send_all(socket.get(), "{\"method\":");
  bystander.work();
  CHECK(read_to_end(socket.get()) == "");
  bystander.work();
}

TEST_CASE("a connection without purpose is dropped, an attached one is not") {
  const DaemonProcess daemon({}, {{"idle_timeout_ms", 200}});
  Attached attached(daemon);
  const auto idle = raw_connection(daemon);
  CHECK(read_to_end(idle.get()) == "");
  CHECK(attached.client.call("io.morpheus.Worker.Register", {{"tid", ::gettid()}}));
}

TEST_CASE("a peer that asks and does not read is dropped") {
  const DaemonProcess daemon({}, {{"stall_timeout_ms", 300}});
  Bystander bystander(daemon);
  const auto socket = raw_connection(daemon);
  const std::string call =
      "{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":"
      "{\"interface\":\"io.morpheus.Control\"}}\0"s;
  // far more than both socket buffers and the pause threshold hold
  std::size_t accepted = 0;
  bool dropped = false;
  const auto end = std::chrono::steady_clock::now() + 5s;
  while (!dropped && std::chrono::steady_clock::now() < end) {
    auto sent = varlink::send_some(socket.get(), call, {});
    if (sent) accepted += *sent;
    dropped = !sent && sent.error().code != EAGAIN;
    if (!sent) ::usleep(1000);
    if (accepted % (100 * call.size()) == 0) bystander.work();
  }
  CHECK(dropped);
  CHECK(accepted < 10'000'000);
  bystander.work();
}

TEST_CASE("a flood of calls does not starve others") {
  const DaemonProcess daemon;
  Bystander bystander(daemon);
  const auto socket = raw_connection(daemon);
  const std::string call = "{\"method\":\"io.morpheus.Nothing.X\"}\0"s;
  std::string many;
  for (int i = 0; i < 200; ++i) many += call;
  std::array<char, 65536> buffer;
  for (int i = 0; i < 20; ++i) {
    send_all(socket.get(), many);
    bystander.work();
    while (varlink::receive_some(socket.get(), buffer, 0)) {
    }
  }
}

TEST_CASE(
    "a call waits for one turn of another user's storm, however many connections that comes from") {
  if (::geteuid() != 0) SKIP("needs two users, so root");
  // The first connection has far more calls than fit into a turn. The storm is root's: of two users
  // who have had nothing yet, root has the first turn.
  constexpr std::size_t kConnections = 40, kCalls = 50, kCallsOfFirst = 300;
  const DaemonProcess daemon;
  REQUIRE(::seteuid(65534) == 0);
  auto ours = daemon.connect();
  REQUIRE(ours.call("io.morpheus.Control.GetStatus"));
  REQUIRE(::seteuid(0) == 0);
  std::vector<UniqueFd> storm;
  while (storm.size() < kConnections) storm.push_back(raw_connection(daemon));
  const auto calls = [](std::size_t count) {
    std::string all;
    while (count-- > 0) all += "{\"method\":\"io.morpheus.Control.GetStatus\"}\0"s;
    return all;
  };
  // all calls are there when the daemon goes on, whatever CPUs the threads get: the answers
  // themselves show the order
  REQUIRE(::kill(daemon.pid(), SIGSTOP) == 0);
  for (std::size_t i = 0; i < kConnections; ++i)
    send_all(storm[i].get(), calls(i == 0 ? kCallsOfFirst : kCalls));
  std::thread goes_on([&] { ::usleep(20'000), ::kill(daemon.pid(), SIGCONT); });
  const auto ours_at = ours.call("io.morpheus.Control.GetStatus");
  goes_on.join();
  REQUIRE(ours_at);
  std::size_t all = 0, before = 0;
  for (std::size_t i = 0; i < kConnections; ++i) {
    for (const auto& answered : answers(storm[i].get(), i == 0 ? kCallsOfFirst : kCalls)) {
      ++all;
      if (answered["parameters"]["uptime_ns"] < ours_at->parameters["uptime_ns"]) ++before;
    }
  }
  CHECK(all == (kConnections - 1) * kCalls + kCallsOfFirst);
  INFO(before << " of " << all << " calls were answered first");
  CHECK(before <= 100);
}

TEST_CASE("a list that is longer than may wait for a reader is written as it is read") {
  constexpr int kWorkers = 1000;
  const DaemonProcess daemon({}, {{"output_bytes", 65536}});
  Attached attached(daemon, kWorkers);
  std::binary_semaphore over(0);
  std::vector<std::jthread> threads;
  for (int i = 0; i < kWorkers; ++i) {
    std::promise<pid_t> tid;
    threads.emplace_back([&] { tid.set_value(::gettid()), over.acquire(), over.release(); });
    attached.register_thread(tid.get_future().get());
  }
  const auto socket = raw_connection(daemon);
  send_all(socket.get(), "{\"method\":\"io.morpheus.Control.ListWorkers\"}\0"s);
  ::usleep(300'000);  // unread, far more than the socket holds
  const auto answered = answers(socket.get(), 1);
  over.release();
  REQUIRE(answered.size() == 1);
  CHECK(answered[0].dump().size() > 300'000);
  CHECK(answered[0]["parameters"]["workers"].size() == kWorkers);
}

TEST_CASE("halves of messages are charged to their user, too") {
  const DaemonProcess daemon({}, {{"memory_kib_per_uid", 128}});
  CHECK(last_words(daemon, "{\"method\":\"" + std::string(200'000, 'x')) ==
        "io.morpheus.Transport.QuotaExceeded");
  // the charge ends with the connection
  const auto socket = raw_connection(daemon);
  send_all(socket.get(), "{\"method\":\"" + std::string(100'000, 'x'));
  CHECK(daemon.connect().call("io.morpheus.Control.GetStatus"));
}

TEST_CASE("calls whose answers nobody takes are bounded by name") {
  const DaemonProcess daemon({}, {{"requests_per_uid", 4}});
  const auto socket = raw_connection(daemon);
  std::string calls;
  for (int i = 0; i < 100; ++i)
    calls +=
        "{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":"
        "{\"interface\":\"io.morpheus.Control\"}}\0"s;
  send_all(socket.get(), calls);
  REQUIRE(eventually([&] { return daemon.log().find("requests_per_uid") != std::string::npos; }));
  const auto said = read_to_end(socket.get());
  REQUIRE(said);
  CHECK(said->find("QuotaExceeded") != std::string::npos);
  CHECK(daemon.connect().call("io.morpheus.Control.GetStatus"));
}

TEST_CASE("users together cannot lock the operator out") {
  if (::geteuid() != 0) SKIP("needs two users, so root");
  const DaemonProcess daemon({}, {{"connections", 1}});
  auto first = daemon.connect();
  REQUIRE(first.call("io.morpheus.Control.GetStatus"));
  const auto user = daemon.ctl({"status"}, 65534);
  CHECK(user.status == 1);
  CHECK(user.err.find("TooManyConnections") != std::string::npos);
  CHECK(daemon.ctl({"status"}).status == 0);
}

TEST_CASE("connections of one user are bounded, and one that ends makes room") {
  const DaemonProcess daemon({}, {{"connections_per_uid", 3}});
  std::vector<Client> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(daemon.connect());
    REQUIRE(eventually([&] {
      if (clients.back().call("io.morpheus.Control.GetStatus")) return true;
      clients.back() = daemon.connect();  // the fixture's own first connection may still be there
      return false;
    }));
  }
  auto fourth = daemon.connect();
  const auto refused = fourth.call("io.morpheus.Control.GetStatus");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().is("io.morpheus.Transport.TooManyConnections"));
  clients.pop_back();
  CHECK(eventually(
      [&] { return daemon.connect().call("io.morpheus.Control.GetStatus").has_value(); }));
}

TEST_CASE("workers are bounded by name") {
  const DaemonProcess daemon({}, {{"workers_per_client", 2}});
  auto client = daemon.connect();
  auto refused = client.call("io.morpheus.Worker.Attach",
                             {{"version_major", 1}, {"version_minor", 0}, {"workers", 3}});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().is("io.morpheus.Worker.QuotaExceeded"));
  CHECK(refused.error().parameters["what"] == "workers_per_client");
}
