// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bench/witness.hpp"

namespace morpheus::bench {

std::unique_ptr<Witness> Witness::create(std::size_t /*threads*/) { return nullptr; }

}  // namespace morpheus::bench
