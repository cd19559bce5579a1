// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/config/object_reader.hpp"

#include <algorithm>

namespace morpheus::daemon {

Error WrongMember::error() const {
  const std::string at = path.empty() || key.empty() ? path + key : path + "." + key;
  return {(at.empty() ? "the file" : at) + ": " + why};
}

ObjectReader::ObjectReader(const Json& object, Null null, std::string path)
    : object_(object), null_(null), path_(std::move(path)) {
  if (!object_.is_object()) refuse("", "must be an object");
}

const Json* ObjectReader::find(const char* key) {
  known_.emplace_back(key);
  if (wrong_) return nullptr;
  const auto member = object_.find(key);
  if (member == object_.end()) return nullptr;
  return member->is_null() && null_ == Null::is_absent ? nullptr : &*member;
}

std::optional<std::uint64_t> ObjectReader::number(const char* key, std::uint64_t least,
                                                  std::uint64_t most) {
  const Json* member = find(key);
  if (member == nullptr) return std::nullopt;
  const bool is_whole = member->is_number_unsigned() ||
                        (member->is_number_integer() && member->get<std::int64_t>() >= 0);
  const auto value = is_whole ? member->get<std::uint64_t>() : 0;
  if (is_whole && value >= least && value <= most) return value;
  refuse(key, is_whole ? "must be from " + std::to_string(least) + " to " + std::to_string(most)
                       : "must be a whole number, 0 or more");
  return std::nullopt;
}

std::optional<std::string> ObjectReader::string(const char* key, std::size_t most) {
  const Json* member = find(key);
  if (member == nullptr) return std::nullopt;
  if (!member->is_string())
    refuse(key, "must be a string");
  else if (member->get_ref<const std::string&>().size() > most)
    refuse(key, "must be at most " + std::to_string(most) + " bytes long");
  else
    return member->get<std::string>();
  return std::nullopt;
}

std::optional<bool> ObjectReader::boolean(const char* key) {
  const Json* member = find(key);
  if (member == nullptr) return std::nullopt;
  if (member->is_boolean()) return member->get<bool>();
  refuse(key, "must be true or false");
  return std::nullopt;
}

std::uint64_t ObjectReader::required_number(const char* key, std::uint64_t most) {
  const auto value = number(key, 0, most);
  if (!value) refuse(key, "is missing");
  return value.value_or(0);
}

std::string ObjectReader::required_string(const char* key, std::size_t most) {
  auto value = string(key, most);
  if (!value) refuse(key, "is missing");
  return std::move(value).value_or("");
}

void ObjectReader::refuse(std::string key, std::string why) {
  if (!wrong_) wrong_ = WrongMember{path_, std::move(key), std::move(why)};
}

std::optional<WrongMember> ObjectReader::wrong() const {
  if (wrong_) return wrong_;
  for (const auto& [key, value] : object_.items())
    if (std::ranges::find(known_, std::string_view(key)) == known_.end())
      return WrongMember{path_, key, "unknown key"};
  return std::nullopt;
}

Result<void> ObjectReader::result() const {
  if (const auto found = wrong()) return tl::unexpected(found->error());
  return {};
}

}  // namespace morpheus::daemon
