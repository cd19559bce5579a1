// SPDX-License-Identifier: GPL-2.0-only
// Threads for code that blocks: started as needed, ended when idle.
#pragma once

#include <morpheus/blocking.hpp>

#include <condition_variable>
#include <mutex>

namespace morpheus::sdk {

/// Any thread.
class BlockingThreads {
 public:
  explicit BlockingThreads(unsigned most) : most_(most) {}
  BlockingThreads(const BlockingThreads&) = delete;
  BlockingThreads& operator=(const BlockingThreads&) = delete;

  /// Waits until no thread is left. No task waits for one any more.
  void end();
  /// Throws std::system_error if there is no thread and none can be started.
  void run(detail::blocking_call& call);

 private:
  void work();
  [[nodiscard]] detail::blocking_call* take(std::unique_lock<std::mutex>& lock);

  const unsigned most_;
  std::mutex lock_;
  std::condition_variable changed_;
  std::condition_variable ended_;
  detail::blocking_call* first_ = nullptr;
  detail::blocking_call* last_ = nullptr;
  unsigned waiting_ = 0;  // calls
  unsigned idle_ = 0;     // threads
  unsigned threads_ = 0;
  bool is_ending_ = false;
};

}  // namespace morpheus::sdk
