// SPDX-License-Identifier: GPL-2.0-only
// The measures by name. A subject defines those that its runtime can play; measures.py says what
// each means.
#pragma once

#include "subject.hpp"

namespace bench {

void yield(const Run& run);       // variant: how many tasks take turns on one thread
void spawn_join(const Run& run);  // variant: 1 or 2 threads; batches of 1,000 trivial tasks
void fork_join(const Run& run);   // variant: 1 or 2 threads; one fork and join per call of fib
void ping_pong(
    const Run& run);  // one-thread, two-threads, or asleep: between threads, the receiver sleeps
void timers(const Run& run);           // variant: how many tasks sleep again and again
void memory(const Run& run);           // variant: how many tasks wait for one event
void checkpoint(const Run& run);       // plain: in a function; coroutine: in a coroutine body
void checkpoint_loop(const Run& run);  // the same loops alone, to have their instructions counted
void hog(const Run& run);              // safe-points or none: a hog and a 1 kHz probe on one thread
void idle(const Run& run);             // two threads with nothing to do
void wake(const Run& run);             // the main thread wakes a task of a runtime that sleeps
void scaling(const Run& run);          // variant: threads; tasks of 10 us each

inline constexpr std::size_t kBatch = 1000;

}  // namespace bench
