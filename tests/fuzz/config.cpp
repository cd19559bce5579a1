// SPDX-License-Identifier: GPL-2.0-only
// Fuzzes the configuration: any file is either refused by name or makes sense.
#include "daemon/config/config.hpp"
#include "tests/fuzz/target.hpp"

using namespace morpheus::daemon;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto config = parse_config({reinterpret_cast<const char*>(data), size});
  if (!config) {
    require(!config.error().text().empty());
    return 0;
  }
  require(check_tunables(config->tunables).has_value());
  require(config->socket_mode <= 0777);
  require(config->limits.workers > 0 && config->limits.workers < MORPHEUS_MAX_WORKERS);
  require(config->limits.message_depth <= 1000);
  return 0;
}
