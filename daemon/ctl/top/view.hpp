// SPDX-License-Identifier: GPL-2.0-only
// What the operator has chosen to see of top, and the keys that change it. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace morpheus::ctl {

/// A key of the terminal, a letter of the column that it sorts by. `label` has that letter, too.
struct SortKey {
  char key;
  std::string_view column, label;
};
inline constexpr SortKey kSortKeys[] = {
    {'c', "cpu", "cpu"},       {'w', "wait", "wait"},          {'k', "kept", "kept"},
    {'n', "hints", "hints"},   {'a', "acknowledged", "acked"}, {'l', "lost", "lost"},
    {'e', "escalated", "esc"}, {'o', "worker", "worker"}};

/// Which rows, and in which order.
struct Choice {
  std::string sort = "cpu";
  std::string filter = {};  ///< part of the process's name, or a pid or tid; empty: all
  bool grouped = false;     ///< a row for each process
};

struct TopView {
  Choice choice = {};
  std::size_t columns = 80;
  std::size_t lines = 0;  ///< 0: no limit
  bool keys = false;      ///< on a terminal: show the keys, and a line about what is chosen
  bool help = false;      ///< in place of the workers
  bool paused = false;
  std::optional<std::string> typing = {};  ///< a filter that is not finished yet
  std::string message = {};                ///< until the next key
  // rows; the picture sets the latter two
  std::size_t first = 0;  ///< at the top of the screen
  std::size_t last = 0;   ///< the most that `first` can be
  std::size_t page = 1;   ///< how many are shown
};

/// Takes the first key off what was read from a terminal: a character, or an escape sequence.
[[nodiscard]] std::string take_key(std::string& input);

/// False if the key ends top.
[[nodiscard]] bool press(TopView& view, const std::string& key);

}  // namespace morpheus::ctl
