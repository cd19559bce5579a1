// SPDX-License-Identifier: GPL-2.0-only
// What the fuzz targets share: the entry point that libFuzzer and the replay of the corpus call,
// and an assertion that also holds without assertions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

inline void require(bool holds) {
  if (!holds) std::abort();
}
