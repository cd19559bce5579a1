// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/console/columns.hpp"

#include <locale.h>
#include <wchar.h>

#include <limits>

namespace morpheus::ctl {
namespace {

constexpr std::size_t kEndless = std::numeric_limits<std::size_t>::max();

/// The C library's tables of characters, for UTF-8 whatever the user's locale is.
class Utf8 {
 public:
  Utf8() : before_(::uselocale(locale())) {}
  ~Utf8() { ::uselocale(before_); }
  Utf8(const Utf8&) = delete;
  Utf8& operator=(const Utf8&) = delete;

 private:
  static locale_t locale() {
    static const locale_t kMade = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    return kMade;  // 0, which changes nothing, if the system lacks it: then only ASCII is shown
  }

  locale_t before_;
};

/// The first character of a text that is not empty.
struct Character {
  std::size_t bytes = 1;
  std::size_t columns = 1;
  bool is_shown = false;
};

Character first_character(std::string_view text) {
  wchar_t wide = 0;
  mbstate_t state{};
  const auto bytes = ::mbrtowc(&wide, text.data(), text.size(), &state);
  if (bytes == 0 || bytes > text.size()) return {};  // a NUL, half a character, or none
  const int columns = ::wcwidth(wide);
  if (columns < 0) return {.bytes = bytes};
  return {bytes, static_cast<std::size_t>(columns), true};
}

/// Appends to `out` what fits; returns how many columns that takes.
std::size_t fit(std::string_view text, std::size_t columns, std::string& out) {
  const Utf8 utf8;
  std::size_t taken = 0;
  while (!text.empty()) {
    const auto next = first_character(text);
    if (taken + next.columns > columns) break;
    taken += next.columns;
    if (next.is_shown)
      out += text.substr(0, next.bytes);
    else
      out += '?';
    text.remove_prefix(next.bytes);
  }
  return taken;
}

}  // namespace

std::string cut(std::string_view text, std::size_t columns) {
  std::string out;
  fit(text, columns, out);
  return out;
}

std::string padded(std::string_view text, std::size_t columns) {
  std::string out;
  const auto taken = fit(text, columns, out);
  return out.append(columns - taken, ' ');
}

std::size_t columns_of(std::string_view text) {
  std::string shown;
  return fit(text, kEndless, shown);
}

}  // namespace morpheus::ctl
