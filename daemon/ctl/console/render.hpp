// SPDX-License-Identifier: GPL-2.0-only
// Replies of io.morpheus.Control as text for people. Pure.
#pragma once

#include <string>

#include "proto/json.hpp"

namespace morpheus::ctl {

/// Terminal colours, or nothing.
struct Palette {
  bool on = false;
  [[nodiscard]] std::string good(const std::string& text) const { return paint("32", text); }
  [[nodiscard]] std::string bad(const std::string& text) const { return paint("31", text); }
  [[nodiscard]] std::string bold(const std::string& text) const { return paint("1", text); }

 private:
  [[nodiscard]] std::string paint(const char* code, const std::string& text) const {
    return on ? std::string("\033[") + code + "m" + text + "\033[0m" : text;
  }
};

/// Whether the chosen mode is not in force. From a GetStatus reply.
[[nodiscard]] bool is_degraded(const Json& status);
/// Why the kernel last ended our scheduler, in the kernel's words.
[[nodiscard]] std::string last_exit(const Json& status);

[[nodiscard]] std::string render_status(const Json& status, const Palette& palette);
/// At most 100 columns.
[[nodiscard]] std::string render_workers(const Json& workers, const Palette& palette);
[[nodiscard]] std::string render_clients(const Json& clients, const Palette& palette);
/// `exit` also has "realtime_ns"; `now_ns` is by the clock of the reply, CLOCK_MONOTONIC.
[[nodiscard]] std::string render_last_exit(const Json& exit, std::uint64_t now_ns);
[[nodiscard]] std::string render_tunables(const Json& tunables);
/// A GetStatistics reply: counts, and histograms with bars; at most 80 columns.
[[nodiscard]] std::string render_statistics(const Json& statistics);
/// Of the local time zone, to the microsecond: "14:02:11.123456".
[[nodiscard]] std::string time_of_day(std::uint64_t realtime_ns);
/// One line of columns; `event` also has "realtime_ns", "process" and "thread".
[[nodiscard]] std::string render_event(const Json& event);
[[nodiscard]] std::string event_header(const Palette& palette);

/// "process/thread", or one name if both are the same.
[[nodiscard]] std::string thread_title(const std::string& process, const std::string& thread);

/// 1234567 -> "1.23M": at most five columns.
[[nodiscard]] std::string short_count(std::uint64_t count);
/// 1234567 -> "1.23 ms".
[[nodiscard]] std::string short_time(std::uint64_t nanoseconds);

}  // namespace morpheus::ctl
