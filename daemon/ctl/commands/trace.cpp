// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/commands/trace.hpp"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "daemon/ctl/commands/recording.hpp"
#include "daemon/ctl/commands/trace_builder.hpp"
#include "daemon/ctl/console/console.hpp"
#include "daemon/ctl/console/reply.hpp"
#include "daemon/ctl/console/wall_clock.hpp"

namespace morpheus::ctl {
namespace {

using varlink::Client;
using Clock = std::chrono::steady_clock;

/// {"traceEvents":[...],...}, one event per line.
class TraceFile {
 public:
  explicit TraceFile(const std::string& path)
      : path_(path == kStandardOutput ? "/dev/stdout" : path),
        partial_(path != kStandardOutput && is_replaceable(path) ? path + ".partial" : path_),
        file_(partial_, std::ios::trunc) {
    file_ << "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n";
  }
  TraceFile(const TraceFile&) = delete;
  TraceFile& operator=(const TraceFile&) = delete;
  ~TraceFile() {
    if (!is_complete_ && partial_ != path_) ::unlink(partial_.c_str());
  }
  void add(const Json& event) {
    file_ << (is_first_ ? "" : ",\n") << json_text(event);
    is_first_ = false;
    if (!file_.good() && error_ == 0) error_ = errno;
  }
  [[nodiscard]] bool good() const { return file_.good(); }
  /// False, with errno, if it could not be written.
  [[nodiscard]] bool complete(const Json& about) {
    if (error_ != 0) return errno = error_, false;
    file_ << "\n],\"otherData\":" << json_text(about) << "}\n";
    file_.close();
    is_complete_ =
        file_.good() && (partial_ == path_ || std::rename(partial_.c_str(), path_.c_str()) == 0);
    return is_complete_;
  }

 private:
  /// A device or a pipe is written in place.
  static bool is_replaceable(const std::string& path) {
    const auto kind = std::filesystem::status(path).type();
    return kind == std::filesystem::file_type::not_found ||
           kind == std::filesystem::file_type::regular;
  }

  std::string path_, partial_;
  std::ofstream file_;
  bool is_first_ = true;
  bool is_complete_ = false;
  int error_ = 0;  // the first
};

class Progress {
 public:
  explicit Progress(double seconds) : seconds_(seconds) {}
  ~Progress() {
    if (shown_) std::fputc('\n', stderr);
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void show(std::uint64_t events) {
    if (!on_terminal_) return;
    const double passed = std::chrono::duration<double>(Clock::now() - start_).count();
    std::fprintf(stderr, "\rtracing: %.1f of %.1f s, %lu events", passed, seconds_,
                 static_cast<unsigned long>(events));
    shown_ = true;
  }

 private:
  double seconds_;
  Clock::time_point start_ = Clock::now();
  bool on_terminal_ = ::isatty(STDERR_FILENO) == 1;
  bool shown_ = false;
};

}  // namespace

ExitStatus record_trace(Client& client, const Request& request) {
  auto stream = Client::connect(request.socket);
  if (!stream) return cannot_connect(request.socket, stream.error());
  const auto status = control(client, "GetStatus");
  if (!status) return call_failed(status.error());
  const std::string name =
      request.output == kStandardOutput ? "to standard output" : request.output;
  TraceFile file(request.output);
  if (!file.good()) return complain(Error{"cannot write " + name, errno}.text(), ExitStatus::error);
  end_on_signals();
  const std::uint64_t to_realtime = WallClock().realtime_ns(0);
  TraceBuilder trace([&file](const Json& event) { file.add(event); }, to_realtime);
  introduce_all(client, trace);
  Progress progress(request.seconds);
  const auto lost = record_events(*stream, client, trace, request.seconds, [&] {
    progress.show(trace.events());
    return file.good();
  });
  if (!lost) return call_failed(lost.error());
  introduce_all(client, trace);
  trace.finish();
  if (!file.complete({{"recorder", "morpheusctl " MORPHEUS_PROJECT_VERSION},
                      {"kernel", text(status->parameters, "kernel")},
                      {"mode", text(status->parameters, "mode")},
                      {"to_realtime_ns", to_realtime},
                      {"events", trace.events()},
                      {"events_lost", *lost}}))
    return complain(Error{"cannot write " + name, errno}.text(), ExitStatus::error);
  if (request.output == kStandardOutput) return ExitStatus::ok;
  const Json result{{"file", request.output}, {"events", trace.events()}, {"events_lost", *lost}};
  if (request.json)
    print_json(result);
  else
    print(request.output + ": " + std::to_string(trace.events()) + " events" +
          (*lost > 0 ? ", " + std::to_string(*lost) + " lost" : "") +
          "; open it at https://ui.perfetto.dev\n");
  return ExitStatus::ok;
}

}  // namespace morpheus::ctl
