// SPDX-License-Identifier: GPL-2.0-only
// Something that threads of a runtime wait in instead of sleeping: a source of events.
#pragma once

#include <morpheus/export.h>

#include <cstdint>

namespace morpheus {
class runtime;
}

namespace morpheus::detail {

/// Any thread of the runtime may call poll() or wait(), even while another is in one of them.
class driver {
 public:
  static constexpr std::uint64_t kForever = ~std::uint64_t{0};

  driver() = default;
  driver(const driver&) = delete;
  driver& operator=(const driver&) = delete;

  /// Handles what has happened, without waiting.
  virtual void poll() noexcept = 0;
  /// Waits for the first event, at most for `span_ns` or for ever, and handles it.
  virtual void wait(std::uint64_t span_ns) noexcept = 0;
  /// Ends a wait() that goes on or comes next. Any thread.
  virtual void interrupt() noexcept = 0;

  /// From now on, or no longer, the threads of `on` do so. One driver at a time; detach() returns
  /// when no thread is in it.
  MORPHEUS_API void attach(runtime& on);
  MORPHEUS_API void detach(runtime& on) noexcept;

 protected:
  ~driver() = default;
};

}  // namespace morpheus::detail
