// SPDX-License-Identifier: GPL-2.0-only
// The event stream in Chrome's trace event format, which the Perfetto UI (https://ui.perfetto.dev)
// and other readers open.
//
// The process "CPUs" has a track for each CPU with the workers that ran there. Each client process
// has a track for each worker: its runs and waits are slices, hints (from decision to
// acknowledgement) and throttles are asynchronous slices, critical sections are a counter, and all
// else is an instant. The track "time of day" has a slice for each second of the host's clock.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "proto/json.hpp"

namespace morpheus::ctl {

/// Turns events into trace events. Pure except for the sink.
class TraceBuilder {
 public:
  /// Calls `sink` with one trace event at a time. `to_realtime_ns` added to an event's time is the
  /// time since 1970.
  explicit TraceBuilder(std::function<void(const Json&)> sink, std::uint64_t to_realtime_ns = 0)
      : sink_(std::move(sink)), to_realtime_ns_(to_realtime_ns) {}

  /// Names the workers, from the replies to ListWorkers and ListClients. May be called again when
  /// new workers have come.
  void introduce(const Json& workers, const Json& clients);
  /// Adds one event of the stream. Events of different CPUs may come in any order.
  void add(const Json& event);
  /// `count` events were lost before the next one.
  void lost(std::uint64_t count);
  /// Ends all open slices and names all tracks.
  void finish();

  [[nodiscard]] std::uint64_t events() const { return events_; }

 private:
  struct Track {
    std::uint64_t pid = 0, tid = 0;
    std::string process;
    std::optional<std::uint64_t> run_start, held_since, hint_start, hint_base, throttled_since;
    std::uint64_t throttled_until = 0;
    std::uint64_t cpu = 0;
    std::string hint_reason, held_why;
    bool was_critical = false;
  };
  Track& worker_of(const Json& event);
  void run(Track& worker, const Json& event);
  void stop(Track& worker, std::uint64_t id, const Json& event);
  void show_run(const Track& worker, std::uint64_t id, std::uint64_t start, std::uint64_t end,
                Json args);
  void end_hint(Track& worker, std::uint64_t id, std::uint64_t end, const char* how);
  void slice(std::uint64_t pid, std::uint64_t tid, const std::string& name, std::uint64_t start,
             std::uint64_t end, Json args);
  void instant(const Track& worker, const std::string& name, const Json& event);
  void throttle(Track& worker, std::uint64_t id, const Json& event);
  void end_throttle(Track& worker, std::uint64_t id, std::uint64_t end, const char* how);
  /// The beginning or the end of an asynchronous slice.
  void edge(const char* phase, const char* category, const std::string& name, const Track& worker,
            std::uint64_t id, std::uint64_t time, Json args);
  void critical(Track& worker, std::uint64_t time, bool is_critical);
  void show_time_of_day();
  void name_track(const char* what, std::uint64_t pid, std::uint64_t tid, const std::string& name);

  std::function<void(const Json&)> sink_;
  std::uint64_t to_realtime_ns_;
  std::map<std::uint64_t, Track> workers_;  // by worker_id
  std::set<std::uint64_t> cpus_;
  std::map<std::uint64_t, std::uint64_t> on_cpu_;  // CPU -> worker that last got it
  std::optional<std::uint64_t> first_;
  std::uint64_t last_ = 0;
  std::uint64_t events_ = 0;
};

}  // namespace morpheus::ctl
