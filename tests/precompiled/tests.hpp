// SPDX-License-Identifier: GPL-2.0-only
// Parsed once for each test program that uses JSON. No file may rely on it.
#include <catch2/catch_test_macros.hpp>

#include "proto/json.hpp"
