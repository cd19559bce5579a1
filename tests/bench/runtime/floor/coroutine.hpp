// SPDX-License-Identifier: GPL-2.0-only
// The least that coroutines need to take turns on one thread: recycled frames, and a ring of the
// coroutines that are ready.
#pragma once

#include <array>
#include <bit>
#include <coroutine>
#include <cstdlib>
#include <new>
#include <vector>

#include "../subject.hpp"

namespace bench::least {

/// Frames of the calling thread, kept by size for the next coroutine.
struct Recycled {
  static void* operator new(std::size_t size) {
    Node*& list = free_[slot(size)];
    if (list == nullptr) return std::malloc(slot(size) * kStep);
    return std::exchange(list, list->next);
  }
  static void operator delete(void* frame, std::size_t size) {
    Node*& list = free_[slot(size)];
    list = new (frame) Node{list};
  }

 private:
  struct Node {
    Node* next;
  };
  static constexpr std::size_t kStep = 32;
  static std::size_t slot(std::size_t size) { return (size + kStep - 1) / kStep; }
  static inline thread_local std::array<Node*, 64> free_{};
};

class Ready {
 public:
  explicit Ready(std::size_t most) : ring_(std::bit_ceil(most + 1)), mask_(ring_.size() - 1) {}

  void push(std::coroutine_handle<> task) { ring_[tail_++ & mask_] = task; }
  void run() {
    while (head_ != tail_) ring_[head_++ & mask_].resume();
  }

  struct Turn {
    Ready& ready;
    static bool await_ready() { return false; }
    void await_suspend(std::coroutine_handle<> task) { ready.push(task); }
    static void await_resume() {}
  };
  [[nodiscard]] Turn turn() { return {*this}; }

 private:
  std::vector<std::coroutine_handle<>> ring_;
  std::size_t mask_, head_ = 0, tail_ = 0;
};

/// A coroutine that starts suspended and frees itself at its end.
struct Job {
  struct promise_type : Recycled {
    Job get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    static std::suspend_always initial_suspend() noexcept { return {}; }
    static std::suspend_never final_suspend() noexcept { return {}; }
    static void return_void() {}
    static void unhandled_exception() { std::abort(); }
  };
  std::coroutine_handle<> handle;
};

}  // namespace bench::least
