// SPDX-License-Identifier: GPL-2.0-only
// The names that operators and clients see for the enums of proto/. A value outside an enum, which
// a client may claim, is "UNKNOWN".
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "daemon/config/mode.hpp"
#include "proto/blame.h"
#include "proto/events.h"

namespace morpheus::daemon {

[[nodiscard]] std::string_view worker_state_name(std::uint32_t state);
[[nodiscard]] std::string_view hint_reason_name(std::uint32_t reason);
[[nodiscard]] std::string_view block_reason_name(std::uint32_t reason);
[[nodiscard]] std::string_view yield_reason_name(std::uint32_t reason);
[[nodiscard]] std::string_view policy_name(std::uint32_t policy);
[[nodiscard]] std::string_view runtime_mode_name(std::uint32_t mode);
[[nodiscard]] std::string_view event_type_name(std::uint32_t type);
[[nodiscard]] std::string_view exit_cause_name(std::uint32_t cause);
[[nodiscard]] std::string_view blame_cause_name(std::uint32_t cause);
/// "observer" or "enforced".
[[nodiscard]] std::string_view mode_name(Mode mode);

/// "all" or "workers".
[[nodiscard]] std::string_view scope_name(Scope scope);

[[nodiscard]] std::optional<morpheus_worker_state> worker_state_from(std::string_view name);
[[nodiscard]] std::optional<Mode> mode_from(std::string_view name);
[[nodiscard]] std::optional<Scope> scope_from(std::string_view name);

}  // namespace morpheus::daemon
