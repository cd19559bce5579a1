// SPDX-License-Identifier: GPL-2.0-only
// Judges a trace file as strictly as its readers do.
#pragma once

#include <string>
#include <vector>

#include "proto/json.hpp"

namespace morpheus::test {

/// What is wrong with the file. It must follow the schema of Chrome's trace event format
/// (trace_event.schema.json) and other rules that the Perfetto UI relies on: slices of one track
/// nest and do not cross, asynchronous slices are opened first and closed later, and processes and
/// threads have names.
[[nodiscard]] std::vector<std::string> faults_of_trace(const Json& trace);

}  // namespace morpheus::test
