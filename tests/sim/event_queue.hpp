// SPDX-License-Identifier: GPL-2.0-only
// Events in the order of time, and of insertion where times are equal.
#pragma once

#include <cstdint>
#include <queue>
#include <vector>

namespace morpheus::sim {

enum class EventType : std::uint8_t {
  tick,       ///< the periodic interrupt of a CPU
  timer,      ///< a CPU's pinned BPF timer
  preempt,    ///< the timer by which a woken thread takes a CPU, on the CPU that armed it
  step,       ///< the running thread reaches the end of a stretch of its program
  resched,    ///< an interrupt from another CPU: pick again
  kick,       ///< the same, with SCX_KICK_PREEMPT
  kick_idle,  ///< the same, with SCX_KICK_IDLE
  wake,       ///< a sleeping thread's time has come
  arrive,     ///< a woken thread reaches the runqueue of its CPU
  operate,    ///< the daemon does something
};

struct Event {
  std::uint64_t time;
  std::uint64_t order;
  std::uint32_t target;      ///< CPU or thread
  std::uint32_t generation;  ///< of the target's timer or step: an older one is void; preempt: the
                             ///< CPU whose run should end
  EventType type;
};

class EventQueue {
 public:
  void push(std::uint64_t time, EventType type, std::uint32_t target,
            std::uint32_t generation = 0) {
    heap_.push({time, order_++, target, generation, type});
  }
  Event pop() {
    const Event first = heap_.top();
    heap_.pop();
    return first;
  }
  [[nodiscard]] bool empty() const { return heap_.empty(); }

 private:
  struct Later {
    bool operator()(const Event& a, const Event& b) const {
      return a.time != b.time ? a.time > b.time : a.order > b.order;
    }
  };
  std::priority_queue<Event, std::vector<Event>, Later> heap_;
  std::uint64_t order_ = 0;
};

}  // namespace morpheus::sim
