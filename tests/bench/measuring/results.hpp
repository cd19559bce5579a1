// SPDX-License-Identifier: GPL-2.0-only
// What every benchmark prints with --json: one object, as tests/bench/results.schema.json has it.
// The benchmarks written in Python print the same by measuring/results.py.
#pragma once

#include <string>

#include "proto/json.hpp"
#include "tests/bench/measuring/figures.hpp"

namespace morpheus::bench {

/// Whether this machine's CPUs are emulated by QEMU.
[[nodiscard]] bool is_emulated();

/// The figures with the machine, the build's commit and the present time. `arguments`: an object of
/// the options in force, those not given included.
[[nodiscard]] nlohmann::ordered_json to_json(const std::string& benchmark,
                                             const nlohmann::ordered_json& arguments,
                                             const Figures& figures);

}  // namespace morpheus::bench
