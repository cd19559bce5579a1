// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/state/restart_policy.hpp"

#include <algorithm>

#include "proto/monotonic_clock.hpp"

namespace morpheus::daemon {
namespace {

constexpr std::uint64_t kSound = 600 * kSecond;
constexpr std::uint64_t kLongestPause = 60 * kSecond;
constexpr std::uint32_t kMostDoublings = 20;

}  // namespace

void RestartPolicy::ended(morpheus_exit_cause cause, std::uint64_t now) {
  if (attached_ns_ != 0 && now - attached_ns_ >= kSound) ejections_ = 0;
  attached_ns_ = 0;
  due_ns_.reset();
  if (cause == MORPHEUS_EXIT_RESTART) due_ns_ = now;
  if (cause != MORPHEUS_EXIT_EJECTED) return;
  if (++ejections_ > limit_) return;
  const auto pause = backoff_ns_ << std::min(ejections_ - 1, kMostDoublings);
  due_ns_ = now + std::min(pause, kLongestPause);
}

void RestartPolicy::restarted(std::uint64_t now) {
  attached_ns_ = now;
  due_ns_.reset();
}

}  // namespace morpheus::daemon
