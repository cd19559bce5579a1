// SPDX-License-Identifier: GPL-2.0-only
// The services without sockets: calls in, outcomes out, with the fake kernel.
#include <sys/syscall.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <thread>

#include "daemon/kernel/fake_kernel.hpp"
#include "daemon/service/control_service.hpp"
#include "daemon/service/worker_service.hpp"

using namespace morpheus;
using namespace morpheus::daemon;

namespace {

struct ServiceFixture {
  explicit ServiceFixture(FakeOptions fake = {}, ConfigLimits limits = {})
      : kernel(std::move(fake)) {
    config.limits = limits;
    REQUIRE(kernel.start(config.tunables));
    add_worker_service(router, core);
    add_control_service(router, core);
    caller.peer.pid = ::getpid();
    caller.peer.uid = ::getuid();
    caller.peer.pidfd.reset(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
  }

  Outcome call(const std::string& method, Json parameters = Json::object(), FdList fds = {}) {
    Call c{"io.morpheus." + method, std::move(parameters), std::move(fds), false, false};
    auto outcome = router.call(c, caller);
    if (outcome && outcome->write_more) {
      std::string text;
      while (outcome->write_more(text)) {
      }
      outcome->parameters = parse_json(text);
    }
    return outcome;
  }
  Outcome attach(int workers = 4) {
    return call("Worker.Attach",
                {{"version_major", 1}, {"version_minor", 0}, {"workers", workers}});
  }
  std::string error(const std::string& method, Json parameters = Json::object(), FdList fds = {}) {
    const auto outcome = call(method, std::move(parameters), std::move(fds));
    return outcome ? "none" : outcome.error().name;
  }
  int register_self() {
    auto registered = call("Worker.Register", {{"tid", ::gettid()}});
    REQUIRE(registered);
    return registered->parameters["slot"];
  }
  bool to(int slot, const char* state) {
    return call("Worker.SetState", {{"slot", slot}, {"state", state}}).has_value();
  }

  Config config;
  FakeKernel kernel;
  Core core{config, kernel, AccessRules{::geteuid(), {}}, GlobalBlock::create().value()};
  Router router;
  Caller caller;
};

const std::string kInvalid = "org.varlink.service.InvalidParameter";

}  // namespace

TEST_CASE("attaching gives three descriptors and at least the requested lines") {
  ServiceFixture f;
  auto attached = f.attach(65);
  REQUIRE(attached);
  CHECK(attached->fds.size() == 3);
  CHECK(attached->parameters["capacity"] == 128);
  CHECK(attached->parameters["line_size"] == 64);
  CHECK(f.attach().error().name == "io.morpheus.Worker.AlreadyAttached");
}

TEST_CASE("a new worker has none of the claims of the worker that had its line before") {
  ServiceFixture f;
  REQUIRE(f.attach());
  const auto slot = f.register_self();
  auto& line = f.caller.client->lines.runtime_line(0);
  CHECK(line.runtime_priority == MORPHEUS_PRIORITY_DEFAULT);
  line.escapable = line.is_in_critical_section = line.runtime_priority = 1;
  line.last_ack_seq = 7;
  REQUIRE(f.call("Worker.Unregister", {{"slot", slot}}));
  (void)f.register_self();
  CHECK(line.escapable == 0);
  CHECK(line.is_in_critical_section == 0);
  CHECK(line.last_ack_seq == 0);
  CHECK(line.runtime_priority == MORPHEUS_PRIORITY_DEFAULT);
}

TEST_CASE("attaching with another major version or nonsense is refused by name") {
  ServiceFixture f;
  CHECK(f.error("Worker.Attach", {{"version_major", 2}, {"version_minor", 0}, {"workers", 1}}) ==
        "io.morpheus.Worker.VersionMismatch");
  CHECK(f.call("Worker.Attach", {{"version_major", 1}, {"version_minor", 9}, {"workers", 1}}));
  for (const Json& bad :
       {Json{{"workers", 1}}, Json{{"workers", 0}}, Json{{"workers", -1}}, Json{{"workers", "1"}},
        Json{{"workers", 1.5}}, Json{{"workers", 1}, {"name", std::string(65, 'x')}}}) {
    Json parameters{{"version_major", 1}, {"version_minor", 0}};
    parameters.update(bad);
    if (bad == Json{{"workers", 1}}) parameters["surplus"] = 1;
    CHECK(f.error("Worker.Attach", parameters) == kInvalid);
  }
}

TEST_CASE("quotas on lines, memory and workers are named") {
  ConfigLimits limits;
  limits.workers_per_client = 2;
  ServiceFixture f({}, limits);
  auto refused = f.attach(3);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().parameters == Json{{"what", "workers_per_client"}, {"limit", 2}});

