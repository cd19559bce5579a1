// SPDX-License-Identifier: GPL-2.0-only
// JSON values. Headers that only name them include <nlohmann/json_fwd.hpp>: this one costs seconds.
#pragma once

#include <nlohmann/json.hpp>

namespace morpheus {

using Json = nlohmann::json;

}  // namespace morpheus
