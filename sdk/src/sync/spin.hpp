// SPDX-License-Identifier: GPL-2.0-only
// How a thread waits for another one that needs a few instructions.
#pragma once

#include <sched.h>

namespace morpheus::sdk {

/// What a spinning thread does between two looks.
inline void cpu_relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/// Spins until `is_over()`. After so many spins it gives up the CPU instead: the other thread may
/// have lost its own.
template <class F>
void spin_until(F is_over, int spins = 100) {
  for (int i = 0; !is_over(); ++i) {
    if (i < spins)
      cpu_relax();
    else
      (void)::sched_yield();
  }
}

}  // namespace morpheus::sdk
