// SPDX-License-Identifier: GPL-2.0-only
// How tasks come under their contexts, and how a stop goes through them.
#include <morpheus/detail/fork.hpp>
#include <morpheus/detail/scope_state.hpp>
#include <morpheus/detail/select.hpp>
#include <morpheus/detail/stop_context.hpp>
#include <morpheus/detail/timeout_block.hpp>
#include <morpheus/detail/wait_queue.hpp>

#include <mutex>
#include <new>
#include <utility>

#include "sdk/src/runtime/shared/root_tasks.hpp"
#include "sdk/src/sync/futex.hpp"
#include "sdk/src/sync/race_detector.hpp"
#include "sdk/src/sync/spin.hpp"

namespace morpheus::detail {

// --- A stop

/// Returns those before.
std::uint8_t stop_context::add_marks(std::uint8_t more) noexcept {
  const std::scoped_lock guard(lock_);
  const std::uint8_t before = marks_.fetch_or(more, std::memory_order_acq_rel);
  if (!is_lone())
    for (wait_slots* some = slots(); some != nullptr; some = some->next)
      some->marks.fetch_or(more, std::memory_order_release);
  return before;
}

bool stop_context::mark_stopped() noexcept { return (add_marks(kStopped) & kStopped) == 0; }

void stop_batch::add(stop_context& stopped) noexcept {
  if (stopped.mark_stopped()) stopped.marked_before_ = std::exchange(newest_, &stopped);
}

void stop_batch::stop() noexcept {
  if (newest_ != nullptr) stop_context::stop_marked(std::exchange(newest_, nullptr));
}

void stop_context::stop() noexcept {
  stop_batch alone;
  alone.add(*this);
  alone.stop();
}

/// Those within are found in the slots, and marked for the next round: a barrier for each level.
/// Nothing that was found goes before all of it is settled, the innermost first.
void stop_context::stop_marked(stop_context* newest) noexcept {
  stop_context* done = nullptr;
  while (newest != done) {
    // From here on a task that goes on sees the mark, or its slot is seen empty.
    sdk::barrier_on_all_threads();
    stop_context* const level = newest;
    for (stop_context* each = level; each != done; each = each->marked_before_)
      each->stop_waits(newest);
    done = level;
  }
  while (newest != nullptr) {
    stop_context* const settled = std::exchange(newest, newest->marked_before_);
    sdk::note_release(settled);
    settled->marks_.fetch_or(kSettled, std::memory_order_release);  // no look at the copies
  }
}

void stop_context::stop_waits(stop_context*& newest) noexcept {
  const std::scoped_lock guard(lock_);
  if (is_lone()) return stop_wait(slot_, newest);
  for (wait_slots* some = slots(); some != nullptr; some = some->next)
    for (std::size_t i = 0; i < some->used; ++i) stop_wait(some->slots[i], newest);
}

void stop_context::stop_wait(wait_slot& slot, stop_context*& newest) noexcept {
  const published_wait wait = slot.load(std::memory_order_acquire);
  sdk::note_acquire(&slot);
  void* const at = reinterpret_cast<void*>(wait & ~kWaitTags);
  if (at == nullptr || (wait & kWaitTags) == wait_slots::kFree) return;
  if ((wait & kWaitTags) == kWaitsInQueue) return static_cast<waiter*>(at)->stop();
  if ((wait & kWaitTags) == kWaitsInTarget) return static_cast<stop_target*>(at)->stop();
  auto* const within = static_cast<stop_context*>(at);
  if (!within->mark_stopped()) return;
  within->marked_before_ = std::exchange(newest, within);
  if (within->kind_ == stop_kind::scope) static_cast<scope_state*>(within)->stopped_from_around();
}

void waiter::stop() noexcept {
  {
    const std::scoped_lock guard(queue->lock);
    queue->lock.each_order(sdk::note_acquire);
    if (next == nullptr) return;
    wait_queue::remove(*this);
    previous = nullptr;
  }
  if (!is_selecting()) sdk::note_release(task);
  resume();
}

void waiter::end_wait_slowly() {
  if (task == nullptr) return;
  task_stop::withdraw(task);
  if (previous == nullptr) throw cancelled();
}

void waiter::resume_selecting() noexcept {
  lane* const where = selecting().where();
  sdk::note_release(selecting().order());
  job* const selects = selecting().served();
  if (selects == nullptr) return;
  sdk::note_acquire(selecting().order());
  sdk::note_release(selects);
  schedule(selects, where);
}

waiter* wait_queue::claim_from(waiter* first) noexcept {
  while (first->is_selecting() && !first->selecting().claim(first)) {
    if (empty()) return nullptr;
    first = static_cast<waiter*>(ends_.next);
    remove(*first);
  }
  return first;
}

// --- A task that waits

bool stop_context::may_wait() const noexcept {
  if ((marks() & kCareful) != 0) std::atomic_thread_fence(std::memory_order_seq_cst);
  return !is_stopped();
}

bool stop_context::has_withdrawn() noexcept {
  if (may_wait()) return false;
  sdk::spin_until([this] { return (marks() & kSettled) != 0; });
  sdk::note_acquire(this);
  return true;
}

job* promise_base::complete_slowly(job* ended) noexcept {
  if (!is_root()) return awaited_by();
  stop_context& told = context();
  if (has_slot()) stop_context::free_slot(slot());
  if (has_failed()) told.note_failure(ended);
  return told.done(ended);
}

promise_base& task_stop::root_of(job* leaf) noexcept {
  promise_base* root = &promise_of(leaf);
  while (!root->is_root()) root = &promise_of(root->awaited_by());
  return *root;
}

stop_context& task_stop::around(job* leaf) noexcept { return root_of(leaf).context(); }

void task_stop::enter(job* leaf) {
  withdraw(leaf);  // what was published in vain
  promise_base& root = root_of(leaf);
  stop_context& around = root.context();
  around.enter();
  if ((root.at_end_ & promise_base::kSlot) == 0)
    root.at_end_ = reinterpret_cast<std::uintptr_t>(&around.add_slot()) | promise_base::kSlot;
}

bool task_stop::publish_entered(job* leaf, published_wait wait) noexcept {
  return put(leaf, wait) == 0 || around(leaf).may_wait();
}

std::uint8_t task_stop::put(job* leaf, published_wait wait) noexcept {
  promise_base& root = root_of(leaf);
  if ((root.at_end_ & promise_base::kSlot) == 0) return stop_context::kNew;
  stop_context& around = root.context();
  wait_slot& slot = root.has_slot() ? root.slot() : around.lone_slot();
  sdk::note_release(&slot);
  slot.store(wait, std::memory_order_release);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  return around.marks();
}

bool task_stop::withdraw_slowly(job* leaf) noexcept {
  return put(leaf, 0) != 0 && around(leaf).has_withdrawn();
}

void stop_context::enter() {
  if (is_entered()) return;
  const std::scoped_lock guard(entry_lock_);
  if (is_entered()) return;
  if (!sdk::can_barrier_all_threads()) add_marks(kCareful);
  const bool is_asked_to_stop = !publish();
  marks_.fetch_and(static_cast<std::uint8_t>(~kNew), std::memory_order_release);
  if (is_asked_to_stop) stop();
}

/// False: what is around it has been stopped.
bool stop_context::publish() {
  job* parent = nullptr;
  switch (kind_) {
    case stop_kind::scope:
    case stop_kind::shield:
      return true;
    case stop_kind::root:
      return sdk::RootTasks::here().add(static_cast<root_context&>(*this));
    case stop_kind::fork:
      parent = static_cast<fork_block&>(*this).parent();
      break;
    case stop_kind::timeout:
      parent = static_cast<timeout_block&>(*this).parent();
      break;
  }
  return task_stop::begin_wait(parent, published());
}

void root_context::leave_list() noexcept {
  std::exchange(listed_by_, nullptr)->remove(*this);
  if (is_stopped()) (void)has_withdrawn();
}

void stop_context::note_failure(job* ended) noexcept {
  if (kind_ == stop_kind::scope) static_cast<scope_state&>(*this).note_failure(ended);
  if (kind_ == stop_kind::fork) static_cast<fork_block&>(*this).note_failure(ended);
}

// --- Slots

/// So many take up little more than they need: aligned memory costs as much again if it is small.
static constexpr std::size_t kManyAtOnce = 32;

static wait_slots* make_slots(stop_context& owner, std::size_t count) {
  static_assert(sizeof(wait_slots) == wait_slots::kSize);
  void* const memory =
      ::operator new(count * wait_slots::kSize, std::align_val_t(wait_slots::kSize));
  wait_slots* next = nullptr;
  for (std::size_t i = count; i-- > 0;)
    next = new (static_cast<char*>(memory) + i * wait_slots::kSize)
        wait_slots{&owner, nullptr, next, nullptr, 0, i == 0, 0, {}};
  return next;
}

wait_slot& stop_context::add_slot() {
  const std::scoped_lock guard(lock_);
  sdk::note_acquire(&lock_);
  wait_slots* newest = slots();
  if (newest != nullptr && newest->free != nullptr) {
    wait_slot& slot = *newest->free;
    newest->free = reinterpret_cast<wait_slot*>(slot.load(std::memory_order_relaxed) & ~kWaitTags);
    slot.store(0, std::memory_order_relaxed);
    return slot;
  }
  if (newest == nullptr || newest->used == wait_slots::kCount) {
    wait_slots* more = newest != nullptr ? newest->unused : nullptr;
    if (more == nullptr) more = make_slots(*this, newest == nullptr ? 1 : kManyAtOnce);
    more->next = std::exchange(newest, more);
    more->marks.store(marks() & static_cast<std::uint8_t>(~kNew), std::memory_order_relaxed);
    slot_.store(reinterpret_cast<std::uintptr_t>(more), std::memory_order_relaxed);
    sdk::note_release(&lock_);
  }
  return newest->slots[newest->used++];
}

void stop_context::free_slot(wait_slot& slot) noexcept {
  stop_context& owner = *wait_slots::of(slot).owner;
  const std::scoped_lock guard(owner.lock_);
  sdk::note_release(&owner.lock_);
  wait_slot*& free = owner.slots()->free;
  slot.store(reinterpret_cast<published_wait>(free) | wait_slots::kFree, std::memory_order_relaxed);
  free = &slot;
}

void stop_context::free_slots_slowly() noexcept {
  sdk::note_acquire(&lock_);
  // Of each allocation the first was filled before the others.
  wait_slots* some = slots();
  slot_.store(0, std::memory_order_relaxed);
  while (some != nullptr) {
    wait_slots* const gone = std::exchange(some, some->next);
    if (gone->is_first) ::operator delete(gone, std::align_val_t(wait_slots::kSize));
  }
}

}  // namespace morpheus::detail
