// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/config/tunables.hpp"

#include <string>

#include "proto/json.hpp"

namespace morpheus::daemon {

Result<void> check_tunables(const morpheus_tunables& tunables) {
  for (const auto& f : kTunableFields) {
    const auto value = tunables.*f.field;
    if (value < f.least || value > f.most)
      return fail(std::string(f.name) + " must be from " + std::to_string(f.least) + " to " +
                  std::to_string(f.most) + ", not " + std::to_string(value));
  }
  if (tunables.hint_lead_ns >= tunables.slice_ns)
    return fail("hint_lead_ns must be less than slice_ns");
  if (tunables.hold_cap_ns < tunables.slice_ns)
    return fail("hold_cap_ns must be at least slice_ns");
  return {};
}

nlohmann::json to_json(const morpheus_tunables& tunables) {
  nlohmann::json json = nlohmann::json::object();
  for (const auto& f : kTunableFields) json[f.name] = tunables.*f.field;
  return json;
}

std::string to_text(const morpheus_tunables& tunables) { return json_text(to_json(tunables)); }

}  // namespace morpheus::daemon
