// SPDX-License-Identifier: GPL-2.0-only
// morpheusd's command line, on top of its configuration file.
#pragma once

#include <functional>
#include <optional>

#include "daemon/config/config.hpp"
#include "daemon/exit_status.hpp"
#include "daemon/kernel/fake_kernel.hpp"

namespace morpheus::daemon {

struct Options {
  Config config;
  FakeOptions fake;
  /// Reads the same file again and applies the same command line.
  std::function<Result<Config>()> read_config;
};

/// Nothing after --help, --version or --check-config. Throws StartError if something is wrong.
[[nodiscard]] std::optional<Options> parse_options(int argc, const char* const* argv);

}  // namespace morpheus::daemon
