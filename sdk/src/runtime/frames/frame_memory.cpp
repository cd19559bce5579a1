// SPDX-License-Identifier: GPL-2.0-only
// Blocks are carved from chunks and pass between threads in batches.
#include <morpheus/detail/frame_memory.hpp>

#include <sys/mman.h>

#include <algorithm>
#include <functional>
#include <mutex>
#include <new>
#include <utility>
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
  auto& batches = blocks_[size_class].batches;
  if (batches.empty()) return carve(size_class);
  free_frame* const batch = batches.back();
  batches.pop_back();
  return batch;
}

void FrameStore::give(std::size_t size_class, free_frame* batch) noexcept {
  const std::scoped_lock lock(lock_);
  Blocks& blocks = blocks_[size_class];
  blocks.batches.push_back(batch);
  if (blocks.batches.size() * kBatch * size_class * kFrameStep >= blocks.trim_at) trim(blocks);
}

/// A batch of new blocks. Memory that was never touched costs nothing, so chunks are large.
free_frame* FrameStore::carve(std::size_t size_class) {
  const std::size_t size = size_class * kFrameStep;
  Blocks& blocks = blocks_[size_class];
  Chunk* chunk = blocks.open;
  if (chunk == nullptr || chunk->used == chunk->count) {
    if (blocks.empty.empty()) {
      void* const memory = ::mmap(nullptr, kChunkSize, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (memory == MAP_FAILED) throw std::bad_alloc();
      chunks_.push_back({static_cast<char*>(memory), size, kChunkSize / size, 0});
      blocks.chunks.push_back(&chunks_.back());
      blocks.empty.push_back(&chunks_.back());
    }
    chunk = blocks.open = blocks.empty.back();
    blocks.empty.pop_back();
  }
  const std::size_t count = std::min(kBatch, chunk->count - chunk->used);
  char* at = chunk->memory + chunk->used * size;
  chunk->used += count;
  free_frame* batch = nullptr;
  for (std::size_t i = count; i-- > 0;) batch = new (at + i * size) free_frame{batch, nullptr};
  return batch;
}

void FrameStore::trim() noexcept {
  const std::scoped_lock lock(lock_);
  for (Blocks& blocks : blocks_)
    if (!blocks.batches.empty()) trim(blocks);
}

/// Sorts the free blocks by their chunks. Those of chunks that are free altogether go, the others
/// are batched anew.
void FrameStore::trim(Blocks& blocks) {
  std::vector<free_frame*> free;
  for (free_frame* batch : blocks.batches)
    for (free_frame* block = batch; block != nullptr; block = block->next) free.push_back(block);
  std::ranges::sort(free, std::less<>());
  std::ranges::sort(blocks.chunks, std::less<>(), &Chunk::memory);
  blocks.batches.clear();
  std::size_t kept = 0;
  auto next = free.begin();
  for (Chunk* const chunk : blocks.chunks) {
    const auto begin = next;
    const auto* const end = reinterpret_cast<free_frame*>(chunk->memory + kChunkSize);
    while (next != free.end() && *next < end) ++next;
    const auto count = static_cast<std::size_t>(next - begin);
    if (count != 0 && count == chunk->used) {
      ::madvise(chunk->memory, kChunkSize, MADV_DONTNEED);
      chunk->used = 0;
      if (chunk != blocks.open) blocks.empty.push_back(chunk);
      continue;
    }
    kept += count * chunk->size;
    free_frame* batch = nullptr;
    for (auto block = begin; block != next; ++block) {
      (*block)->next = std::exchange(batch, *block);
      if (static_cast<std::size_t>(block - begin) % kBatch != kBatch - 1 && block + 1 != next)
        continue;
      blocks.batches.push_back(std::exchange(batch, nullptr));
    }
  }
  blocks.trim_at = std::max(kMostFree, 2 * kept);
}

void* FrameStore::allocate_single(std::size_t size) {
  auto* const single = static_cast<Single*>(::operator new(sizeof(Single) + size));
  // Until the coroutine has begun there is no frame to see.
  reinterpret_cast<free_frame*>(single->memory())->in_use = nullptr;
  const std::scoped_lock lock(lock_);
  single->next = &singles_;
  single->previous = singles_.previous;
  single->previous->next = singles_.previous = single;
  return single->memory();
}

void FrameStore::release_single(void* frame) noexcept {
  Single* const single = static_cast<Single*>(frame) - 1;
  {
    const std::scoped_lock lock(lock_);
    single->next->previous = single->previous;
    single->previous->next = single->next;
  }
  ::operator delete(single);
}

bool FrameStore::is_readable(const char* frame) const {
  for (const Chunk& chunk : chunks_)
    if (frame >= chunk.memory && frame < chunk.memory + kChunkSize) return true;
  for (const Single* single = singles_.next; single != &singles_; single = single->next)
    if (reinterpret_cast<const char*>(single + 1) == frame) return true;
  return false;
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

void* frame_memory::allocate_single(std::size_t size) {
  return sdk::FrameStore::instance().allocate_single(size);
}
void frame_memory::release_single(void* frame) noexcept {
  sdk::FrameStore::instance().release_single(frame);
}

void frame_memory::give_back() noexcept {
  for (std::size_t size_class = 0; size_class < blocks_.size(); ++size_class) {
    if (blocks_[size_class].first != nullptr)
      sdk::FrameStore::instance().give(size_class, blocks_[size_class].first);
    blocks_[size_class] = {};
  }
}

}  // namespace morpheus::detail
