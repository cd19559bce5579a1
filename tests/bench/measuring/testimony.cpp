// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bench/measuring/testimony.hpp"

#include <cmath>
#include <cstdio>
#include <numeric>

namespace morpheus::bench {
namespace {

std::uint64_t percentile(const std::array<std::uint64_t, WITNESS_PASSED_MAX>& counts, double part) {
  const auto total = std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
  const auto rank = static_cast<std::uint64_t>(std::ceil(part * static_cast<double>(total)));
  std::uint64_t sum = 0;
  for (std::size_t value = 0; value < counts.size(); ++value)
    if ((sum += counts[value]) >= rank) return value;
  return counts.size();
}

}  // namespace

std::unique_ptr<WitnessStand> WitnessStand::open(unsigned workers, std::size_t columns) {
  auto witness = test::Witness::start();
  if (!witness) {
    std::fprintf(stderr, "bench: no witness: %s\n", witness.error().text().c_str());
    return nullptr;
  }
  return std::unique_ptr<WitnessStand>(new WitnessStand(std::move(*witness), workers, columns));
}

WitnessStand::WitnessStand(std::unique_ptr<test::Witness> witness, unsigned workers,
                           std::size_t columns)
    : witness_(std::move(witness)), workers_(workers), counts_(columns) {}

WitnessStand::Count WitnessStand::now() const {
  Count count;
  for (unsigned worker = 1; worker <= workers_; ++worker) {
    const auto seen = witness_->count(worker);
    count.losses += seen.critical_losses - seen.losses_to_higher;
    count.to_realtime += seen.losses_to_higher - seen.losses_to_stop;
    count.to_stop += seen.losses_to_stop;
  }
  count.passed = witness_->passed();
  return count;
}

void WitnessStand::begin_round(std::size_t column) {
  witness_->set_probe(marks()[kProbe].tid);
  witness_->watch(workers_ + 1);
  column_ = column;
  at_begin_ = now();
}

void WitnessStand::end_round() {
  const auto at_end = now();
  auto& count = counts_[column_];
  count.losses += at_end.losses - at_begin_.losses;
  count.to_realtime += at_end.to_realtime - at_begin_.to_realtime;
  count.to_stop += at_end.to_stop - at_begin_.to_stop;
  for (std::size_t i = 0; i < count.passed.size(); ++i)
    count.passed[i] += at_end.passed[i] - at_begin_.passed[i];
}

Testimony WitnessStand::testimony(std::size_t column) const {
  const auto& count = counts_[column];
  return {count.losses, count.to_realtime, count.to_stop, percentile(count.passed, 0.99),
          percentile(count.passed, 0.999)};
}

}  // namespace morpheus::bench
