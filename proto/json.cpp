// SPDX-License-Identifier: GPL-2.0-only
#include "proto/json.hpp"

namespace morpheus {

Json parse_json(std::string_view text, JsonComments comments) {
  return Json::parse(text, nullptr, /*allow_exceptions=*/false, comments == JsonComments::ignored);
}

std::string json_text(const Json& value, int indent) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace morpheus
