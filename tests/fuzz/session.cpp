// SPDX-License-Identifier: GPL-2.0-only
// Fuzzes a connection as a whole: a real Session on a socket pair, with the fake kernel behind it.
// The input is a list of steps of one byte each and their operands, see step(). At the end every
// charge must have been given back.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <boost/asio/io_context.hpp>

#include "daemon/kernel/fake_kernel.hpp"
#include "daemon/log.hpp"
#include "daemon/service/control_service.hpp"
#include "daemon/service/worker_service.hpp"
#include "daemon/socket/session.hpp"
#include "proto/varlink_socket.hpp"
#include "tests/fuzz/target.hpp"

using namespace morpheus;
using namespace morpheus::daemon;

namespace {

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size)
      : rest_(reinterpret_cast<const char*>(data), size) {}
  [[nodiscard]] bool empty() const { return rest_.empty(); }
  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const auto first = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return first;
  }
  std::string_view bytes() {
    const std::size_t length = byte();
    const auto taken = rest_.substr(0, length);
    rest_.remove_prefix(taken.size());
    return taken;
  }

 private:
  std::string_view rest_;
};

class Machine {
 public:
  Machine() {
    config_.limits.workers = 8;
    config_.limits.workers_per_client = 4;
    config_.limits.message_bytes = 2048;
    config_.limits.message_fds = 2;
    config_.limits.subscriber_events = 4;
    log::set_level("off");
    add_worker_service(router_, core_);
    add_control_service(router_, core_);
    std::array<int, 2> pair{};
    require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair.data()) == 0);
    ours_.reset(pair[0]);
    auto peer = Peer::of(pair[1]);
    require(peer.has_value());
    session_ =
        std::make_shared<Session>(SessionContext{loop_, core_, router_, refusals_, turns_, closer_},
                                  UniqueFd(pair[1]), std::move(*peer));
    session_->start([] {});
    settle();
  }
  ~Machine() {
    session_->close();
    settle();
    require(core_.clients().all().empty());
    require(core_.clients().worker_count() == 0);
    for (const auto resource :
         {Resource::memory, Resource::workers, Resource::requests, Resource::subscribers})
      require(core_.accounts().total(resource) == 0);
  }
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  void step(Input& input) {
    switch (input.byte() % 8) {
      case 0:
        send(input.bytes(), input.byte());
        break;
      case 1:
        send(std::string(input.bytes()) + '\0', 0);
        break;
      case 2:
      case 3:
        call(input);
        break;
      case 4:
        core_.tick();
        break;
      case 5:
        kernel_.hint_next();
        core_.events().drain();
        break;
      case 6:
        read_all();
        break;
      default:
        session_->check_patience(Session::Clock::now() + std::chrono::seconds(input.byte()));
    }
    settle();
  }

 private:
  // A well-formed call, to reach the states behind it.
  void call(Input& input) {
    static constexpr std::array kStates{"REGISTERED", "RUNNING", "QUIESCING", "DEAD", "INIT", "x"};
    const int number = input.byte() % 6;
    const auto small = static_cast<int>(input.byte() % 6);
    Json message;
    switch (number) {
      case 0:
        message = {
            {"method", "io.morpheus.Worker.Attach"},
            {"parameters", {{"version_major", 1}, {"version_minor", 0}, {"workers", small}}}};
        break;
      case 1:
        message = {{"method", "io.morpheus.Worker.Register"},
                   {"parameters", {{"tid", ::gettid() + small}}}};
        break;
      case 2:
        message = {
            {"method", "io.morpheus.Worker.SetState"},
            {"parameters",
             {{"slot", input.byte() % 3}, {"state", kStates[static_cast<std::size_t>(small)]}}}};
        break;
      case 3:
        message = {{"method", "io.morpheus.Worker.Unregister"}, {"parameters", {{"slot", small}}}};
        break;
      case 4:
        message = {{"method", "io.morpheus.Control.Subscribe"}, {"more", small > 0}};
        break;
      default:
        message = {{"method", "io.morpheus.Worker.Register"}, {"parameters", {{"pidfd", small}}}};
        return send(varlink::encode_message(message), static_cast<std::uint8_t>(1 + input.byte()));
    }
    send(varlink::encode_message(message), 0);
  }

  void send(std::string_view bytes, std::uint8_t kind) {
    if (bytes.empty()) return;
    std::array<int, 2> pipe{-1, -1};
    std::vector<int> fds;
    if (kind % 4 == 1)
      fds.push_back(static_cast<int>(::syscall(SYS_pidfd_open, ::gettid(), O_EXCL)));
    if (kind % 4 == 2) fds.push_back(::memfd_create("x", MFD_CLOEXEC));
    if (kind % 4 == 3 && ::pipe2(pipe.data(), O_CLOEXEC) == 0)
      fds.assign({pipe[0], pipe[1], pipe[0]});
    (void)varlink::send_some(ours_.get(), bytes, fds);
    if (kind % 4 == 3) fds.pop_back();
    for (const int fd : fds) ::close(fd);
  }

  void read_all() {
    std::array<char, 65536> buffer;
    while (true) {
      const auto got = varlink::receive_some(ours_.get(), buffer, varlink::kMostFds);
      if (!got || got->size == 0) return;
    }
  }

  void settle() {
    loop_.restart();
    loop_.poll();
  }

  Config config_;
  FakeKernel kernel_;
  boost::asio::io_context loop_;
  Core core_{config_, kernel_, AccessRules{::geteuid(), {}}, GlobalBlock::create().value()};
  Router router_;
  RefusalLog refusals_;
  Turns turns_{loop_};
  Closer closer_;
  UniqueFd ours_;
  std::shared_ptr<Session> session_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  Machine machine;
  for (int steps = 0; !input.empty() && steps < 64; ++steps) machine.step(input);
  return 0;
}
