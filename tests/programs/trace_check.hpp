// SPDX-License-Identifier: GPL-2.0-only
// Judges a trace file as strictly as its readers do.
#pragma once

#include <string>
#include <vector>

#include "proto/json.hpp"

namespace morpheus::test {

/// What is wrong with the file, against Chrome's trace event format ("Trace Event Format", JSON object
/// form) and what the Perfetto UI makes of it: required fields of each phase, slices of one track that
/// nest and do not cross, asynchronous slices that are opened and closed, named processes and threads.
[[nodiscard]] std::vector<std::string> faults_of_trace(const Json& trace);

}  // namespace morpheus::test
