// SPDX-License-Identifier: GPL-2.0-only
// Runs a program where membarrier(2) fails, as on old kernels and in some sandboxes.
//
// usage: without_membarrier PROGRAM [ARGUMENT...]
#include <cstdio>

#include "tests/unit/sdk/forbid_membarrier.hpp"

int main(int argc, char** argv) {
  if (argc < 2) return 64;
  if (!morpheus::test::forbid_membarrier()) {
    std::perror("prctl");
    return 77;  // skipped
  }
  ::execv(argv[1], argv + 1);
  std::perror(argv[1]);
  return 69;
}
