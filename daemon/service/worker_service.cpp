// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/service/worker_service.hpp"

#include <limits>

#include "daemon/config/names.hpp"
#include "daemon/log.hpp"
#include "proto/interfaces.hpp"

namespace morpheus::daemon {
namespace {

constexpr std::uint64_t kAnyU32 = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint64_t kAnyTid = std::numeric_limits<pid_t>::max();
constexpr std::uint64_t kMostSeq = std::uint64_t{1} << 62;  // leaves room to count on

auto worker_fault(std::string_view name, Json parameters = Json::object()) {
  return fault("io.morpheus.Worker." + std::string(name), std::move(parameters));
}

auto fault_of(const Error& error) {
  if (error.quota) return quota_fault("io.morpheus.Worker.QuotaExceeded", *error.quota);
  return worker_fault("KernelRefused", {{"reason", error.text()}});
}

Outcome attach_answer(Core& core, const Client& client) {
  auto kernel_fd = client.lines.kernel_fd_for_client();
  auto runtime_fd = client.lines.runtime_fd_for_client();
  auto global_fd = core.global().fd_for_client();
  if (!kernel_fd) return fault_of(kernel_fd.error());
  if (!runtime_fd) return fault_of(runtime_fd.error());
  if (!global_fd) return fault_of(global_fd.error());
  Answer answer;
  answer.parameters = {{"version_major", MORPHEUS_SCB_VERSION_MAJOR},
                       {"version_minor", MORPHEUS_SCB_VERSION_MINOR},
                       {"client_id", client.id},
                       {"capacity", client.lines.capacity()},
                       {"line_size", MORPHEUS_SCB_LINE_SIZE},
                       {"kernel_lines", 0},
                       {"runtime_lines", 1},
                       {"global_block", 2}};
  answer.fds.push_back(std::move(*kernel_fd));
  answer.fds.push_back(std::move(*runtime_fd));
  answer.fds.push_back(std::move(*global_fd));
  return answer;
}

Outcome attach(Core& core, Call& call, Caller& caller) {
  auto parameters = parameters_of(call);
  if (!core.allows(caller.peer, Right::attach))
    return fault("org.varlink.service.PermissionDenied");
  const auto major = parameters.required_number("version_major", kAnyU32);
  (void)parameters.required_number("version_minor",
                                   kAnyU32);  // a newer minor version reads older memory
  const auto workers = parameters.required_number("workers", kAnyU32);
  auto name = parameters.string("name", kLongestName);
  auto library = parameters.string("library", kLongestName);
  if (workers == 0) parameters.refuse("workers", "must be at least 1");
  if (const auto wrong = parameters.wrong()) return invalid_parameter(*wrong);
  if (major != MORPHEUS_SCB_VERSION_MAJOR)
    return worker_fault("VersionMismatch", {{"version_major", MORPHEUS_SCB_VERSION_MAJOR},
                                            {"version_minor", MORPHEUS_SCB_VERSION_MINOR}});
  if (caller.client != nullptr) return worker_fault("AlreadyAttached");
  if (!name) name = command_of(caller.peer.pid);
  const auto attached =
      core.clients().attach(caller.peer, std::move(*name), static_cast<std::uint32_t>(workers));
  if (!attached) return fault_of(attached.error());
  Client* client = *attached;
  client->library = std::move(library).value_or("");
  auto answer = attach_answer(core, *client);
  if (!answer) {
    core.clients().detach(*client);
    return answer;
  }
  caller.client = client;
  log::debug("client {} attached: pid {} uid {}", client->id, client->pid, client->uid);
  return answer;
}

// The thread that the call names by tid or by pidfd.
tl::expected<ThreadRef, CallFault> thread_named_by(Call& call, const Peer& peer,
                                                   std::optional<std::uint64_t> tid,
                                                   std::optional<std::uint64_t> pidfd) {
  const auto no_such = [](pid_t number) { return worker_fault("NoSuchThread", {{"tid", number}}); };
  pid_t wanted = static_cast<pid_t>(tid.value_or(0));
  if (pidfd) {
    const int fd = call.fds[*pidfd].get();
    const auto number = thread_of_pidfd(fd);
    if (!number) return no_such(0);
    wanted = *number;
  }
  auto thread = open_thread_of(peer, wanted);
  // The descriptor's thread must still live, or its number may be another thread's by now.
  if (pidfd && !is_alive(call.fds[*pidfd].get())) return no_such(wanted);
  if (thread) return std::move(*thread);
  if (thread.error().code == ESRCH) return no_such(wanted);
  return worker_fault("ThreadNotYours", {{"tid", wanted}});
}

Outcome register_worker(Core& core, Call& call, Caller& caller) {
  auto parameters = parameters_of(call);
  const auto tid = parameters.number("tid", 0, kAnyTid);
  const auto pidfd = parameters.number("pidfd", 0, kAnyU32);
  const auto last_ack = parameters.number("last_ack_seq", 0, kMostSeq);
  if (tid.has_value() == pidfd.has_value())
    parameters.refuse("tid", "must be given unless pidfd is");
  if (pidfd && *pidfd >= call.fds.size())
    parameters.refuse("pidfd", "must be the index of a descriptor that came along");
  if (const auto wrong = parameters.wrong()) return invalid_parameter(*wrong);
  if (caller.client == nullptr) return worker_fault("NotAttached");
  auto thread = thread_named_by(call, caller.peer, tid, pidfd);
  if (!thread) return tl::unexpected(std::move(thread.error()));
  if (core.clients().is_registered(thread->tid))
    return worker_fault("AlreadyRegistered", {{"tid", thread->tid}});
  const auto added =
      core.clients().add_worker(*caller.client, std::move(*thread), last_ack ? *last_ack + 1 : 0);
  if (!added) return fault_of(added.error());
  return Answer{{{"slot", (*added)->line}}, {}, false};
}

auto no_such_slot(std::uint64_t slot) { return worker_fault("NoSuchSlot", {{"slot", slot}}); }

WorkerEntry* find_worker(Caller& caller, std::uint64_t slot) {
  const auto it = caller.client->workers.find(static_cast<std::uint32_t>(slot));
  return it == caller.client->workers.end() ? nullptr : &it->second;
}

Outcome set_state(Core& core, Call& call, Caller& caller) {
  auto parameters = parameters_of(call);
  const auto slot = parameters.required_number("slot", kAnyU32);
  const auto state = worker_state_from(parameters.required_string("state", kLongestName));
  if (!state) parameters.refuse("state", "must be the name of a state");
  if (const auto wrong = parameters.wrong()) return invalid_parameter(*wrong);
  if (caller.client == nullptr) return worker_fault("NotAttached");
  WorkerEntry* worker = find_worker(caller, slot);
  if (worker == nullptr) return no_such_slot(slot);
  if (!morpheus_transition_allowed(worker->state, *state))
    return worker_fault("InvalidTransition", {{"from", worker_state_name(worker->state)},
                                              {"to", worker_state_name(*state)}});
  core.clients().set_state(*worker, *state);
  return Answer{};
}

Outcome unregister(Core& core, Call& call, Caller& caller) {
  auto parameters = parameters_of(call);
  const auto slot = parameters.required_number("slot", kAnyU32);
  if (const auto wrong = parameters.wrong()) return invalid_parameter(*wrong);
  if (caller.client == nullptr) return worker_fault("NotAttached");
  const WorkerEntry* worker = find_worker(caller, slot);
  if (worker == nullptr) return no_such_slot(slot);
  core.clients().remove_worker(*caller.client, worker->line);
  return Answer{};
}

}  // namespace

void add_worker_service(Router& router, Core& core) {
  router.add_interface("io.morpheus.Worker", varlink::kWorkerInterface);
  const auto add = [&](const char* name, Outcome (*method)(Core&, Call&, Caller&)) {
    router.add_method(
        std::string("io.morpheus.Worker.") + name,
        [&core, method](Call& call, Caller& caller) { return method(core, call, caller); });
  };
  add("Attach", attach);
  add("Register", register_worker);
  add("SetState", set_state);
  add("Unregister", unregister);
}

}  // namespace morpheus::daemon
