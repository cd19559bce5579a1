// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/log.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace morpheus::daemon::log {
namespace {

spdlog::level::level_enum level_of(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warn:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

}  // namespace

void write(Level level, fmt::string_view format, fmt::format_args values) {
  auto* logger = spdlog::default_logger_raw();
  if (!logger->should_log(level_of(level))) return;
  const std::string line = fmt::vformat(format, values);
  logger->log(level_of(level), spdlog::string_view_t(line.data(), line.size()));
}

void open() { spdlog::set_default_logger(spdlog::stderr_color_mt("morpheusd")); }

void set_level(const std::string& name) { spdlog::set_level(spdlog::level::from_str(name)); }

}  // namespace morpheus::daemon::log
