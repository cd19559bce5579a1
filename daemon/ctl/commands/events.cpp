// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/commands/events.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <limits>
#include <map>

#include "daemon/ctl/console/console.hpp"
#include "daemon/ctl/console/render.hpp"
#include "daemon/ctl/console/reply.hpp"
#include "daemon/ctl/console/thread_facts.hpp"
#include "daemon/ctl/console/wall_clock.hpp"

namespace morpheus::ctl {
namespace {

using varlink::CallError;
using varlink::Client;
using Clock = std::chrono::steady_clock;

/// Of which process each worker is, and its thread's name. Those that are gone stay known: their
/// last events come late.
class Processes {
 public:
  /// `asking` is a connection of its own: a subscribed one takes no other call.
  explicit Processes(Client& asking) : asking_(asking) { learn(); }

  /// Adds "pid", "process" and "thread" to an event, as far as they are known.
  void name(Json& event) {
    const auto worker = number(event, "worker_id");
    if (!known_.contains(worker) && Clock::now() >= next_) learn();
    const auto found = known_.find(worker);
    if (found == known_.end()) return;
    event["pid"] = found->second.pid;
    event["process"] = found->second.name;
    if (!found->second.thread.empty()) event["thread"] = found->second.thread;
  }

 private:
  struct Process {
    std::uint64_t pid;
    std::string name, thread;
  };

  void learn() {
    constexpr std::chrono::milliseconds kPause{200};  // a stranger may make many workers
    const auto workers = control(asking_, "ListWorkers");
    const auto clients = control(asking_, "ListClients");
    next_ = Clock::now() + kPause;
    if (!workers || !clients) return;
    std::map<std::uint64_t, std::string> names;
    for (const auto& client : clients->parameters.value("clients", Json::array()))
      names[number(client, "client_id")] = text(client, "name");
    for (const auto& worker : workers->parameters.value("workers", Json::array())) {
      const auto id = number(worker, "worker_id"), pid = number(worker, "pid");
      if (known_.contains(id)) continue;
      known_.emplace(id, Process{pid, names[number(worker, "client_id")],
                                 facts_of_thread(pid, number(worker, "tid")).thread});
    }
  }

  Client& asking_;
  std::map<std::uint64_t, Process> known_;
  Clock::time_point next_;
};

bool is_one_of(const auto& wanted, const auto& value) {
  return wanted.empty() || std::ranges::find(wanted, value) != wanted.end();
}

class EventView {
 public:
  EventView(const Request& request, Client& asking) : request_(request), processes_(asking) {}

  /// Shows one batch.
  void show(const Json& batch) {
    for (auto event : batch.value("events", Json::array())) {
      if (shown_ == wanted()) break;
      // the ring may hold some from before
      if (number(event, "time_ns") >= begun_ns_) show_one(std::move(event));
    }
    const auto dropped = batch.value("dropped", std::uint64_t{0});
    dropped_ += dropped;
    if (dropped > 0) std::fprintf(stderr, "morpheusctl: %zu events were lost\n", size_t{dropped});
  }
  [[nodiscard]] bool is_complete() const { return shown_ >= wanted(); }
  void finish() {
    if (request_.json && !request_.follow)
      print_json({{"events", std::move(collected_)}, {"dropped", dropped_}});
  }

 private:
  [[nodiscard]] std::uint64_t wanted() const {
    return request_.follow ? std::numeric_limits<std::uint64_t>::max() : request_.count;
  }

  void show_one(Json event) {
    processes_.name(event);
    if (!is_one_of(request_.types, text(event, "type")) ||
        !is_one_of(request_.workers, number(event, "worker_id")) ||
        !is_one_of(request_.pids, number(event, "pid")))
      return;
    event["realtime_ns"] = clock_.realtime_ns(number(event, "time_ns"));
    if (!request_.json)
      print((shown_ == 0 ? event_header(Palette{request_.colour}) : "") + render_event(event));
    else if (request_.follow)
      print_json(std::move(event));
    else
      collected_.push_back(std::move(event));
    ++shown_;
  }

  const Request& request_;
  Processes processes_;
  std::uint64_t begun_ns_ = monotonic_ns();
  WallClock clock_;
  std::uint64_t shown_ = 0, dropped_ = 0;
  Json collected_ = Json::array();
};

}  // namespace

ExitStatus stream_events(Client& client, const Request& request) {
  auto asking = Client::connect(request.socket);
  if (!asking) return cannot_connect(request.socket, asking.error());
  EventView view(request, *asking);
  if (auto asked = client.call_more("io.morpheus.Control.Subscribe"); !asked)
    return call_failed(asked.error());
  end_on_signals();
  const auto end =
      request.follow
          ? Clock::time_point::max()
          : Clock::now() + std::chrono::milliseconds(static_cast<long>(request.timeout_s * 1000));
  while (!view.is_complete() && Clock::now() < end && !was_interrupted()) {
    auto reply = client.next_reply(kSignalWait);
    check_output();
    if (!reply && reply.error().kind == CallError::Kind::timeout) continue;
    if (!reply && was_interrupted()) break;
    if (!reply) return call_failed(reply.error());
    view.show(reply->parameters);
  }
  view.finish();
  return ExitStatus::ok;
}

}  // namespace morpheus::ctl
