// SPDX-License-Identifier: GPL-2.0-only
// Parsed once for the daemon's files that need most of it anyway. No file may rely on it.
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "daemon/log.hpp"
#include "proto/json.hpp"
#include "proto/result.hpp"
