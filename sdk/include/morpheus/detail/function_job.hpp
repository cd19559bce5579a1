// SPDX-License-Identifier: GPL-2.0-only
// Functions as jobs of a runtime.
#pragma once

#include <morpheus/detail/runner.hpp>

#include <new>
#include <type_traits>
#include <utility>

namespace morpheus::detail {

/// A job that can be dropped. Its second word says that it is no coroutine frame.
struct droppable_job : job {
  void (*drop)(droppable_job& self);
};

/// A function as a job.
template <class F>
class function_job final : droppable_job {
 public:
  template <class G>
  [[nodiscard]] static droppable_job* make(G&& body) {
    void* const memory = here->frames.allocate(sizeof(function_job));
    return new (memory) function_job(std::in_place, std::forward<G>(body));
  }

 private:
  template <class G>
  function_job(std::in_place_t, G&& body)
      : droppable_job{{&function_job::run, nullptr, nullptr}, &function_job::drop_it},
        body_(std::forward<G>(body)) {}
  static F take(function_job& self) {
    F body = std::move(self.body_);
    self.~function_job();
    here->frames.release(&self, sizeof(function_job));
    return body;
  }
  static void run(void* memory) {
    auto& self = *static_cast<function_job*>(static_cast<job*>(memory));
    F body = take(self);
    body();
  }
  static void drop_it(droppable_job& self) { (void)take(static_cast<function_job&>(self)); }

  F body_;
};

/// A job that is run once, or dropped.
class owned_job {
 public:
  explicit owned_job(droppable_job* owned) noexcept : job_(owned) {}
  owned_job(owned_job&& other) noexcept : job_(std::exchange(other.job_, nullptr)) {}
  owned_job& operator=(owned_job&&) = delete;
  ~owned_job() {
    if (job_ != nullptr) job_->drop(*job_);
  }
  void operator()() {
    job* const run = std::exchange(job_, nullptr);
    run->resume(run);
  }

 private:
  droppable_job* job_;
};

}  // namespace morpheus::detail
