// SPDX-License-Identifier: GPL-2.0-only
// JSON values, and the two functions that read and write them as text: the library's own would be
// compiled again in every file that calls them. Headers that only name the type include
// <nlohmann/json_fwd.hpp>: this header takes seconds to compile.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace morpheus {

using Json = nlohmann::json;

/// Whether a text may hold comments, as in C.
enum class JsonComments : bool { refused, ignored };

/// The value that `text` stands for; a discarded one (is_discarded()) if it is not JSON.
[[nodiscard]] Json parse_json(std::string_view text, JsonComments comments = JsonComments::refused);

/// Why `text` is no JSON, with the line and the column, or which key an object has twice; empty if
/// all is well.
[[nodiscard]] std::string json_fault(std::string_view text, JsonComments comments);

/// The value on one line, or indented by `indent` spaces if that is not negative. In strings that
/// are not UTF-8 (a process may have any name) U+FFFD replaces each bad byte.
[[nodiscard]] std::string json_text(const Json& value, int indent = -1);

}  // namespace morpheus
