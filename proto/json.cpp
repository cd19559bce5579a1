// SPDX-License-Identifier: GPL-2.0-only
#include "proto/json.hpp"

#include <set>
#include <vector>

namespace morpheus {

Json parse_json(std::string_view text, JsonComments comments) {
  return Json::parse(text, nullptr, /*allow_exceptions=*/false, comments == JsonComments::ignored);
}

std::string json_fault(std::string_view text, JsonComments comments) {
  struct OpenObject {
    std::set<std::string> keys;
    std::string last_key;
  };
  std::vector<OpenObject> objects;
  std::string twice;
  const auto look = [&](int, Json::parse_event_t event, const Json& parsed) {
    if (event == Json::parse_event_t::object_start)
      objects.emplace_back();
    else if (event == Json::parse_event_t::object_end)
      objects.pop_back();
    if (event != Json::parse_event_t::key) return true;
    objects.back().last_key = parsed;
    if (objects.back().keys.insert(parsed).second || !twice.empty()) return true;
    for (const auto& object : objects) twice += (twice.empty() ? "" : ".") + object.last_key;
    return true;
  };
  try {
    [[maybe_unused]] const Json value =
        Json::parse(text, look, /*allow_exceptions=*/true, comments == JsonComments::ignored);
  } catch (const Json::exception& error) {
    // "[json.exception.parse_error.101] parse error at line 3, column 1: syntax error ...", or of
    // another kind, without a place: "[json.exception.out_of_range.406] number overflow ..."
    std::string_view what = error.what();
    for (const std::string_view before : {"] ", "parse error at "})
      if (const auto at = what.find(before); at != what.npos)
        what.remove_prefix(at + before.size());
    return "is not valid JSON: " + std::string(what);
  }
  return twice.empty() ? "" : "has the key \"" + twice + "\" twice";
}

std::string json_text(const Json& value, int indent) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace morpheus
