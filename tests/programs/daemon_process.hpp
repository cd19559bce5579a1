// SPDX-License-Identifier: GPL-2.0-only
// The real morpheusd and morpheusctl as processes, in a directory of their own.
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <vector>

#include "proto/mapping.hpp"
#include "proto/scb.h"
#include "proto/varlink_client.hpp"

namespace morpheus::test {

using morpheus::parse_json;
using varlink::Client;
using varlink::Json;

/// The path of a program of the build directory: $MORPHEUS_BUILD_DIR, or where the tests were
/// built.
[[nodiscard]] std::string program(const std::string& path);

/// What a program printed and how it ended; status -1 if a signal killed it.
struct Finished {
  int status = -1;
  std::string out, err;
};

/// Runs a program to its end; as `uid` if that is not -1 (needs root).
Finished run_program(const std::vector<std::string>& command, int uid = -1);

/// The JSON in a file; a discarded value if there is none.
[[nodiscard]] Json read_json(const std::string& path);

/// A directory that lasts as long as the object. Every user may enter it.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  std::string path;
};

enum class Backend : unsigned char { fake, bpf };

/// A running morpheusd. Killed at the end unless it was stopped.
class DaemonProcess {
 public:
  /// With the fake kernel side, which needs no privilege. `limits` becomes the configuration's.
  explicit DaemonProcess(std::vector<std::string> extra = {}, const Json& limits = Json::object());
  explicit DaemonProcess(Backend backend) : DaemonProcess(Json::object(), backend) {}
  /// With this configuration.
  DaemonProcess(const Json& config, Backend backend);
  ~DaemonProcess();
  DaemonProcess(const DaemonProcess&) = delete;
  DaemonProcess& operator=(const DaemonProcess&) = delete;

  void start();
  /// The two halves of start(): runs it, and waits until it answers.
  void launch();
  void await_answer();
  /// Replaces the configuration file; the daemon reads it at its next start, or on SIGHUP.
  void configure(const Json& config) const;
  /// Sends the signal and returns the exit status, -1 if the signal killed it.
  int stop(int signal);
  [[nodiscard]] std::string socket() const { return dir_.path + "/m.sock"; }
  [[nodiscard]] std::string log() const;
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] Client connect() const;
  /// morpheusctl with --socket.
  [[nodiscard]] Finished ctl(std::vector<std::string> arguments, int uid = -1) const;

 private:
  TempDir dir_;
  Backend backend_ = Backend::fake;
  std::vector<std::string> extra_;
  pid_t pid_ = -1;
};

/// An attached client with its memory.
struct Attached {
  Client client;
  Json reply;
  FdList fds;
  Mapping kernel_lines, runtime_lines, global_block;

  explicit Attached(const DaemonProcess& daemon, int workers = 4);
  int register_thread(pid_t tid);
  void run(int slot);
  [[nodiscard]] const volatile morpheus_scb_kernel& kernel(int slot) const;
  [[nodiscard]] volatile morpheus_scb_runtime& runtime(int slot) const;
  [[nodiscard]] const volatile morpheus_global_pressure& global() const;
};

/// How long eventually() waits: two minutes, which a loaded emulated machine may need, or
/// $MORPHEUS_TEST_PATIENCE seconds.
[[nodiscard]] std::chrono::seconds patience();

/// Waits until `condition` holds; false if that takes longer than patience().
template <class Condition>
bool eventually(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + patience();
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    ::usleep(2000);
  }
  return true;
}

}  // namespace morpheus::test
