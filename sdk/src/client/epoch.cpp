// SPDX-License-Identifier: GPL-2.0-only
#include "sdk/src/client/epoch.hpp"

namespace morpheus::sdk {

constinit std::atomic<std::uint64_t> Epoch::number_{0};
constinit std::uint64_t Epoch::idle_seq_ = 1;

}  // namespace morpheus::sdk
