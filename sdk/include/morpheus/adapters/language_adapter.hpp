// SPDX-License-Identifier: GPL-2.0-only
// What a language runtime implements to be guided by the kernel: five operations.
#pragma once

#include <morpheus/worker.hpp>

#include <concepts>

namespace morpheus {

/// An adapter belongs to one worker.
///   enter_safe_point()   here the thread may stop: acknowledges a hint and gives up the CPU
///   enter_checkpoint()   acknowledges a hint; true: the runtime should call yield_worker() soon
///   enter_critical()     returns a guard; while it lives the thread must not be stopped
///   yield_worker()       gives up the CPU now
///   default_escapable()  whether code in this language can be preempted outside critical sections
template <class A>
concept LanguageAdapter = requires(A adapter) {
  { adapter.enter_safe_point() } -> std::same_as<void>;
  { adapter.enter_checkpoint() } -> std::same_as<bool>;
  { adapter.enter_critical() } -> std::destructible;
  { adapter.yield_worker() } -> std::same_as<void>;
  { A::default_escapable() } -> std::same_as<bool>;
};

/// The adapter of C++.
class cpp_adapter {
 public:
  /// `self` must be the calling thread's and outlive the adapter.
  explicit cpp_adapter(const worker& self) noexcept : self_(self) {}

  void enter_safe_point() noexcept { (void)here_.checkpoint(); }
  [[nodiscard]] bool enter_checkpoint() noexcept { return here_.acknowledge(); }
  [[nodiscard]] critical_section enter_critical() const noexcept { return critical_section(self_); }
  void yield_worker() const noexcept { morpheus_yield(); }
  [[nodiscard]] static constexpr bool default_escapable() noexcept {
    return worker_options{}.escapable;
  }

 private:
  const worker& self_;
  safe_point here_;
};

static_assert(LanguageAdapter<cpp_adapter>);

}  // namespace morpheus
