// SPDX-License-Identifier: GPL-2.0-only
// What the library stores for the calling thread.
#pragma once

#include "sdk/src/client/client_thread.hpp"

namespace morpheus::sdk {

class ThisThread {
 public:
  /// The calling thread's registered worker, or none.
  [[nodiscard]] static ClientThread* worker();
  /// Makes it the thread's worker, or none, and updates morpheus_here.
  static void set_worker(ClientThread* worker);
  /// Memory for the thread's worker, until the thread ends, which unregisters it.
  [[nodiscard]] static ClientThread& room();
  /// What every thread does from now on before it acknowledges a hint at a plain safe point and
  /// gives up the CPU.
  static void set_hand_over(void (*hand_over)());
  static void hand_over();
  /// A safe point for the calling thread.
  [[nodiscard]] static morpheus_safepoint safepoint();
};

}  // namespace morpheus::sdk
