// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/blame/place.hpp"

#include <optional>

namespace morpheus::ctl {
namespace {

struct Character {
  char32_t code = 0;
  std::size_t bytes = 1;
};

// Strict: neither overlong forms nor surrogates.
std::optional<Character> first_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return Character{lead, 1};
  const std::size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < bytes) return std::nullopt;
  char32_t code = lead & (0x7fu >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return std::nullopt;
    code = code << 6 | (byte(i) & 0x3fu);
  }
  constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kLeast[bytes] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
    return std::nullopt;
  return Character{code, bytes};
}

bool is_harmless(char32_t code) {
  if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return false;  // control characters
  if (code == 0xad || code == 0x61c || code == 0xfeff) return false;
  // zero width, line ends, direction
  return !(code >= 0x200b && code <= 0x200f) && !(code >= 0x2028 && code <= 0x202e) &&
         !(code >= 0x2060 && code <= 0x206f) && !(code >= 0xe000 && code <= 0xf8ff) &&
         code < 0xe0000;
}

void cut_end(std::string& text, std::string_view end) {
  if (text.ends_with(end)) text.resize(text.size() - end.size());
}

// Where the parenthesis begins that the last character closes.
std::size_t opening(std::string_view text) {
  int depth = 0;
  for (std::size_t i = text.size(); i-- > 0;) {
    if (text[i] == ')') ++depth;
    if (text[i] == '(' && --depth == 0) return i;
  }
  return std::string_view::npos;
}

}  // namespace

std::string printable(std::string_view text, std::size_t most) {
  std::string out;
  while (!text.empty() && out.size() < most) {
    const auto next = first_character(text);
    if (next && is_harmless(next->code))
      out += text.substr(0, next->bytes);
    else
      out += '?';
    text.remove_prefix(next ? next->bytes : 1);
  }
  return out;
}

std::string short_name(std::string name) {
  constexpr std::string_view kAnonymous = "(anonymous namespace)::";
  for (auto at = name.find(kAnonymous); at != std::string::npos; at = name.find(kAnonymous))
    name.erase(at, kAnonymous.size());
  for (auto clone = name.rfind(" [clone "); clone != std::string::npos && name.ends_with(']');
       clone = name.rfind(" [clone "))
    name.resize(clone);
  for (const std::string_view end : {"&&", "&", " const", " volatile", " noexcept"})
    cut_end(name, end);
  if (name.empty() || name.back() != ')') return name;
  const auto open = opening(name);
  if (open == std::string::npos || open == 0) return name;
  name.resize(open);
  return name + "()";
}

std::string_view file_name(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace morpheus::ctl
