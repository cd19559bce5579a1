// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/state/core.hpp"

#include <utility>

#include "proto/monotonic_clock.hpp"

namespace morpheus::daemon {

Core::Core(const Config& config, KernelSide& kernel, AccessRules access, GlobalBlock global)
    : config_(config),
      kernel_(kernel),
      access_(access),
      global_(std::move(global)),
      accounts_(config_.limits, access.daemon_uid),
      clients_(kernel, config_.limits, accounts_),
      events_(kernel, clients_, config_.limits, accounts_),
      enforcement_(config, kernel),
      tunables_(config.tunables),
      started_ns_(monotonic_ns()) {
  tick();
}

Result<void> Core::set_mode(Mode mode) {
  if (auto changed = enforcement_.set_mode(mode); !changed) return changed;
  update_global();
  return {};
}

void Core::handle_alarm() {
  if (enforcement_.handle_alarm()) update_global();
}

Result<void> Core::set_tunables(const morpheus_tunables& tunables) {
  if (auto checked = check_tunables(tunables); !checked) return checked;
  tunables_ = tunables;
  kernel_.set_tunables(tunables);
  return {};
}

void Core::heed_config(AccessRules access) {
  access_ = access;
  enforcement_.heed_config();
}

void Core::tick() {
  handle_alarm();
  events_.drain();
  pressure_ = read_pressure();
  clients_.remove_dead_workers();
  enforcement_.tick();
  update_global();
}

void Core::update_global() {
  global_.update(pressure_, enforcement_.is_in_force() ? MORPHEUS_ENFORCED : MORPHEUS_OBSERVER_ONLY,
                 monotonic_ns());
}

void Core::announce_stop() { global_.update(pressure_, MORPHEUS_OBSERVER_ONLY, 0); }

std::uint64_t Core::uptime_ns() const { return monotonic_ns() - started_ns_; }

}  // namespace morpheus::daemon
