// SPDX-License-Identifier: GPL-2.0-only
// The free blocks that no thread keeps, and the chunks that all blocks come from.
#pragma once

#include <morpheus/detail/frame_memory.hpp>

#include <array>
#include <cstddef>
#include <deque>
#include <mutex>
#include <vector>

namespace morpheus::sdk {

/// One for the process, never destroyed: frames may outlive any thread. Any thread.
class FrameStore {
 public:
  static constexpr std::size_t kBatch = 64;  ///< blocks that pass between threads at once
  static constexpr std::size_t kChunkSize = std::size_t{1} << 20;

  [[nodiscard]] static FrameStore& instance();

  /// A list of at least one free block. Throws std::bad_alloc.
  [[nodiscard]] detail::free_frame* take(std::size_t size_class);
  void give(std::size_t size_class, detail::free_frame* batch);

  /// Calls `visit(block)` for every block in use that is a coroutine frame. Frames that begin or
  /// end meanwhile may or may not be seen.
  template <class F>
  void each_in_use(F visit) {
    const std::scoped_lock lock(lock_);
    for (const Chunk& chunk : chunks_) {
      for (std::size_t i = 0; i < chunk.used; ++i) {
        char* const block = chunk.memory + i * chunk.size;
        if (__atomic_load_n(&reinterpret_cast<detail::free_frame*>(block)->in_use,
                            __ATOMIC_ACQUIRE) != nullptr)
          visit(block);
      }
    }
  }

 private:
  static constexpr std::size_t kClasses = detail::kLargestFrame / detail::kFrameStep + 1;
  struct Chunk {
    char* memory;
    std::size_t size;   // of a block
    std::size_t count;  // of blocks
    std::size_t used;   // blocks carved so far
  };

  FrameStore() = default;
  detail::free_frame* carve(std::size_t size_class);

  std::mutex lock_;
  std::array<std::vector<detail::free_frame*>, kClasses> batches_;
  std::deque<Chunk> chunks_;
  std::array<Chunk*, kClasses> open_{};
};

}  // namespace morpheus::sdk
