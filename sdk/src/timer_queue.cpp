// SPDX-License-Identifier: GPL-2.0-only
#include "sdk/src/timer_queue.hpp"

#include <algorithm>

namespace morpheus::sdk {
namespace {
constexpr std::size_t kChildren = 4;
}

bool TimerQueue::add(detail::timer& timer, detail::job* task, detail::lane* where) {
  const std::scoped_lock lock(lock_);
  if (timer.is_stopped_) return false;
  heap_.push_back({});
  timer.task_ = task;
  timer.where_ = where;
  if (timer.queue_ != this) timer.queue_ = this;  // if it was prepared, a stop may be reading it
  rise(heap_.size() - 1, {timer.deadline_ns_, added_++, &timer});
  note_earliest();
  return true;
}

void TimerQueue::remove(detail::timer& timer) {
  TimerQueue& queue = *timer.queue_;
  {
    const std::scoped_lock lock(queue.lock_);
    timer.is_stopped_ = true;
    if (timer.index_ == detail::timer::kOutside) return;
    queue.take_out(timer.index_);
    timer.index_ = detail::timer::kOutside;
    queue.note_earliest();
  }
  detail::schedule(timer.task_, timer.where_);
}

void TimerQueue::put(std::size_t index, const Entry& entry) {
  heap_[index] = entry;
  entry.timer->index_ = index;
}

void TimerQueue::rise(std::size_t index, const Entry& entry) {
  while (index > 0) {
    const std::size_t parent = (index - 1) / kChildren;
    if (!entry.is_before(heap_[parent])) break;
    put(index, heap_[parent]);
    index = parent;
  }
  put(index, entry);
}

void TimerQueue::sink(std::size_t index, const Entry& entry) {
  while (true) {
    const std::size_t first = index * kChildren + 1;
    if (first >= heap_.size()) break;
    const std::size_t end = std::min(first + kChildren, heap_.size());
    std::size_t least = first;
    for (std::size_t child = first + 1; child < end; ++child)
      if (heap_[child].is_before(heap_[least])) least = child;
    if (!heap_[least].is_before(entry)) break;
    put(index, heap_[least]);
    index = least;
  }
  put(index, entry);
}

void TimerQueue::take_out(std::size_t index) {
  const Entry last = heap_.back();
  heap_.pop_back();
  if (index == heap_.size()) return;
  if (index > 0 && last.is_before(heap_[(index - 1) / kChildren]))
    rise(index, last);
  else
    sink(index, last);
}

void TimerQueue::note_earliest() {
  earliest_.store(heap_.empty() ? kNever : heap_.front().deadline_ns, std::memory_order_relaxed);
}

}  // namespace morpheus::sdk
