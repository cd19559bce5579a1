// SPDX-License-Identifier: GPL-2.0-only
#include "sdk/src/client/daemon_link.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <optional>

#include "proto/varlink_client.hpp"
#include "sdk/src/client/call_in_flight.hpp"
#include "sdk/src/client/fixed_window.hpp"

#ifndef PIDFD_THREAD  // since Linux 6.9; not in Debian 12's headers
#define PIDFD_THREAD O_EXCL
#endif

namespace morpheus::sdk {
namespace {

using varlink::Json;

constexpr const char* kStateNames[] = {"INIT", "REGISTERED", "RUNNING", "QUIESCING", "DEAD"};
static_assert(std::size(kStateNames) == MORPHEUS_WORKER_STATE_COUNT);

std::optional<std::uint64_t> number(const Json& object, const char* key) {
  const auto it = object.find(key);
  if (it == object.end() || !it->is_number_unsigned()) return std::nullopt;
  return it->get<std::uint64_t>();
}

/// The descriptor that the reply names under `key`.
Result<UniqueFd> take_fd(varlink::Reply& reply, const char* key) {
  const auto index = number(reply.parameters, key);
  if (!index || *index >= reply.fds.size() || !reply.fds[*index])
    return fail(std::string("Attach: no descriptor ") + key, EPROTO);
  return std::move(reply.fds[*index]);
}

}  // namespace

LinkSpec LinkSpec::from(const morpheus_options* options) {
  const morpheus_options given = options == nullptr ? morpheus_options{} : *options;
  const char* from_environment = ::secure_getenv("MORPHEUS_SOCKET");
  LinkSpec spec;
  if (given.socket != nullptr)
    spec.socket = given.socket;
  else
    spec.socket = from_environment != nullptr ? from_environment : MORPHEUS_DEFAULT_SOCKET;
  spec.name = given.name != nullptr ? given.name : program_invocation_short_name;
  spec.workers = given.max_workers == 0 ? kDefaultWorkers : given.max_workers;
  return spec;
}

/// The connection. No other file of the SDK knows Varlink and JSON.
class DaemonLink::Wire {
 public:
  explicit Wire(varlink::Client client) : client_(std::move(client)) {}

  [[nodiscard]] Result<varlink::Reply> call(const char* method, const Json& parameters,
                                            int fd = -1);
  [[nodiscard]] int fd() const { return client_.fd(); }

 private:
  varlink::Client client_;
};

DaemonLink::DaemonLink(std::unique_ptr<Wire> wire) : wire_(std::move(wire)) {}
DaemonLink::DaemonLink(DaemonLink&&) noexcept = default;
DaemonLink& DaemonLink::operator=(DaemonLink&&) noexcept = default;
DaemonLink::~DaemonLink() = default;

int DaemonLink::fd() const { return wire_->fd(); }

Result<DaemonLink> DaemonLink::open(const LinkSpec& spec) {
  auto client = varlink::Client::connect(spec.socket);
  if (!client) return tl::unexpected(client.error());
  DaemonLink link(std::make_unique<Wire>(std::move(*client)));
  if (auto attached = link.attach(spec); !attached) return tl::unexpected(attached.error());
  return link;
}

Result<void> DaemonLink::attach(const LinkSpec& spec) {
  auto reply = wire_->call("Attach", {{"version_major", MORPHEUS_SCB_VERSION_MAJOR},
                                      {"version_minor", MORPHEUS_SCB_VERSION_MINOR},
                                      {"workers", spec.workers},
                                      {"name", spec.name},
                                      {"library", MORPHEUS_PROJECT_VERSION}});
  if (!reply) return tl::unexpected(reply.error());
  slots_ = spec.workers;
  if (number(reply->parameters, "version_major") != MORPHEUS_SCB_VERSION_MAJOR ||
      number(reply->parameters, "line_size") != MORPHEUS_SCB_LINE_SIZE ||
      number(reply->parameters, "capacity").value_or(0) < slots_)
    return fail("Attach: the daemon speaks another protocol", EPROTO);

  auto kernel = take_fd(*reply, "kernel_lines");
  if (!kernel) return tl::unexpected(kernel.error());
  auto runtime = take_fd(*reply, "runtime_lines");
  if (!runtime) return tl::unexpected(runtime.error());
  auto global = take_fd(*reply, "global_block");
  if (!global) return tl::unexpected(global.error());

  const std::size_t size = std::size_t{slots_} * MORPHEUS_SCB_LINE_SIZE;
  if (auto checked = check_memory(runtime->get(), size); !checked) return checked;
  auto lines = Mapping::shared(runtime->get(), size, PROT_READ | PROT_WRITE);
  if (!lines) return tl::unexpected(lines.error());
  runtime_lines_ = std::move(*lines);
  kernel_lines_ = std::move(*kernel);
  global_block_ = std::move(*global);
  return {};
}

Result<std::uint32_t> DaemonLink::add_worker(int tid, std::uint64_t base) {
  // A pidfd names the thread across PID namespaces; kernels before 6.9 have them for leaders only.
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, tid, PIDFD_THREAD)));
  Json parameters{{"last_ack_seq", base - 1}};
  if (pidfd)
    parameters["pidfd"] = 0;
  else
    parameters["tid"] = tid;
  auto reply = wire_->call("Register", parameters, pidfd.get());
  if (!reply) return tl::unexpected(reply.error());
  const auto slot = number(reply->parameters, "slot");
  if (!slot || *slot >= slots_) return fail("Register: the slot is out of range", EPROTO);
  return static_cast<std::uint32_t>(*slot);
}

Result<void> DaemonLink::set_state(std::uint32_t slot, morpheus_worker_state state) {
  return wire_->call("SetState", {{"slot", slot}, {"state", kStateNames[state]}})
      .map([](const varlink::Reply&) {});
}

Result<void> DaemonLink::remove_worker(std::uint32_t slot) {
  return wire_->call("Unregister", {{"slot", slot}}).map([](const varlink::Reply&) {});
}

Result<varlink::Reply> DaemonLink::Wire::call(const char* method, const Json& parameters, int fd) {
  const std::array<int, 1> fds{fd};
  CallInFlight::watch_forks();
  const CallInFlight in_flight(client_.fd());
  auto reply = client_.call(std::string("io.morpheus.Worker.") + method, parameters,
                            std::span(fds.data(), fd >= 0 ? 1 : 0), CallInFlight::timeout());
  if (!reply) return fail(std::string(method) + ": " + reply.error().text());
  return std::move(*reply);
}

}  // namespace morpheus::sdk
