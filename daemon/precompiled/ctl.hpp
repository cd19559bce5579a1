// SPDX-License-Identifier: GPL-2.0-only
// Parsed once for morpheusctl, most of whose files need it anyway. No file may rely on it.
#include <fmt/core.h>

#include "proto/json.hpp"
