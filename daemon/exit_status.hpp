// SPDX-License-Identifier: GPL-2.0-only
// Why morpheusd ends: its exit statuses, and the exception that carries one from start-up to main.
#pragma once

#include <stdexcept>
#include <string>

namespace morpheus::daemon {

enum class ExitStatus : int {
  ok = 0,
  usage = 64,        ///< EX_USAGE: unknown option or value
  unavailable = 69,  ///< EX_UNAVAILABLE: this kernel or machine cannot do what is asked
  busy = 75,         ///< EX_TEMPFAIL: another daemon runs on that socket
  permission = 77,   ///< EX_NOPERM
  config = 78,       ///< EX_CONFIG: the configuration file is wrong
};

/// Thrown only while starting, caught only in main.
class StartError : public std::runtime_error {
 public:
  StartError(ExitStatus status, const std::string& text)
      : std::runtime_error(text), status_(status) {}
  [[nodiscard]] ExitStatus status() const { return status_; }

 private:
  ExitStatus status_;
};

}  // namespace morpheus::daemon
