// SPDX-License-Identifier: GPL-2.0-only
// How the cost of a decision and the latency of a hint grow with the machine.
#pragma once

#include "tests/sim/options.hpp"

namespace morpheus::sim {

/// Prints a table, or one JSON object a line. The process's exit status.
int print_scale(const Options& options);

}  // namespace morpheus::sim
