// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/socket/session_input.hpp"

#include <utility>

namespace morpheus::daemon {

SessionInput::SessionInput(const ConfigLimits& limits, Accounts& accounts, uid_t uid)
    : decoder_({.message_bytes = limits.message_bytes,
                .depth = limits.message_depth,
                .fds = limits.message_fds}),
      memory_(accounts, uid, Resource::memory),
      last_message_(Clock::now()),
      partial_since_(last_message_) {}

void SessionInput::feed(std::string_view bytes, FdList fds, bool descriptors_lost) {
  const bool had_partial = decoder_.has_partial();
  decoder_.feed(bytes, std::move(fds), descriptors_lost);
  if (!had_partial) partial_since_ = Clock::now();
}

std::optional<tl::expected<varlink::Message, varlink::DecodeError>> SessionInput::next() {
  auto next = decoder_.next();
  if (next) last_message_ = partial_since_ = Clock::now();
  return next;
}

FdList SessionInput::abandon() {
  (void)memory_.resize(0);
  return decoder_.abandon();
}

}  // namespace morpheus::daemon
