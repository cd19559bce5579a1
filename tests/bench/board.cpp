// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bench/board.hpp"

#include <sys/mman.h>

#include <ctime>
#include <new>

namespace morpheus::bench {
namespace {

constexpr std::size_t kSamplesPerSecond = 1100;  // 1 kHz, and rounds last a little longer

void* share(std::size_t size) {
  void* at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) throw std::bad_alloc();
  return at;
}

template <class T>
T* share_array(std::size_t count) {
  return static_cast<T*>(share(count * sizeof(T)));  // zeros are valid for all that is kept here
}

}  // namespace

Board* Board::create(unsigned workers, unsigned seconds, witness_mark* marks) {
  auto* board = new (share(sizeof(Board))) Board;
  board->workers_ = workers;
  board->capacity_ = (seconds + 1) * kSamplesPerSecond;
  board->tallies_ = share_array<Tally>(workers);
  board->marks_ = marks != nullptr ? marks : share_array<witness_mark>(workers + 1);
  board->samples_ = share_array<std::uint64_t>(board->capacity_ * kVariants.size());
  return board;
}

Phase Board::await_other_than(Phase phase) const {
  while (true) {
    const Phase now = phase_;
    if (now != phase) return now;
    pause();
  }
}

void Board::pause() {
  constexpr timespec kShort{0, 200'000};
  ::nanosleep(&kShort, nullptr);
}

void Board::add_lateness(Variant variant, std::uint64_t ns) {
  std::size_t& taken = taken_[index(variant)];
  if (taken < capacity_) samples_[index(variant) * capacity_ + taken++] = ns;
}

std::span<const std::uint64_t> Board::lateness(Variant variant) const {
  return {samples_ + index(variant) * capacity_, taken_[index(variant)]};
}

}  // namespace morpheus::bench
