// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bench/measuring/board.hpp"

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

Board* Board::create(unsigned workers, std::size_t columns, unsigned seconds, witness_mark* marks) {
  auto* board = new (share(sizeof(Board))) Board;
  board->workers_ = workers;
  board->columns_ = columns;
  board->capacity_ = (seconds + 1) * kSamplesPerSecond;
  board->tallies_ = share_array<Tally>(workers * columns);
  board->marks_ = marks != nullptr ? marks : share_array<witness_mark>(workers + 1);
  board->samples_ = share_array<std::uint64_t>(board->capacity_ * columns);
  board->taken_ = share_array<std::size_t>(columns);
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

void Board::add_lateness(std::size_t column, std::uint64_t ns) {
  std::size_t& taken = taken_[column];
  if (taken < capacity_) samples_[column * capacity_ + taken++] = ns;
}

std::span<const std::uint64_t> Board::lateness(std::size_t column) const {
  return {samples_ + column * capacity_, taken_[column]};
}

Tally Board::total(std::size_t column) {
  Tally sum;
  for (unsigned worker = 0; worker < workers_; ++worker) {
    sum.work += tally(worker, column).work;
    sum.yields += tally(worker, column).yields;
  }
  return sum;
}

}  // namespace morpheus::bench
