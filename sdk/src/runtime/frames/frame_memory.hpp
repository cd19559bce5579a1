// SPDX-License-Identifier: GPL-2.0-only
// The free blocks that no thread keeps, the chunks that blocks come from, and the frames that have
// memory of their own.
#pragma once

#include <morpheus/detail/frame_memory.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

namespace morpheus::sdk {

/// One for the process, never destroyed: frames may outlive any thread. Any thread.
class FrameStore {
 public:
  static constexpr std::size_t kBatch = 64;  ///< blocks that pass between threads at once
  static constexpr std::size_t kChunkSize = std::size_t{1} << 20;
  /// Free memory in blocks of one size, beyond which chunks go back to the system.
  static constexpr std::size_t kMostFree = std::size_t{16} << 20;

  [[nodiscard]] static FrameStore& instance();

  /// A list of at least one free block. Throws std::bad_alloc.
  [[nodiscard]] detail::free_frame* take(std::size_t size_class);
  void give(std::size_t size_class, detail::free_frame* batch) noexcept;
  /// Gives all chunks without a frame in them back to the system, but those of which a thread keeps
  /// a block.
  void trim() noexcept;

  /// A frame with memory of its own. Throws std::bad_alloc.
  [[nodiscard]] void* allocate_single(std::size_t size);
  void release_single(void* frame) noexcept;

  /// Calls `visit(block)` for every block in use that is a coroutine frame. Frames that begin or
  /// end meanwhile may or may not be seen.
  template <class F>
  void each_in_use(F visit) {
    const std::scoped_lock lock(lock_);
    const auto visit_frame = [&](char* block) {
      if (__atomic_load_n(&reinterpret_cast<detail::free_frame*>(block)->in_use,
                          __ATOMIC_ACQUIRE) != nullptr)
        visit(block);
    };
    for (const Chunk& chunk : chunks_)
      for (std::size_t i = 0; i < chunk.used; ++i) visit_frame(chunk.memory + i * chunk.size);
    for (Single* frame = singles_.next; frame != &singles_; frame = frame->next)
      visit_frame(frame->memory());
  }
  /// Calls `look()` while `frame` can be read, if it is one, or was one in a block.
  template <class F>
  void look_at(const void* frame, F look) {
    const std::scoped_lock lock(lock_);
    if (is_readable(static_cast<const char*>(frame))) look();
  }

 private:
  static constexpr std::size_t kClasses = detail::kLargestFrame / detail::kFrameStep + 1;
  struct Chunk {
    char* memory;
    std::size_t size;   // of a block
    std::size_t count;  // of blocks
    std::size_t used;   // blocks carved so far; mapped for good, so that a late look never faults
  };
  struct alignas(std::max_align_t) Single {  // before the frame
    Single* next;
    Single* previous;
    [[nodiscard]] char* memory() { return reinterpret_cast<char*>(this + 1); }
  };
  struct Blocks {  // of one size
    std::vector<detail::free_frame*> batches;
    std::vector<Chunk*> chunks;
    std::vector<Chunk*> empty;  // of these, given back to the system
    Chunk* open = nullptr;      // of the others, the one that blocks are carved from
    std::size_t trim_at = kMostFree;
  };

  FrameStore() { singles_.next = singles_.previous = &singles_; }
  detail::free_frame* carve(std::size_t size_class);
  void trim(Blocks& blocks);
  [[nodiscard]] bool is_readable(const char* frame) const;

  std::mutex lock_;
  std::array<Blocks, kClasses> blocks_;
  std::deque<Chunk> chunks_;
  Single singles_{};
};

}  // namespace morpheus::sdk
