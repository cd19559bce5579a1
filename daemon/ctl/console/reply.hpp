// SPDX-License-Identifier: GPL-2.0-only
// Fields of the daemon's replies. A daemon of another version may leave one out: showing nothing
// beats failing. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "proto/json.hpp"

namespace morpheus::ctl {

/// 0 if it is missing or no whole number.
[[nodiscard]] std::uint64_t number(const Json& object, const char* key);
/// Without control characters: names come from other users' processes, and nothing in them may
/// steer the terminal.
[[nodiscard]] std::string text(const Json& object, const char* key, const char* otherwise = "-");
[[nodiscard]] bool flag(const Json& object, const char* key);
/// An empty object if it is missing.
[[nodiscard]] const Json& member(const Json& object, const char* key);
/// Sum of the numbers in an object such as {"EARLY": 3, "STATE": 1}.
[[nodiscard]] std::uint64_t sum_of(const Json& counts);

}  // namespace morpheus::ctl
