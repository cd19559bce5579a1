// SPDX-License-Identifier: GPL-2.0-only
// The times an operator may change while workers run: defaults, bounds, and their JSON form.
#pragma once

#include <array>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "proto/events.h"
#include "proto/result.hpp"

namespace morpheus::daemon {

inline constexpr morpheus_tunables kDefaultTunables{.slice_ns = 5'000'000,
                                                    .grace_ns = 10'000'000,
                                                    .hold_cap_ns = 100'000'000,
                                                    .hint_lead_ns = 1'000'000,
                                                    .min_run_ns = 0};

/// One tunable and its bounds.
struct TunableField {
  const char* name;
  __u64 morpheus_tunables::* field;
  __u64 least, most;
};

/// The hold cap stays far below the 10 s after which the kernel ejects a scheduler.
inline constexpr std::array kTunableFields{
    TunableField{"slice_ns", &morpheus_tunables::slice_ns, 100'000, 1'000'000'000},
    TunableField{"grace_ns", &morpheus_tunables::grace_ns, 100'000, 10'000'000'000},
    TunableField{"hold_cap_ns", &morpheus_tunables::hold_cap_ns, 1'000'000, 2'000'000'000},
    TunableField{"hint_lead_ns", &morpheus_tunables::hint_lead_ns, 0, 1'000'000'000},
    TunableField{"min_run_ns", &morpheus_tunables::min_run_ns, 0, 1'000'000'000},
};

/// Whether the tunables make sense together; the error is a sentence for the operator. Pure.
[[nodiscard]] Result<void> check_tunables(const morpheus_tunables& tunables);

[[nodiscard]] nlohmann::json to_json(const morpheus_tunables& tunables);
/// The same as text.
[[nodiscard]] std::string to_text(const morpheus_tunables& tunables);

}  // namespace morpheus::daemon
