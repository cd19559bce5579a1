// SPDX-License-Identifier: GPL-2.0-only
// The morpheusd that a benchmark runs against: a private one of its own, or one that runs already.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <string>

#include "proto/result.hpp"
#include "proto/varlink_client.hpp"

namespace morpheus::bench {

/// What the daemon counted for one client process.
struct HintCounts {
  std::uint64_t hints = 0;
  std::uint64_t acknowledged = 0;
  std::uint64_t withdrawn = 0;
  std::uint64_t escalations = 0;
  std::uint64_t deferrals = 0;
};

struct AckLatency {
  std::uint64_t p50_ns = 0;
  std::uint64_t p99_ns = 0;
};

/// A daemon that could not start: its exit status. It has said why on stderr.
struct CannotStart {
  int exit_status = 70;
};

class DaemonUnderTest {
 public:
  /// Starts a private one in Observer mode with this configuration and waits until it replies.
  /// Throws CannotStart.
  explicit DaemonUnderTest(const varlink::Json& config = varlink::Json::object(),
                           const std::string& backend = "bpf");
  DaemonUnderTest(const DaemonUnderTest&) = delete;
  DaemonUnderTest& operator=(const DaemonUnderTest&) = delete;
  /// Ends it and waits for that.
  ~DaemonUnderTest();

  [[nodiscard]] const std::string& socket() const { return socket_; }
  [[nodiscard]] pid_t pid() const { return pid_; }
  /// A call of io.morpheus.Control. Throws std::runtime_error with the daemon's reason.
  varlink::Json call(const std::string& method,
                     const varlink::Json& parameters = varlink::Json::object());
  /// Throws std::runtime_error with the daemon's reason.
  void set_mode(const std::string& mode);
  /// As SetTunables takes them. Throws std::runtime_error with the daemon's reason.
  void set_tunables(const varlink::Json& tunables) { (void)call("SetTunables", tunables); }
  /// Starts `morpheusctl trace`; the file is whole when the returned object is gone.
  [[nodiscard]] std::unique_ptr<class TraceRun> trace(const std::string& file,
                                                      double seconds = 0.5) const;
  /// Throws if the daemon watches fewer than `workers` of the client's threads: without them the
  /// figures would mean nothing.
  [[nodiscard]] HintCounts counts(pid_t client, unsigned workers);
  /// Since the daemon started.
  [[nodiscard]] AckLatency ack_latency();

 private:
  void await_answer();
  [[nodiscard]] bool has_ended(int& status);

  std::string directory_;
  std::string socket_;
  pid_t pid_ = -1;
  std::string mode_ = "observer";
};

/// A running `morpheusctl trace`; waits for its end.
class TraceRun {
 public:
  explicit TraceRun(pid_t pid) : pid_(pid) {}
  TraceRun(const TraceRun&) = delete;
  TraceRun& operator=(const TraceRun&) = delete;
  ~TraceRun();

 private:
  pid_t pid_;
};

}  // namespace morpheus::bench
