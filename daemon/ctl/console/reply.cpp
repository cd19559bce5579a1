// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/console/reply.hpp"

namespace morpheus::ctl {

std::uint64_t number(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_number_integer() ? it->get<std::uint64_t>() : 0;
}

std::string text(const Json& object, const char* key, const char* otherwise) {
  const auto it = object.find(key);
  if (it == object.end() || !it->is_string()) return otherwise;
  auto value = it->get<std::string>();
  for (std::size_t i = 0; i < value.size(); ++i) {
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(value[at]); };
    if (byte(i) < 0x20 || byte(i) == 0x7f) value[i] = '?';
    // U+0080 to U+009F in UTF-8: some terminals obey them as they obey an escape
    if (byte(i) == 0xc2 && i + 1 < value.size() && byte(i + 1) < 0xa0) value.replace(i, 2, "?");
  }
  return value;
}

bool flag(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_boolean() && it->get<bool>();
}

const Json& member(const Json& object, const char* key) {
  static const Json kEmpty = Json::object();
  const auto it = object.find(key);
  return it == object.end() ? kEmpty : *it;
}

std::uint64_t sum_of(const Json& counts) {
  std::uint64_t sum = 0;
  for (const auto& [reason, count] : counts.items())
    if (count.is_number_unsigned()) sum += count.get<std::uint64_t>();
  return sum;
}

}  // namespace morpheus::ctl
