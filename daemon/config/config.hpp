// SPDX-License-Identifier: GPL-2.0-only
// Everything an operator can set, with defaults that are safe on a shared host. The file is JSON
// with the same names; an unknown key or a wrong type is refused with its path.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/config/mode.hpp"
#include "daemon/config/tunables.hpp"
#include "proto/result.hpp"

namespace morpheus::daemon {

inline constexpr const char* kDefaultConfigPath = "/etc/morpheus/morpheusd.json";
inline constexpr const char* kDefaultSocketPath = "/run/morpheus/morpheusd.sock";

/// "limits" in the file: how much one user can take away from others.
struct ConfigLimits {
  std::uint32_t connections = 1024;
  std::uint32_t connections_per_uid = 128;
  std::uint32_t workers = MORPHEUS_MAX_WORKERS - 1;
  std::uint32_t workers_per_uid = 2048;
  std::uint32_t workers_per_client = 1024;
  std::uint32_t memory_kib = 64 * 1024;  ///< shared lines, and what waits in either direction
  std::uint32_t memory_kib_per_uid = 8192;
  std::uint32_t requests = 65'536;  ///< whose answers the peer has not read yet
  std::uint32_t requests_per_uid = 4096;
  std::uint32_t subscribers = 64;
  std::uint32_t subscribers_per_uid = 8;
  std::uint32_t message_bytes = 256 * 1024;  ///< client -> daemon
  std::uint32_t message_depth = 32;          ///< nested JSON
  std::uint32_t message_fds = 4;             ///< descriptors with one message
  std::uint32_t unclosed_per_uid = 64;       ///< sent descriptors whose close() does not return
  std::uint32_t requests_per_turn = 16;      ///< of one connection, before others have their turn
  std::uint32_t output_bytes = 8 * 1024 * 1024;  ///< waiting for one slow reader
  std::uint32_t subscriber_events = 4096;        ///< waiting for one subscriber
  std::uint32_t stall_timeout_ms = 10'000;       ///< half a message, or a peer that does not read
  std::uint32_t idle_timeout_ms = 300'000;    ///< a connection that attached or subscribed nothing
  std::uint32_t scheduler_restarts = 3;       ///< of a scheduler that the kernel ejected
  std::uint32_t scheduler_backoff_ms = 1000;  ///< before the first; doubles each time
};

/// "throttle" in the file: what CGROUP_THROTTLE and HYBRID may do.
struct ConfigThrottle {
  /// Paths below /sys/fs/cgroup, with all groups below them. None: nothing is throttled.
  std::vector<std::string> cgroups;
  std::uint32_t percent = 20;       ///< of one CPU, for all threads of the group together
  std::uint32_t penalty_ms = 1000;  ///< how long, from the last ignored hint on
};

/// "canary" in the file: watches over normal threads in Enforced mode.
struct ConfigCanary {
  std::uint32_t starved_ms = 3000;  ///< this long without CPU ends Enforced mode; 0: no canary
  std::uint32_t refuse_s = 300;     ///< how long it is refused then
};

struct Config {
  std::string socket = kDefaultSocketPath;
  std::uint32_t socket_mode = 0666;  ///< in the file an octal string: "0666"
  std::string attach_group;          ///< its members may attach and register; empty: everyone
  std::string read_group;  ///< its members may read status, workers and events; empty: everyone
  std::string admin_group = "morpheus";  ///< its members may do all that and change things
  bool admin_group_is_chosen = false;    ///< the operator named it: a warning if it is missing
  std::string log_level = "info";
  std::string metrics;          ///< ADDRESS:PORT of the metrics endpoint; empty: none
  std::string backend = "bpf";  ///< "bpf" or "fake"
  Mode mode = Mode::observer;
  Scope scope = Scope::all;
  morpheus_tunables tunables = kDefaultTunables;
  ConfigLimits limits;
  ConfigThrottle throttle;
  ConfigCanary canary;
};

/// Whether a socket can be there. Pure.
[[nodiscard]] Result<void> check_socket_path(const std::string& path);

/// Reads a whole configuration on top of the defaults. The error names the key path. Pure.
[[nodiscard]] Result<Config> parse_config(std::string_view text);

/// Reads the file. `required`: the operator named it, so it must exist.
[[nodiscard]] Result<Config> load_config(const std::string& path, bool required);

}  // namespace morpheus::daemon
