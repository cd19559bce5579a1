// SPDX-License-Identifier: GPL-2.0-only
// How long to wait between attempts to reach the daemon.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>

namespace morpheus::sdk {

/// 10 ms, growing sixteenfold to `longest_ms`; each wait is between half of that and all of it, so
/// that the clients of a restarted daemon do not all come at once.
class Backoff {
 public:
  static constexpr int kFirstMs = 10;
  static constexpr int kGrowth = 16;

  explicit Backoff(std::uint32_t seed) : random_(seed) {}

  [[nodiscard]] int next_ms(int longest_ms) {
    span_ms_ = std::min(span_ms_, longest_ms);
    const int whole = span_ms_;
    span_ms_ = std::min(span_ms_ * kGrowth, longest_ms);
    return std::uniform_int_distribution<int>(whole / 2, whole)(random_);
  }
  void reset() { span_ms_ = kFirstMs; }

 private:
  int span_ms_ = kFirstMs;
  std::minstd_rand random_;
};

}  // namespace morpheus::sdk
