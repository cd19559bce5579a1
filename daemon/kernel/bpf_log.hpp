// SPDX-License-Identifier: GPL-2.0-only
// Stores what libbpf logs while it loads, so that an error can quote the verifier.
#pragma once

#include <string>

namespace morpheus::daemon {

/// Takes over libbpf's output for the process: all of it goes to the debug log, and warnings are
/// stored.
void install_bpf_log();

/// Forgets what was stored.
void clear_bpf_log();

/// The line that says best why the last load failed; empty if nothing was stored.
[[nodiscard]] std::string bpf_log_cause();

}  // namespace morpheus::daemon
