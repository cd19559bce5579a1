// SPDX-License-Identifier: GPL-2.0-only
// What a spinning thread does between two looks.
#pragma once

namespace morpheus::sdk {

inline void cpu_relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

}  // namespace morpheus::sdk
