// SPDX-License-Identifier: GPL-2.0-only
// The one line about blame that top has: which worker keeps which thread waiting the longest.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "daemon/ctl/blame/symbolizer.hpp"
#include "daemon/ctl/blame/tally.hpp"
#include "proto/varlink_client.hpp"

namespace morpheus::ctl {

/// "load/deaf0 kept nginx/worker waiting 12.0 ms, 58 times a second, in crunch() at guilty.cpp:26";
/// without the part that is not known. Empty without a culprit. Pure.
[[nodiscard]] std::string worst_pair_text(const Tally& tally, const Symbolizer& symbols,
                                          double seconds);

/// Watches on a connection of its own, for as long as it lives: the kernel takes samples meanwhile.
class WorstPair {
 public:
  /// Without a daemon, or where it refuses, there is never a line.
  explicit WorstPair(const std::string& socket);
  /// Takes what has come. Returns the line about the last two seconds or more that are over.
  [[nodiscard]] const std::string& look();

 private:
  using Clock = std::chrono::steady_clock;
  void finish_window(Clock::time_point now);

  std::optional<varlink::Client> client_;
  Tally tally_;
  Symbolizer symbols_;
  Clock::time_point since_ = Clock::now();
  std::string line_;
};

}  // namespace morpheus::ctl
