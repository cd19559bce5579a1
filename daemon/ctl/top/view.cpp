// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/top/view.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "daemon/ctl/console/columns.hpp"

namespace morpheus::ctl {
namespace {

constexpr const char* kEscape = "\033";
constexpr std::size_t kLongestFilter = 64;

bool is_one_of(const std::string& key, std::initializer_list<std::string_view> keys) {
  return std::ranges::find(keys, key) != keys.end();
}

/// How many bytes a character of UTF-8 has, by its first.
std::size_t length_of(char first) {
  const auto byte = static_cast<unsigned char>(first);
  return byte < 0xc0 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

/// A letter may be of several bytes; a control character is none.
bool is_text(const std::string& key) {
  const auto first = static_cast<unsigned char>(key[0]);
  return first >= 0x20 && first != 0x7f;
}

void erase_last(std::string& text) {
  while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xc0) == 0x80) text.pop_back();
  if (!text.empty()) text.pop_back();
}

void type(TopView& view, const std::string& key) {
  if (key == kEscape) {
    view.typing.reset();
  } else if (is_one_of(key, {"\r", "\n"})) {
    view.choice.filter = *std::exchange(view.typing, std::nullopt);
    view.first = 0;
  } else if (is_one_of(key, {"\177", "\b"})) {
    erase_last(*view.typing);
  } else if (is_text(key) && view.typing->size() < kLongestFilter) {
    *view.typing += key;
  }
}

bool scroll(TopView& view, const std::string& key) {
  const auto back = [&](std::size_t rows) { view.first -= std::min(view.first, rows); };
  if (is_one_of(key, {"\033[A", "\033OA"})) {
    back(1);
  } else if (is_one_of(key, {"\033[B", "\033OB"})) {
    view.first += 1;
  } else if (key == "\033[5~") {
    back(view.page);
  } else if (key == "\033[6~") {
    view.first += view.page;
  } else if (is_one_of(key, {"\033[H", "\033OH", "\033[1~"})) {
    view.first = 0;
  } else if (is_one_of(key, {"\033[F", "\033OF", "\033[4~"})) {
    view.first = view.last;
  } else {
    return false;
  }
  view.first = std::min(view.first, view.last);
  return true;
}

bool sort_by(TopView& view, const std::string& key) {
  const auto* chosen = std::ranges::find(kSortKeys, key[0], &SortKey::key);
  if (key.size() != 1 || chosen == std::end(kSortKeys)) return false;
  view.choice.sort = chosen->column;
  return true;
}

void show_help(TopView& view, bool shown) {
  view.help = shown;
  view.first = 0;
}

bool change(TopView& view, const std::string& key) {
  if (is_one_of(key, {"?", "h"}))
    show_help(view, true);
  else if (key == "/")
    view.typing = view.choice.filter;
  else if (key == " ")
    view.paused = !view.paused;
  else if (key == "g")
    view.choice.grouped = !view.choice.grouped, view.first = 0;
  else
    return is_one_of(key, {"\f", "\r", "\n"}) || sort_by(view, key);
  return true;
}

}  // namespace

std::string take_key(std::string& input) {
  std::size_t size = length_of(input[0]);
  if (input.starts_with("\033[")) {
    const auto end = std::ranges::find_if(input.begin() + 2, input.end(),
                                          [](char c) { return c >= 0x40 && c <= 0x7e; });
    size = static_cast<std::size_t>(end - input.begin()) + 1;
  } else if (input.starts_with("\033O")) {
    size = 3;
  }
  std::string key = input.substr(0, size);
  input.erase(0, size);
  return key;
}

bool press(TopView& view, const std::string& key) {
  view.message.clear();
  if (view.typing) {
    type(view, key);
  } else if (scroll(view, key)) {
    return true;
  } else if (view.help) {
    show_help(view, false);
  } else if (key == "q") {
    return false;
  } else if (!change(view, key)) {
    view.message = (is_text(key) ? "there is no key " + cut(key, 2) : "there is no such key") +
                   "; ? lists them";
  }
  return true;
}

}  // namespace morpheus::ctl
