// SPDX-License-Identifier: GPL-2.0-only
// What libbpf says while it loads: kept, so that a failure can be told in the verifier's own words.
#pragma once

#include <string>

namespace morpheus::daemon {

/// Takes over libbpf's output for the process. Everything goes to the debug log; warnings are kept.
void install_bpf_log();

/// Forgets what was kept.
void clear_bpf_log();

/// The line that says best why the last load failed; empty if nothing was kept.
[[nodiscard]] std::string bpf_log_cause();

}  // namespace morpheus::daemon
