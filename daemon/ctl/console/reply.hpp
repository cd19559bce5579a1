// SPDX-License-Identifier: GPL-2.0-only
// Fields of the daemon's replies. A daemon of another version may leave a field out: better to show
// nothing than to fail. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "proto/json.hpp"

namespace morpheus::ctl {

/// 0 if the field is missing or not an integer.
[[nodiscard]] std::uint64_t number(const Json& object, const char* key);
/// Without control characters: names come from other users' processes, and no name may control the
/// terminal.
[[nodiscard]] std::string text(const Json& object, const char* key, const char* otherwise = "-");
[[nodiscard]] bool flag(const Json& object, const char* key);
/// An empty object if the field is missing.
[[nodiscard]] const Json& member(const Json& object, const char* key);
/// The sum of the numbers in an object such as {"EARLY": 3, "STATE": 1}.
[[nodiscard]] std::uint64_t sum_of(const Json& counts);

}  // namespace morpheus::ctl