  limits = {};
  limits.memory_kib_per_uid = 8;
  ServiceFixture small({}, limits);
  REQUIRE(small.attach(64));
  small.caller.client = nullptr;  // as another connection of the same user
  CHECK(small.attach(1).error().parameters["what"] == "memory_kib_per_uid");

  limits = {};
  limits.workers_per_uid = 1;
  ServiceFixture one({}, limits);
  REQUIRE(one.attach());
  one.register_self();
  std::thread([&] {
    CHECK(one.call("Worker.Register", {{"tid", ::gettid()}}).error().parameters["what"] ==
          "workers_per_uid");
  }).join();
}

TEST_CASE("a worker goes through its lifecycle and no other way") {
  ServiceFixture f;
  CHECK(f.error("Worker.Register", {{"tid", ::gettid()}}) == "io.morpheus.Worker.NotAttached");
  REQUIRE(f.attach());
  const int slot = f.register_self();
  CHECK(f.error("Worker.Register", {{"tid", ::gettid()}}) ==
        "io.morpheus.Worker.AlreadyRegistered");
  auto refused = f.call("Worker.SetState", {{"slot", slot}, {"state", "QUIESCING"}});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().name == "io.morpheus.Worker.InvalidTransition");
  CHECK(refused.error().parameters == Json{{"from", "REGISTERED"}, {"to", "QUIESCING"}});
  CHECK(f.to(slot, "RUNNING"));
  CHECK_FALSE(f.to(slot, "RUNNING"));
  CHECK(f.to(slot, "QUIESCING"));
  CHECK(f.to(slot, "RUNNING"));
  CHECK(f.caller.client->lines.kernel_line(slot).worker_state == MORPHEUS_WORKER_RUNNING);
  CHECK(f.error("Worker.SetState", {{"slot", slot}, {"state", "FLYING"}}) == kInvalid);
  CHECK(f.error("Worker.SetState", {{"slot", 99}, {"state", "RUNNING"}}) ==
        "io.morpheus.Worker.NoSuchSlot");
  CHECK(f.call("Worker.Unregister", {{"slot", slot}}));
  CHECK(f.error("Worker.Unregister", {{"slot", slot}}) == "io.morpheus.Worker.NoSuchSlot");
  CHECK(f.register_self() == slot);
}

