// SPDX-License-Identifier: GPL-2.0-only
// Floor: what passes between threads, in nanoseconds a message.
#pragma once

#include "../subject.hpp"

namespace bench::least {

double ping_pong_spinning(const Run& run);
double message_to_a_sleeper(const Run& run);

}  // namespace bench::least
