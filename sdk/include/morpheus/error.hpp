// SPDX-License-Identifier: GPL-2.0-only
// How operations fail: the C ABI's errors as std::error_code, and `cancelled`.
#pragma once

#include <morpheus/error.h>

#include <exception>
#include <string>
#include <system_error>

namespace morpheus {

/// The category of morpheus_error codes. Any thread.
[[nodiscard]] inline const std::error_category& error_category() noexcept {
  class category final : public std::error_category {
    [[nodiscard]] const char* name() const noexcept override { return "morpheus"; }
    [[nodiscard]] std::string message(int error) const override {
      return morpheus_error_text(error);
    }
  };
  static const category instance;
  return instance;
}

/// Throws std::system_error unless `error` is MORPHEUS_OK. `what` says what was tried.
inline void throw_on_error(int error, const char* what) {
  if (error != MORPHEUS_OK) throw std::system_error(error, error_category(), what);
}

/// Thrown by operations that take a std::stop_token and were asked to stop before they were done.
class cancelled : public std::exception {
 public:
  [[nodiscard]] const char* what() const noexcept override { return "the operation was cancelled"; }
};

}  // namespace morpheus
