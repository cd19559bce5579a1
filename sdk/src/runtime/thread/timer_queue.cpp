// SPDX-License-Identifier: GPL-2.0-only
#include "sdk/src/runtime/thread/timer_queue.hpp"

#include <algorithm>
#include <utility>

#include "sdk/src/sync/race_detector.hpp"

namespace morpheus::sdk {

bool TimerQueue::add(detail::timer& timer, detail::job* task, detail::lane* where) {
  const std::scoped_lock lock(lock_);
  if (timer.is_stopped_) return false;
  if ((size_ + kChildren - 1) / kChildren == blocks_.size()) blocks_.emplace_back();
  timer.task_ = task;
  timer.where_ = where;
  timer.number_ = added_++;
  rise(size_++, {timer.deadline_ns_, &timer});
  note_earliest();
  return true;
}

void TimerQueue::stop(detail::timer& timer) {
  {
    const std::scoped_lock lock(timer.queue_->lock_);
    timer.is_stopped_ = true;
    if (timer.index_ == detail::timer::kOutside) return;
    timer.queue_->take_out(timer);
    timer.queue_->note_earliest();
  }
  note_release(timer.task_);
  detail::schedule(timer.task_, timer.where_);
}

bool TimerQueue::cancel(detail::timer& timer) {
  if (timer.queue_ == nullptr) return true;  // it was never prepared
  const std::scoped_lock lock(timer.queue_->lock_);
  if (timer.index_ == detail::timer::kOutside) return false;
  timer.queue_->take_out(timer);
  timer.queue_->note_earliest();
  return true;
}

void TimerQueue::put(std::size_t index, const Entry& entry) {
  at(index) = entry;
  entry.timer->index_ = index;
}

void TimerQueue::rise(std::size_t index, const Entry& entry) {
  while (index > 0) {
    const std::size_t parent = (index - 1) / kChildren;
    if (!entry.is_before(at(parent))) break;
    put(index, at(parent));
    index = parent;
  }
  put(index, entry);
}

void TimerQueue::sink(std::size_t index, const Entry& entry) {
  while (true) {
    const std::size_t first = index * kChildren + 1;
    if (first >= size_) break;
    // It takes a while to find the earliest of them, and a large heap is in no near cache.
    for (std::size_t child = first; child < first + kChildren; ++child)
      if (child + 1 < blocks_.size()) __builtin_prefetch(&blocks_[child + 1]);
    const auto& children = blocks_[index + 1].entries;
    const std::size_t count = std::min(kChildren, size_ - first);
    std::size_t least = 0;
    for (std::size_t child = 1; child < count; ++child)
      least = children[child].is_before(children[least]) ? child : least;
    if (!children[least].is_before(entry)) break;
    put(index, children[least]);
    index = first + least;
  }
  put(index, entry);
}

void TimerQueue::take_out(detail::timer& timer) {
  const std::size_t index = std::exchange(timer.index_, detail::timer::kOutside);
  const Entry last = at(--size_);
  if (index == size_) return;
  if (index > 0 && last.is_before(at((index - 1) / kChildren)))
    rise(index, last);
  else
    sink(index, last);
}

void TimerQueue::note_earliest() {
  earliest_.store(size_ == 0 ? kNever : at(0).deadline_ns, std::memory_order_relaxed);
}

}  // namespace morpheus::sdk
