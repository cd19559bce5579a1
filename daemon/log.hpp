// SPDX-License-Identifier: GPL-2.0-only
// The daemon's log. Only log.cpp formats: the logging library's own functions would compile all of
// that again in every file that logs.
#pragma once

#include <fmt/core.h>

#include <string>

namespace morpheus::daemon::log {

enum class Level { debug, info, warn, error };

/// Writes one line if the log's level lets it through.
void write(Level level, fmt::string_view format, fmt::format_args values);

template <class... T>
void debug(fmt::format_string<T...> format, const T&... values) {
  write(Level::debug, format, fmt::make_format_args(values...));
}
template <class... T>
void info(fmt::format_string<T...> format, const T&... values) {
  write(Level::info, format, fmt::make_format_args(values...));
}
template <class... T>
void warn(fmt::format_string<T...> format, const T&... values) {
  write(Level::warn, format, fmt::make_format_args(values...));
}
template <class... T>
void error(fmt::format_string<T...> format, const T&... values) {
  write(Level::error, format, fmt::make_format_args(values...));
}

/// Sends the log to stderr, with priorities instead of times if that is the journal; once, before
/// anything is logged.
void open();
/// Why the daemon ends, whatever the log's level is: on stderr, after the program's name.
void last_words(const std::string& why);
/// "trace", "debug", "info", "warn", "error" or "off".
void set_level(const std::string& name);

}  // namespace morpheus::daemon::log
