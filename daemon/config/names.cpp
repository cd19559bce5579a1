// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/config/names.hpp"

#include <array>

namespace morpheus::daemon {
namespace {

using Name = std::string_view;

constexpr std::array kWorkerStates{Name("INIT"), Name("REGISTERED"), Name("RUNNING"),
                                   Name("QUIESCING"), Name("DEAD")};
static_assert(kWorkerStates.size() == MORPHEUS_WORKER_STATE_COUNT);
constexpr std::array kHintReasons{Name("NONE"), Name("PRESSURE"), Name("BUDGET"), Name("IMBALANCE"),
                                  Name("DEADLINE")};
static_assert(kHintReasons.size() == MORPHEUS_HINT_REASON_COUNT);
constexpr std::array kBlockReasons{Name("NONE"),         Name("MODE"),          Name("STATE"),
                                   Name("POLICY"),       Name("NOT_ESCAPABLE"), Name("CRITICAL"),
                                   Name("ACKNOWLEDGED"), Name("EARLY"),         Name("CGROUP")};
static_assert(kBlockReasons.size() == MORPHEUS_BLOCK_COUNT);
constexpr std::array kYieldReasons{Name("NONE"), Name("HINT"), Name("CHECKPOINT"), Name("BUDGET"),
                                   Name("EXPLICIT")};
static_assert(kYieldReasons.size() == MORPHEUS_YIELD_REASON_COUNT);
constexpr std::array kPolicies{Name("NONE"), Name("THREAD_KICK"), Name("CGROUP_THROTTLE"),
                               Name("HYBRID")};
static_assert(kPolicies.size() == MORPHEUS_POLICY_COUNT);
constexpr std::array kRuntimeModes{Name("DETERMINISTIC"), Name("PRESSURED"), Name("DEFENSIVE")};
static_assert(kRuntimeModes.size() == MORPHEUS_RUNTIME_MODE_COUNT);
constexpr std::array kEventTypes{
    Name("NONE"),      Name("HINT"),     Name("ACKNOWLEDGED"), Name("WITHDRAWN"),  Name("LOST"),
    Name("ESCALATED"), Name("BLOCKED"),  Name("OVERRUN"),      Name("EXIT"),       Name("RUN"),
    Name("STOP"),      Name("DEFERRED"), Name("THROTTLED"),    Name("UNTHROTTLED")};
static_assert(kEventTypes.size() == MORPHEUS_EVENT_COUNT);

constexpr std::array kExitCauses{Name("NONE"), Name("DETACHED"), Name("ORDERED"), Name("RESTART"),
                                 Name("EJECTED")};
static_assert(kExitCauses.size() == MORPHEUS_EXIT_EJECTED + 1);

constexpr std::array kBlameCauses{Name("NONE"), Name("LATE"), Name("HELD"), Name("BLOCKED"),
                                  Name("REMOVED")};
static_assert(kBlameCauses.size() == MORPHEUS_BLAME_COUNT);

template <std::size_t N>
Name at(const std::array<Name, N>& names, std::uint32_t value) {
  return value < N ? names[value] : Name("UNKNOWN");
}

}  // namespace

std::string_view worker_state_name(std::uint32_t state) { return at(kWorkerStates, state); }
std::string_view hint_reason_name(std::uint32_t reason) { return at(kHintReasons, reason); }
std::string_view block_reason_name(std::uint32_t reason) { return at(kBlockReasons, reason); }
std::string_view yield_reason_name(std::uint32_t reason) { return at(kYieldReasons, reason); }
std::string_view policy_name(std::uint32_t policy) { return at(kPolicies, policy); }
std::string_view runtime_mode_name(std::uint32_t mode) { return at(kRuntimeModes, mode); }
std::string_view exit_cause_name(std::uint32_t cause) { return at(kExitCauses, cause); }
std::string_view blame_cause_name(std::uint32_t cause) { return at(kBlameCauses, cause); }
std::string_view event_type_name(std::uint32_t type) { return at(kEventTypes, type); }
std::string_view mode_name(Mode mode) { return mode == Mode::enforced ? "enforced" : "observer"; }

std::string_view scope_name(Scope scope) { return scope == Scope::workers ? "workers" : "all"; }

std::optional<morpheus_worker_state> worker_state_from(std::string_view name) {
  for (std::uint32_t i = 0; i < kWorkerStates.size(); ++i)
    if (kWorkerStates[i] == name) return static_cast<morpheus_worker_state>(i);
  return std::nullopt;
}

std::optional<Mode> mode_from(std::string_view name) {
  if (name == "observer") return Mode::observer;
  if (name == "enforced") return Mode::enforced;
  return std::nullopt;
}

std::optional<Scope> scope_from(std::string_view name) {
  if (name == "all") return Scope::all;
  if (name == "workers") return Scope::workers;
  return std::nullopt;
}

}  // namespace morpheus::daemon
