// SPDX-License-Identifier: GPL-2.0-only
#include "sdk/src/client/this_thread.hpp"

#include <atomic>

#include "sdk/src/client/registry.hpp"
#include "sdk/src/sync/per_thread.hpp"

// Never equal to the counter that it points at, so the first checkpoint corrects it.
__thread morpheus_safepoint morpheus_here = {&morpheus::sdk::Epoch::idle_seq(), 0};

namespace morpheus::sdk {
namespace {

__thread ClientThread* registered = nullptr;
constinit std::atomic<void (*)()> before_giving_way{nullptr};

struct Room {
  ClientThread worker;
  ~Room() {
    if (registered == nullptr) return;
    ThisThread::set_worker(nullptr);
    (void)Registry::instance().remove(worker);
  }
};

}  // namespace

ClientThread* ThisThread::worker() { return registered; }

void ThisThread::set_worker(ClientThread* worker) {
  registered = worker;
  morpheus_here = safepoint();
}

void ThisThread::set_hand_over(void (*hand_over)()) {
  before_giving_way.store(hand_over, std::memory_order_release);
}

void ThisThread::hand_over() {
  if (void (*const call)() = before_giving_way.load(std::memory_order_acquire)) call();
}

ClientThread& ThisThread::room() {
  static const PerThread<Room> rooms;
  return rooms.get().worker;
}

morpheus_safepoint ThisThread::safepoint() {
  if (registered != nullptr) return registered->safepoint();
  return {&Epoch::idle_seq(), Epoch::base()};
}

}  // namespace morpheus::sdk
