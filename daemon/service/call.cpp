// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/service/call.hpp"

#include <algorithm>

namespace morpheus::daemon {

const Json* Parameters::find(const char* name) {
  known_.emplace_back(name);
  const auto it = object_.find(name);
  return it == object_.end() || it->is_null() ? nullptr : &*it;
}

std::optional<std::uint64_t> Parameters::optional_number(const char* name, std::uint64_t most) {
  const Json* value = find(name);
  if (value == nullptr) return std::nullopt;
  const bool whole = value->is_number_unsigned() ||
                     (value->is_number_integer() && value->get<std::int64_t>() >= 0);
  if (whole && value->get<std::uint64_t>() <= most) return value->get<std::uint64_t>();
  refuse(name);
  return std::nullopt;
}

std::uint64_t Parameters::number(const char* name, std::uint64_t most) {
  const auto value = optional_number(name, most);
  if (!value) refuse(name);
  return value.value_or(0);
}

std::optional<std::string> Parameters::optional_string(const char* name, std::size_t most) {
  const Json* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_string() && value->get_ref<const std::string&>().size() <= most)
    return value->get<std::string>();
  refuse(name);
  return std::nullopt;
}

std::string Parameters::string(const char* name, std::size_t most) {
  auto value = optional_string(name, most);
  if (!value) refuse(name);
  return std::move(value).value_or("");
}

std::optional<bool> Parameters::optional_bool(const char* name) {
  const Json* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_boolean()) return value->get<bool>();
  refuse(name);
  return std::nullopt;
}

std::optional<std::string> Parameters::wrong() const {
  if (wrong_) return wrong_;
  for (const auto& [key, value] : object_.items())
    if (std::ranges::find(known_, std::string_view(key)) == known_.end()) return key;
  return std::nullopt;
}

}  // namespace morpheus::daemon
