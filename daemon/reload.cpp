// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/reload.hpp"

#include <cstring>
#include <utility>

#include "daemon/config/names.hpp"
#include "daemon/log.hpp"

namespace morpheus::daemon {
namespace {

bool needs_restart(const Config& config, const Config& fresh) {
  return fresh.socket != config.socket || fresh.socket_mode != config.socket_mode ||
         fresh.backend != config.backend || fresh.scope != config.scope;
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
  if (needs_restart(config, fresh))
    log::warn(
        "socket, socket_mode, backend and scope stay as they are until morpheusd is restarted");
  fresh.socket = config.socket;
  fresh.socket_mode = config.socket_mode;
  fresh.backend = config.backend;
  fresh.scope = config.scope;
  const bool other_tunables =
      std::memcmp(&fresh.tunables, &config.tunables, sizeof(fresh.tunables)) != 0;
  const bool other_mode = fresh.mode != config.mode;
  config = std::move(fresh);
  log::set_level(config.log_level);
  core.set_access(access_rules(config));
  if (other_tunables)
    if (const auto set = core.set_tunables(config.tunables); !set)
      log::error("tunables of the configuration: {}", set.error().text());
  if (other_mode)
    if (const auto set = core.set_mode(config.mode); !set)
      log::error("mode {} of the configuration: {}", mode_name(config.mode), set.error().text());
  log::info("the configuration was read again");
}

}  // namespace morpheus::daemon
