// SPDX-License-Identifier: GPL-2.0-only
// Blocks are carved from chunks and pass between threads in batches.
#include <morpheus/detail/frame_memory.hpp>

#include <sys/mman.h>

#include <algorithm>
#include <mutex>
#include <new>
#include <vector>

#include "sdk/src/runtime/frames/frame_memory.hpp"
#include "sdk/src/runtime/frames/this_runner.hpp"

namespace morpheus::sdk {

using detail::free_frame;
using detail::kFrameStep;

FrameStore& FrameStore::instance() {
  static FrameStore* const store = new FrameStore;
  return *store;
}

free_frame* FrameStore::take(std::size_t size_class) {
  const std::scoped_lock lock(lock_);
  auto& batches = batches_[size_class];
  if (batches.empty()) return carve(size_class);
  free_frame* const batch = batches.back();
  batches.pop_back();
  return batch;
}

void FrameStore::give(std::size_t size_class, free_frame* batch) {
  const std::scoped_lock lock(lock_);
  batches_[size_class].push_back(batch);
}

/// A batch of new blocks. Memory that was never touched costs nothing, so chunks are large.
free_frame* FrameStore::carve(std::size_t size_class) {
  const std::size_t size = size_class * kFrameStep;
  Chunk* chunk = open_[size_class];
  if (chunk == nullptr || chunk->used == chunk->count) {
    void* const memory = ::mmap(nullptr, kChunkSize, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    chunks_.push_back({static_cast<char*>(memory), size, kChunkSize / size, 0});
    chunk = open_[size_class] = &chunks_.back();
  }
  const std::size_t count = std::min(kBatch, chunk->count - chunk->used);
  char* at = chunk->memory + chunk->used * size;
  chunk->used += count;
  free_frame* batch = nullptr;
  for (std::size_t i = count; i-- > 0;) batch = new (at + i * size) free_frame{batch, nullptr};
  return batch;
}

}  // namespace morpheus::sdk

namespace morpheus::detail {

namespace {
constexpr std::uint32_t kMostKept = 2 * sdk::FrameStore::kBatch;  // of one size, by one thread
}

void* frame_memory::refill(std::size_t size_class) {
  if (this == &sdk::ThisRunner::none().frames)
    return sdk::ThisRunner::make().frames.allocate(size_class * kFrameStep);
  free_frame* const batch = sdk::FrameStore::instance().take(size_class);
  std::uint32_t kept = 0;
  for (const free_frame* block = batch->next; block != nullptr; block = block->next) ++kept;
  blocks_[size_class] = {batch->next, kMostKept - std::min(kept, kMostKept)};
  return batch;
}

void frame_memory::overflow(void* frame, std::size_t size_class) noexcept {
  if (this == &sdk::ThisRunner::none().frames)
    return sdk::ThisRunner::make().frames.release(frame, size_class * kFrameStep);
  blocks& mine = blocks_[size_class];
  if (mine.first == nullptr) {
    mine.room = kMostKept;
  } else {
    free_frame* const batch = mine.first;
    free_frame* last = batch;
    for (std::size_t i = 1; i < sdk::FrameStore::kBatch && last->next != nullptr; ++i)
      last = last->next;
    mine = {last->next, static_cast<std::uint32_t>(sdk::FrameStore::kBatch)};
    last->next = nullptr;
    sdk::FrameStore::instance().give(size_class, batch);
  }
  release(frame, size_class * kFrameStep);
}

void* frame_memory::allocate_large(std::size_t size) { return ::operator new(size); }
void frame_memory::release_large(void* frame) noexcept { ::operator delete(frame); }

void frame_memory::give_back() noexcept {
  for (std::size_t size_class = 0; size_class < blocks_.size(); ++size_class) {
    if (blocks_[size_class].first != nullptr)
      sdk::FrameStore::instance().give(size_class, blocks_[size_class].first);
    blocks_[size_class] = {};
  }
}

}  // namespace morpheus::detail
