// SPDX-License-Identifier: GPL-2.0-only
// What workers and the threads that they kept waiting did, as lanes of a picture. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "proto/json.hpp"

namespace morpheus::ctl {

/// Times by the monotonic clock, in microseconds.
struct Window {
  double from_us = 0, to_us = 0;
};

class Timeline {
 public:
  /// One event of a TraceBuilder.
  void add_trace(const Json& event);
  /// One reply to io.morpheus.Control.Blame: the waits in it.
  void add_waits(const Json& reply);
  /// Those that another one has.
  void take_waits(Timeline& from);

  /// The stretch of this length in which threads waited the most for workers; where none did, in
  /// which hints were open for longest; else the last one.
  [[nodiscard]] Window worst(double length_us) const;
  /// A lane for each worker and each thread that waited in this time, those with the most to see
  /// first; names to their left, times below.
  [[nodiscard]] std::string draw(const Window& shown) const;
  [[nodiscard]] bool empty() const { return lanes_.empty(); }
  /// Spans that there was no room for.
  [[nodiscard]] std::uint64_t left_out() const { return left_out_; }

 private:
  enum class Kind : std::uint8_t { running, waiting, critical, hint, victim };
  struct Span {
    double from_us, to_us;
    Kind kind;
    std::string text;
  };
  struct Lane {
    std::string name;
    std::vector<Span> spans;
    double critical_since = -1;
    double hint_since = -1;
    std::string hint;
  };
  using Key = std::pair<std::uint64_t, std::uint64_t>;  // pid, tid
  void put(Lane& lane, Span span);
  [[nodiscard]] std::vector<const Lane*> busiest(const Window& shown) const;

  std::map<Key, Lane> lanes_;    // of workers
  std::map<Key, Lane> victims_;  // of threads that waited
  std::map<std::uint64_t, std::string> processes_;
  std::uint64_t spans_ = 0, left_out_ = 0;
  double last_us_ = 0;
};

}  // namespace morpheus::ctl
