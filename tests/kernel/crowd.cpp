// SPDX-License-Identifier: GPL-2.0-only
#include "tests/kernel/crowd.hpp"

#include <catch2/catch_test_macros.hpp>
#include <utility>

#include "tests/kernel/machine.hpp"

namespace morpheus::test {

Crowd::Crowd(const DaemonProcess& daemon, std::vector<ThreadSpec> threads, Witness* witness)
    : Load(daemon.socket(), crowded_cpu(), std::move(threads), witness) {}

Witness& witness() {
  static auto started = Witness::start();
  REQUIRE(started);
  return **started;
}

}  // namespace morpheus::test
