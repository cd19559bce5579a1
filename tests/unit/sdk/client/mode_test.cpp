// SPDX-License-Identifier: GPL-2.0-only
#include "sdk/src/client/mode.hpp"

#include <catch2/catch_test_macros.hpp>

using morpheus::sdk::kHighPressurePct;
using morpheus::sdk::kPressureMemoryNs;
using morpheus::sdk::kQuietNs;
using morpheus::sdk::mode_for;
using morpheus::sdk::ModeInput;

namespace {
constexpr std::uint64_t kNow = 1'000'000'000'000;
}

TEST_CASE("without any hint execution is deterministic") {
  CHECK(mode_for({.now_ns = kNow}) == MORPHEUS_DETERMINISTIC);
}

TEST_CASE("a hint presses for the quiet time and no longer") {
  CHECK(mode_for({.now_ns = kNow, .last_hint_ns = kNow}) == MORPHEUS_PRESSURED);
  CHECK(mode_for({.now_ns = kNow, .last_hint_ns = kNow - kQuietNs + 1}) == MORPHEUS_PRESSURED);
  CHECK(mode_for({.now_ns = kNow, .last_hint_ns = kNow - kQuietNs}) == MORPHEUS_DETERMINISTIC);
}

TEST_CASE("a lost hint makes a worker defensive, then pressed, then deterministic") {
  ModeInput input{.now_ns = kNow, .last_hint_ns = kNow, .last_loss_ns = kNow - kQuietNs + 1};
  CHECK(mode_for(input) == MORPHEUS_DEFENSIVE);
  input.now_ns += 1;
  CHECK(mode_for(input) == MORPHEUS_PRESSURED);
  input.now_ns = kNow + kQuietNs;
  CHECK(mode_for(input) == MORPHEUS_DETERMINISTIC);
}

TEST_CASE("a daemon that goes away matters only under pressure, and for a time") {
  ModeInput input{.now_ns = kNow, .daemon_gone_ns = kNow, .pressure_when_gone = kHighPressurePct};
  CHECK(mode_for(input) == MORPHEUS_DEFENSIVE);
  input.pressure_when_gone = kHighPressurePct - 1;
  CHECK(mode_for(input) == MORPHEUS_DETERMINISTIC);
  input.pressure_when_gone = 100;
  input.now_ns = kNow + kPressureMemoryNs;
  CHECK(mode_for(input) == MORPHEUS_DETERMINISTIC);
}

TEST_CASE("a time that another thread took a little later is not long ago") {
  CHECK(mode_for({.now_ns = kNow, .last_hint_ns = kNow + 5}) == MORPHEUS_PRESSURED);
}
