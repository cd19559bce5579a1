// SPDX-License-Identifier: GPL-2.0-only
// Where coroutine frames live: blocks of a few sizes, which each thread keeps for its next frame of
// that size. A frame that ends on another thread than it began on joins that thread's blocks; a
// thread with too many offers half of them to all. Blocks that no thread keeps go back to the
// system once there are many, and when a runtime ends. Under sanitizers each frame comes from
// operator new instead, so that they see the use of a frame that has ended.
#pragma once

#include <morpheus/detail/export.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace morpheus::detail {

/// Sizes of blocks: multiples of kFrameStep up to kLargestFrame; larger frames have memory of their
/// own.
inline constexpr std::size_t kFrameStep = 16;
inline constexpr std::size_t kLargestFrame = 2048;

/// A free block. The second word of a coroutine frame in use is never null.
struct free_frame {
  free_frame* next;
  void* in_use;
};

/// The free blocks of one thread, by size. The default has none and room for none.
class frame_memory {
 public:
  [[nodiscard]] static constexpr std::size_t size_class(std::size_t size) noexcept {
    return (size + kFrameStep - 1) / kFrameStep;
  }

  // Inline always: code that is compiled for a sanitizer must not share them with other code.
  [[nodiscard, gnu::always_inline]] void* allocate(std::size_t size) {
    if (MORPHEUS_SANITIZED || size > kLargestFrame) return allocate_single(size);
    blocks& mine = blocks_[size_class(size)];
    free_frame* const block = mine.first;
    if (!MORPHEUS_LIKELY(block != nullptr)) return refill(size_class(size));
    mine.first = block->next;
    ++mine.room;
    return block;
  }
  /// Offers all free blocks to other threads: this one ends.
  void give_back() noexcept;

  [[gnu::always_inline]] void release(void* frame, std::size_t size) noexcept {
    if (MORPHEUS_SANITIZED || size > kLargestFrame) return release_single(frame);
    blocks& mine = blocks_[size_class(size)];
    if (!MORPHEUS_LIKELY(mine.room != 0)) return overflow(frame, size_class(size));
    --mine.room;
    mine.first = new (frame) free_frame{mine.first, nullptr};
  }

  struct blocks {
    free_frame* first = nullptr;
    std::uint32_t room = 0;  ///< how many more the thread keeps
  };

 private:
  MORPHEUS_API MORPHEUS_COLD void* refill(std::size_t size_class);
  MORPHEUS_API MORPHEUS_COLD void overflow(void* frame, std::size_t size_class) noexcept;
  MORPHEUS_API MORPHEUS_COLD static void* allocate_single(std::size_t size);
  MORPHEUS_API MORPHEUS_COLD static void release_single(void* frame) noexcept;

  std::array<blocks, kLargestFrame / kFrameStep + 1> blocks_{};
};

}  // namespace morpheus::detail
