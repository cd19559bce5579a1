// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/state/histogram.hpp"

#include <catch2/catch_test_macros.hpp>
#include <limits>

using morpheus::daemon::LatencyHistogram;

TEST_CASE("every value falls into a bucket that is at most 1/32 above it") {
  for (std::uint64_t value = 1; value != 0; value <<= 1)
    for (const std::uint64_t v : {value - 1, value, value + 1, value + value / 3}) {
      const auto bound = LatencyHistogram::upper_bound(LatencyHistogram::bucket_of(v));
      CHECK(bound >= v);
      CHECK(bound - v <= v / 32);
    }
  constexpr auto kMost = std::numeric_limits<std::uint64_t>::max();
  CHECK(LatencyHistogram::upper_bound(LatencyHistogram::bucket_of(kMost)) == kMost);
}

TEST_CASE("percentiles are right within the precision") {
  LatencyHistogram histogram;
  CHECK(histogram.percentile(50) == 0);
  for (std::uint64_t v = 1; v <= 100'000; ++v) histogram.add(v);
  CHECK(histogram.count() == 100'000);
  CHECK(histogram.max() == 100'000);
  for (const double p : {1.0, 50.0, 90.0, 99.0, 99.9}) {
    const double exact = p * 1000;
    const auto got = static_cast<double>(histogram.percentile(p));
    CHECK(got >= exact);
    CHECK(got <= exact * 33 / 32);
  }
  CHECK(histogram.percentile(100) == 100'000);
}
