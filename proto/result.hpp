// SPDX-License-Identifier: GPL-2.0-only
// The result of an operation that can fail for a reason outside this program: a value, or what was
// tried, on what, and why it failed.
#pragma once

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace morpheus {

/// A quota of the configuration: the name of its key, and its value.
struct Quota {
  const char* name;
  std::uint32_t limit;
};

/// `what` is a sentence fragment such as "open /run/x"; `code` an errno, or 0 where there is none.
struct [[nodiscard]] Error {
  std::string what;
  int code = 0;
  std::optional<Quota> quota{};  ///< the one that would have been exceeded, if that is the cause

  [[nodiscard]] std::string text() const {
    return code == 0 ? what : what + ": " + std::strerror(code);
  }
};

template <class T>
using Result = tl::expected<T, Error>;

[[nodiscard]] inline auto fail(std::string what, int code = 0) {
  return tl::unexpected<Error>(Error{std::move(what), code});
}

/// For what would exceed a quota.
[[nodiscard]] inline auto fail_quota(Quota quota) {
  auto what = std::string(quota.name) + " is " + std::to_string(quota.limit);
  return tl::unexpected<Error>(Error{std::move(what), 0, quota});
}

/// For a system call that just failed.
[[nodiscard]] inline auto fail_errno(std::string what) { return fail(std::move(what), errno); }

}  // namespace morpheus
