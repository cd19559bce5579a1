// SPDX-License-Identifier: GPL-2.0-only
// JSON values. Headers that only name the type include <nlohmann/json_fwd.hpp>: this header takes
// seconds to compile.
#pragma once

#include <nlohmann/json.hpp>

namespace morpheus {

using Json = nlohmann::json;

}  // namespace morpheus
