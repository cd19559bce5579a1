// SPDX-License-Identifier: GPL-2.0-only
#include "sdk/src/client/mode.hpp"

namespace morpheus::sdk {
namespace {

bool within(std::uint64_t now, std::uint64_t then, std::uint64_t span) {
  return then != 0 && (now < then || now - then < span);
}

}  // namespace

morpheus_runtime_mode mode_for(const ModeInput& input) {
  const bool lost_hints = within(input.now_ns, input.last_loss_ns, kQuietNs);
  const bool gone_under_pressure = input.pressure_when_gone >= kHighPressurePct &&
                                   within(input.now_ns, input.daemon_gone_ns, kPressureMemoryNs);
  if (lost_hints || gone_under_pressure) return MORPHEUS_DEFENSIVE;
  if (within(input.now_ns, input.last_hint_ns, kQuietNs)) return MORPHEUS_PRESSURED;
  return MORPHEUS_DETERMINISTIC;
}

morpheus_runtime_mode WorkerMode::update(std::uint64_t now) {
  const DaemonAbsence absence = DaemonAbsence::current();
  met_.now_ns = now;
  met_.daemon_gone_ns = absence.since_ns;
  met_.pressure_when_gone = absence.cpu_pressure_pct;
  mode_ = mode_for(met_);
  return mode_;
}

}  // namespace morpheus::sdk