TEST_CASE("threads are named by tid or by pidfd, and must be the peer's") {
  ServiceFixture f;
  REQUIRE(f.attach());
  CHECK(f.error("Worker.Register") == kInvalid);
  CHECK(f.error("Worker.Register", {{"tid", 1}, {"pidfd", 0}}) == kInvalid);
  CHECK(f.error("Worker.Register", {{"pidfd", 0}}) == kInvalid);
  CHECK(f.error("Worker.Register", {{"tid", 1}}) == "io.morpheus.Worker.ThreadNotYours");
  CHECK(f.error("Worker.Register", {{"tid", 0x7fffffff}}) == "io.morpheus.Worker.NoSuchThread");
  FdList no_pidfd;
  no_pidfd.emplace_back(::dup(0));
  CHECK(f.error("Worker.Register", {{"pidfd", 0}}, std::move(no_pidfd)) ==
        "io.morpheus.Worker.NoSuchThread");
  FdList foreign;
  foreign.emplace_back(static_cast<int>(::syscall(SYS_pidfd_open, 1, 0)));
  CHECK(f.error("Worker.Register", {{"pidfd", 0}}, std::move(foreign)) ==
        "io.morpheus.Worker.ThreadNotYours");
  FdList own;
  own.emplace_back(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
  CHECK(f.call("Worker.Register", {{"pidfd", 0}}, std::move(own)));
}

TEST_CASE("a worker that comes back goes on counting where it stopped") {
  ServiceFixture f;
  REQUIRE(f.attach());
  REQUIRE(f.call("Worker.Register", {{"tid", ::gettid()}, {"last_ack_seq", 41}}));
  const auto& line = f.caller.client->lines.kernel_line(0);
  CHECK(line.preempt_seq == 42);
  CHECK(line.withdrawn_seq == 42);
}

TEST_CASE("a thread that ended makes room") {
  ServiceFixture f;
  REQUIRE(f.attach());
  std::thread([&] { f.register_self(); }).join();
  CHECK(f.core.clients().worker_count() == 1);
  f.core.tick();
  CHECK(f.core.clients().worker_count() == 0);
}

TEST_CASE("a detached client leaves nothing behind, but what was counted") {
  ServiceFixture f;
  REQUIRE(f.attach());
  const int slot = f.register_self();
  REQUIRE(f.to(slot, "RUNNING"));
  f.kernel.hint_next();
  f.core.events().drain();
  CHECK(f.core.clients().totals().hints == 1);
  f.core.clients().detach(*std::exchange(f.caller.client, nullptr));
  CHECK(f.core.clients().worker_count() == 0);
  CHECK(f.core.clients().all().empty());
  CHECK(f.core.clients().totals().hints == 1);
  CHECK(f.attach());
}

TEST_CASE("acknowledgements are measured and published") {
  ServiceFixture f;
  REQUIRE(f.attach());
  const int slot = f.register_self();
  REQUIRE(f.to(slot, "RUNNING"));
  auto subscription = f.core.events().stream().subscribe(10);
  f.kernel.hint_next();
  f.core.events().drain();
  auto& runtime = f.caller.client->lines.runtime_line(slot);
  runtime.last_ack_ns = f.caller.client->lines.kernel_line(slot).hint_deadline_ns;  // too late
  runtime.last_ack_seq = 1;
  f.kernel.hint_next();
  f.core.events().drain();
  CHECK(f.core.events().ack_latency().count() == 1);
  const auto events = subscription->take(10)["events"];
  REQUIRE(events.size() == 3);
  CHECK(events[0]["type"] == "HINT");
  CHECK(events[0]["reason"] == "PRESSURE");
  CHECK(events[0]["tid"] == ::gettid());
  CHECK(events[1]["type"] == "ACKNOWLEDGED");
  CHECK(events[2]["type"] == "HINT");
}

TEST_CASE("status and workers show the present state") {
  ServiceFixture f;
  REQUIRE(f.attach());
  const int slot = f.register_self();
  auto& runtime = f.caller.client->lines.runtime_line(slot);
  runtime.escalation_policy = 77;
  runtime.runtime_priority = 0xffffffff;
  const auto status = f.call("Control.GetStatus");
  REQUIRE(status);
  CHECK(status->parameters["workers"] == 1);
  CHECK(status->parameters["backend"] == "fake");
  CHECK(status->parameters["scheduler"]["enforced_available"] == true);
  const auto workers = f.call("Control.ListWorkers");
  REQUIRE(workers);
  const auto& worker = workers->parameters["workers"][0];
  CHECK(worker["tid"] == ::gettid());
  CHECK(worker["state"] == "REGISTERED");
  CHECK(worker["policy"] == "UNKNOWN");
  CHECK(worker["priority"] == 1000);
  CHECK(f.call("Control.ListClients")->parameters["clients"][0]["pid"] == ::getpid());
  CHECK(f.error("Control.GetStatus", {{"x", 1}}) == kInvalid);
}

TEST_CASE("only admins change anything") {
  ServiceFixture f;
  CHECK(f.call("Control.SetMode", {{"mode", "enforced"}}));
  CHECK(f.core.global().block().scheduler_mode == MORPHEUS_ENFORCED);
  CHECK(f.call("Control.SetTunables", {{"slice_ns", 4'000'000}}));
  CHECK(f.core.tunables().slice_ns == 4'000'000);
  CHECK(f.core.tunables().grace_ns == kDefaultTunables.grace_ns);
  f.caller.peer.uid = ::geteuid() + 1;
  CHECK(f.error("Control.SetMode", {{"mode", "observer"}}) ==
        "org.varlink.service.PermissionDenied");
  CHECK(f.error("Control.SetTunables", {{"slice_ns", 3'000'000}}) ==
        "org.varlink.service.PermissionDenied");
  CHECK(f.core.enforcement().mode() == Mode::enforced);
  CHECK(f.core.tunables().slice_ns == 4'000'000);
}

TEST_CASE("tunables change together or not at all") {
  ServiceFixture f;
  auto refused = f.call("Control.SetTunables", {{"slice_ns", 4'000'000}, {"grace_ns", 1}});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().name == "io.morpheus.Control.InvalidTunables");
  CHECK(f.core.tunables().slice_ns == kDefaultTunables.slice_ns);
  CHECK(f.error("Control.SetTunables", {{"slice", 1}}) == kInvalid);
}

