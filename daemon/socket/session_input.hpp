// SPDX-License-Identifier: GPL-2.0-only
// The input side of one connection: bytes and descriptors that were read become messages. What
// waits here is charged to the peer's user, and the peer's time is limited.
#pragma once

#include <chrono>
#include <string_view>

#include "daemon/config/config.hpp"
#include "daemon/rights/accounts.hpp"
#include "proto/varlink_decoder.hpp"

namespace morpheus::daemon {

class SessionInput {
 public:
  using Clock = std::chrono::steady_clock;

  /// `accounts` outlives this.
  SessionInput(const ConfigLimits& limits, Accounts& accounts, uid_t uid);

  /// Takes the result of one read. Call charge() next.
  void feed(std::string_view bytes, FdList fds, bool descriptors_lost);
  /// Charges the user for what waits here.
  [[nodiscard]] Result<void> charge() { return memory_.resize(decoder_.buffered()); }
  [[nodiscard]] bool has_next() const { return decoder_.has_next(); }
  /// The next message; nothing if more bytes are needed.
  [[nodiscard]] std::optional<tl::expected<varlink::Message, varlink::DecodeError>> next();
  /// Gives the charge back and returns the descriptors that no message took.
  [[nodiscard]] FdList abandon();

  /// Whether the rest of a message has been missing for longer than `patience`.
  [[nodiscard]] bool is_stalled(Clock::time_point now, Clock::duration patience) const {
    return decoder_.has_partial() && now - partial_since_ > patience;
  }
  /// Whether no message has come for longer than `patience`.
  [[nodiscard]] bool is_idle(Clock::time_point now, Clock::duration patience) const {
    return now - last_message_ > patience;
  }

 private:
  varlink::Decoder decoder_;
  Charge memory_;
  Clock::time_point last_message_;
  Clock::time_point partial_since_;  // valid while the decoder holds part of a message
};

}  // namespace morpheus::daemon
