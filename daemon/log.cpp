// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/log.hpp"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

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

/// What the journal reads at the beginning of a line as its priority, see sd-daemon(3).
const char* priority_of(Level level) {
  switch (level) {
    case Level::debug:
      return "<7>";
    case Level::info:
      return "<6>";
    case Level::warn:
      return "<4>";
    case Level::error:
      return "<3>";
  }
  return "<3>";
}

/// Is stderr the journal? systemd says which file that is.
bool is_journal() {
  struct stat file{};
  const char* const stream = std::getenv("JOURNAL_STREAM");
  return stream != nullptr && ::fstat(STDERR_FILENO, &file) == 0 &&
         fmt::format("{}:{}", file.st_dev, file.st_ino) == stream;
}

bool has_priorities = false;

/// Each line has a priority of its own: the journal takes lines.
std::string with_priority(Level level, std::string text) {
  text.insert(0, priority_of(level));
  for (auto at = text.find('\n'); at != text.npos; at = text.find('\n', at + 1))
    text.insert(at + 1, priority_of(level));
  return text;
}

}  // namespace

void write(Level level, fmt::string_view format, fmt::format_args values) {
  auto* logger = spdlog::default_logger_raw();
  if (!logger->should_log(level_of(level))) return;
  std::string line = fmt::vformat(format, values);
  if (has_priorities) line = with_priority(level, std::move(line));
  logger->log(level_of(level), spdlog::string_view_t(line.data(), line.size()));
}

void open() {
  spdlog::set_default_logger(spdlog::stderr_color_mt("morpheusd"));
  has_priorities = is_journal();
  if (has_priorities) spdlog::set_pattern("%v");  // the journal has the time and the name
}

void last_words(const std::string& why) {
  fmt::print(stderr, "{}\n",
             has_priorities ? with_priority(Level::error, why) : "morpheusd: " + why);
}

void set_level(const std::string& name) { spdlog::set_level(spdlog::level::from_str(name)); }

}  // namespace morpheus::daemon::log
