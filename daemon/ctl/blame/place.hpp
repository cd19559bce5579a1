// SPDX-License-Identifier: GPL-2.0-only
// A frame of a stack as the kernel gives it, and the place in the code that it turns out to be.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace morpheus::ctl {

/// An offset in the file with a build id, or without one an address in the process.
struct Frame {
  std::string build_id;  ///< in hexadecimal; empty: `at` is an address
  std::uint64_t at = 0;
  bool is_caller = false;  ///< `at` is where a call returns to, just behind the code in question
  auto operator<=>(const Frame&) const = default;
};

/// The innermost first.
using Stack = std::vector<Frame>;

/// What can be said of a frame; what is not known is empty or 0.
struct Place {
  std::string function, file, module;
  std::uint64_t line = 0;
  [[nodiscard]] bool is_known() const { return !function.empty(); }
  auto operator<=>(const Place&) const = default;
};

/// One frame may be several places: a function and what was inlined into it, the innermost first.
using Places = std::vector<Place>;

/// Text that came from a process, a file or another user, as far as it can be printed: one line
/// of valid UTF-8 without anything that controls a terminal or turns the direction of writing. At
/// most `most` bytes.
[[nodiscard]] std::string printable(std::string_view text, std::size_t most = 512);

/// A demangled name without its parameters and without "(anonymous namespace)::": "f(int) const"
/// becomes "f()". The code of a coroutine has the coroutine's name.
[[nodiscard]] std::string short_name(std::string name);

/// "guilty.cpp" of a path.
[[nodiscard]] std::string_view file_name(std::string_view path);

}  // namespace morpheus::ctl
