// SPDX-License-Identifier: GPL-2.0-only
// Reads the members of one JSON object and remembers the first thing that is wrong with it. A
// configuration reports that as a sentence, a call by the name of the parameter.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/json.hpp"
#include "proto/result.hpp"

namespace morpheus::daemon {

/// What is wrong with an object or one of its members.
struct WrongMember {
  std::string path;  ///< of the object; empty: the whole file
  std::string key;   ///< empty: the object itself
  std::string why;   ///< "must be a string"

  /// "limits.workers: must be from 1 to 16383".
  [[nodiscard]] Error error() const;
};

class ObjectReader {
 public:
  /// Whether null is the same as no member, or a value of the wrong kind.
  enum class Null : bool { is_absent, is_wrong };
  static constexpr auto kAnyLength = std::numeric_limits<std::size_t>::max();

  /// `object` outlives this.
  ObjectReader(const Json& object, Null null, std::string path = "");

  /// The member; null if it is absent or something was wrong before it.
  [[nodiscard]] const Json* find(const char* key);

  /// A whole number from `least` to `most`, a string of at most `most` bytes, a boolean; nothing
  /// if the member is absent or wrong.
  [[nodiscard]] std::optional<std::uint64_t> number(const char* key, std::uint64_t least,
                                                    std::uint64_t most);
  [[nodiscard]] std::optional<std::string> string(const char* key, std::size_t most = kAnyLength);
  [[nodiscard]] std::optional<bool> boolean(const char* key);

  /// The same for a member that must be there; 0 or empty if it is absent or wrong.
  [[nodiscard]] std::uint64_t required_number(const char* key, std::uint64_t most);
  [[nodiscard]] std::string required_string(const char* key, std::size_t most);

  /// Replaces `into` if the member is there and right.
  void read(const char* key, std::string& into) {
    if (auto value = string(key)) into = std::move(*value);
  }
  template <class Number>
  void read(const char* key, Number& into, std::uint64_t least, std::uint64_t most) {
    if (const auto value = number(key, least, most)) into = static_cast<Number>(*value);
  }

  /// Calls `read` with a reader of the member, which must be an object.
  template <class Read>
  void read_object(const char* key, Read read) {
    const Json* member = find(key);
    if (member == nullptr) return;
    ObjectReader inner(*member, null_, path_.empty() ? key : path_ + "." + key);
    read(inner);
    wrong_ = inner.wrong();
  }

  /// Says that a member is wrong; ignored if something was wrong before.
  void refuse(std::string key, std::string why);

  /// The first thing that is wrong. A member that nothing above asked for is wrong too, so ask for
  /// all of them first.
  [[nodiscard]] std::optional<WrongMember> wrong() const;
  /// The same as a sentence.
  [[nodiscard]] Result<void> result() const;

 private:
  const Json& object_;
  Null null_;
  std::string path_;
  std::vector<std::string_view> known_;
  std::optional<WrongMember> wrong_;
};

}  // namespace morpheus::daemon
