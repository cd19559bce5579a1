// SPDX-License-Identifier: GPL-2.0-only
#include "sdk/src/client/this_thread.hpp"

#include "sdk/src/client/registry.hpp"

// Never equal to the counter that it points at, so the first checkpoint corrects it.
__thread morpheus_safepoint morpheus_here = {&morpheus::sdk::Epoch::idle_seq(), 0};

namespace morpheus::sdk {
namespace {

__thread ClientThread* registered = nullptr;
__thread void (*before_giving_way)() = nullptr;

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

void ThisThread::set_hand_over(void (*hand_over)()) { before_giving_way = hand_over; }

void ThisThread::hand_over() {
  if (before_giving_way != nullptr) before_giving_way();
}

ClientThread& ThisThread::room() {
  static thread_local Room room;
  return room.worker;
}

morpheus_safepoint ThisThread::safepoint() {
  if (registered != nullptr) return registered->safepoint();
  return {&Epoch::idle_seq(), Epoch::base()};
}

}  // namespace morpheus::sdk
