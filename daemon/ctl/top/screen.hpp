// SPDX-License-Identifier: GPL-2.0-only
// The terminal while top has it: an alternate screen, keys without Enter.
#pragma once

#include <termios.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "daemon/ctl/top/view.hpp"

namespace morpheus::ctl {

/// Gives the terminal back at the end, and while the operator has stopped the program (Ctrl-Z).
class Screen {
 public:
  /// Whether there is a terminal, one that can move its cursor.
  [[nodiscard]] static bool is_possible();

  Screen();
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  /// Stops, if the operator wants that, until he continues; true if the picture has to be drawn
  /// again.
  [[nodiscard]] bool attend_signals();
  /// What the operator typed; empty at `end`, or if a signal came since the last look at them.
  /// Nothing at the end of the terminal.
  [[nodiscard]] static std::optional<std::string> wait_for_input(
      std::chrono::steady_clock::time_point end);
  static void fit(TopView& view);
  static void draw(const std::vector<std::string>& picture);

 private:
  void take() const;
  void give_back() const;

  termios before_{};
};

}  // namespace morpheus::ctl
