// SPDX-License-Identifier: GPL-2.0-only
// The exception that ends an operation that was asked to stop.
#pragma once

#include <morpheus/export.h>

#include <exception>

namespace morpheus {

/// Thrown by operations that take a std::stop_token and were asked to stop before they were done.
class cancelled : public std::exception {
 public:
  [[nodiscard]] const char* what() const noexcept override { return "the operation was cancelled"; }
};

namespace detail {
/// Ends the program if `error` is an exception other than `cancelled`: no code will see it.
MORPHEUS_API void report_unheard(const std::exception_ptr& error) noexcept;
}  // namespace detail

}  // namespace morpheus
