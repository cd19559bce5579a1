// SPDX-License-Identifier: GPL-2.0-only
// morpheusd. Everything is in the library; here an exception becomes one line and an exit status.
#include <exception>

#include "daemon/daemon.hpp"
#include "daemon/log.hpp"

using namespace morpheus::daemon;

int main(int argc, char** argv) {
  try {
    log::open();
    if (const auto options = parse_options(argc, argv)) run(*options);
    return static_cast<int>(ExitStatus::ok);
  } catch (const StartError& error) {
    log::last_words(error.what());
    return static_cast<int>(error.status());
  } catch (const std::exception& error) {
    log::last_words(error.what());
    return static_cast<int>(ExitStatus::unavailable);
  }
}