TEST_CASE("Enforced that cannot be had says why, and nothing changes") {
  ServiceFixture f({0, "no sched_ext in this kernel", false});
  auto refused = f.call("Control.SetMode", {{"mode", "enforced"}});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().name == "io.morpheus.Control.EnforcedUnavailable");
  CHECK(refused.error().parameters["reason"] == "no sched_ext in this kernel");
  CHECK(f.core.enforcement().mode() == Mode::observer);
}

TEST_CASE("an ejected scheduler is not claimed to be in force") {
  ServiceFixture f({0, "", true});
  REQUIRE(f.call("Control.SetMode", {{"mode", "enforced"}}));
  CHECK(f.core.global().block().scheduler_mode == MORPHEUS_OBSERVER_ONLY);
  const auto status = f.call("Control.GetStatus");
  CHECK(status->parameters["mode"] == "enforced");
  CHECK(status->parameters["scheduler"]["attached"] == false);
}

TEST_CASE("the heartbeat shows clients a clean stop") {
  ServiceFixture f;
  CHECK(f.core.global().block().heartbeat_ns > 0);
  CHECK(f.core.global().block().magic == MORPHEUS_SCB_MAGIC);
  f.core.announce_stop();
  CHECK(f.core.global().block().heartbeat_ns == 0);
}

TEST_CASE("unknown methods and interfaces are told apart") {
  ServiceFixture f;
  CHECK(f.error("Worker.Fly") == "org.varlink.service.MethodNotFound");
  CHECK(f.error("Air.Fly") == "org.varlink.service.InterfaceNotFound");
  Call info{"org.varlink.service.GetInterfaceDescription",
            {{"interface", "io.morpheus.Worker"}},
            {},
            false,
            false};
  const auto described = f.router.call(info, f.caller);
  REQUIRE(described);
  const auto text = described->parameters["description"].get<std::string>();
  CHECK(text.find("interface io.morpheus.Worker\n") != std::string::npos);
  CHECK(f.error("Control.Subscribe") == "org.varlink.service.ExpectedMore");
}

TEST_CASE("a message that is no call is not read as one") {
  CHECK(parse_call(Json{{"method", "a.B"}}));
  CHECK(parse_call(Json{{"method", "a.B"}, {"parameters", nullptr}}));
  for (const Json& bad :
       {Json::object(), Json{{"method", 1}}, Json{{"method", "a.B"}, {"parameters", 1}},
        Json{{"method", "a.B"}, {"more", 1}},
        Json{{"method", "a.B"}, {"more", true}, {"oneway", true}}})
    CHECK_FALSE(parse_call(bad));
}
