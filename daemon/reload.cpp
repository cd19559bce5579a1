// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/reload.hpp"

#include <fmt/format.h>

#include <cstring>
#include <utility>

#include "daemon/config/names.hpp"
#include "daemon/log.hpp"

namespace morpheus::daemon {
namespace {

/// Keeps what only a restart can change. Returns the keys whose new values are put off by that.
std::vector<std::string> keep(const Config& config, Config& fresh) {
  std::vector<std::string> put_off;
  const auto keep_one = [&](const char* key, auto Config::* field) {
    if (fresh.*field != config.*field) put_off.emplace_back(key);
    fresh.*field = config.*field;
  };
  keep_one("socket", &Config::socket);
  keep_one("socket_mode", &Config::socket_mode);
  keep_one("backend", &Config::backend);
  keep_one("scope", &Config::scope);
  keep_one("metrics", &Config::metrics);
  return put_off;
}

void log_change(const std::string& what, const Result<void>& outcome) {
  if (outcome)
    log::info("{}: set by the configuration", what);
  else
    log::error("{} of the configuration: {}", what, outcome.error().text());
}

}  // namespace

AccessRules access_rules(const Config& config) {
  std::vector<std::string> missing;
  const auto rules = AccessRules::from(config, missing);
  for (const auto& name : missing) {
    // a package makes the default group; without a package, root alone is often enough
    if (name == config.admin_group && !config.admin_group_is_chosen)
      log::info("group '{}' does not exist: only root may change anything", name);
    else if (name == config.admin_group)
      log::warn("group '{}' does not exist: only root may change anything", name);
    else
      log::warn("group '{}' does not exist: only root and administrators have its right", name);
  }
  return rules;
}

void apply_config(Config& config, Config fresh, Core& core) {
  for (const auto& key : keep(config, fresh))
    log::warn("{} stays as it is until morpheusd is restarted", key);
  const bool other_tunables =
      std::memcmp(&fresh.tunables, &config.tunables, sizeof(fresh.tunables)) != 0;
  const bool other_mode = fresh.mode != config.mode;
  config = std::move(fresh);
  log::set_level(config.log_level);
  core.heed_config(access_rules(config));
  if (other_tunables)
    log_change(fmt::format("tunables {}", to_text(config.tunables)),
               core.set_tunables(config.tunables));
  if (other_mode)
    log_change(fmt::format("mode {}", mode_name(config.mode)), core.set_mode(config.mode));
  log::info("the configuration was read again");
}

}  // namespace morpheus::daemon
