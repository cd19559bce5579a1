// SPDX-License-Identifier: GPL-2.0-only
// Parsed once for the whole daemon: headers that most files need anyway. No file may rely on it.
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "daemon/log.hpp"
#include "proto/json.hpp"
#include "proto/result.hpp"
