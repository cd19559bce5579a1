// SPDX-License-Identifier: GPL-2.0-only
// One worker, seen from its own thread: what it claims, what it has acknowledged, and how it moves
// from one daemon to the next.
#pragma once

#include <morpheus/morpheus.h>

#include "sdk/src/client/binding_offer.hpp"
#include "sdk/src/client/epoch.hpp"
#include "sdk/src/client/mode.hpp"

namespace morpheus::sdk {

/// What the worker tells the kernel, stored here because each daemon's line starts without it.
struct Claims {
  std::uint32_t escapable = 0;
  std::uint32_t priority = MORPHEUS_PRIORITY_DEFAULT;
  std::uint32_t policy = MORPHEUS_POLICY_NONE;
};

/// The public handle is its first and only base: `critical` always points into the line in use. For
/// the owner thread, but offer() and epoch_in_use().
class ClientThread : public morpheus_thread {
 public:
  ClientThread() : morpheus_thread{&own_line_.is_in_critical_section} {}
  ClientThread(const ClientThread&) = delete;
  ClientThread& operator=(const ClientThread&) = delete;

  /// The registry begins and ends a registration.
  void begin(const Binding& binding);
  void end();

  /// The slow path of a safe point: see morpheus_answer_hint().
  [[nodiscard]] morpheus_answer acknowledge(morpheus_safepoint at);
  [[nodiscard]] morpheus_safepoint safepoint() const { return {seq(), seen_}; }
  [[nodiscard]] bool is_critical() const { return *critical != 0; }

  void claim(const Claims& claims);
  [[nodiscard]] const Claims& claims() const { return claims_; }
  /// Gives up the CPU and says why.
  void yield();
  /// Decides the mode anew and claims it.
  morpheus_runtime_mode update_mode();
  [[nodiscard]] morpheus_guidance guidance() const;
  [[nodiscard]] const morpheus_stats& stats() const { return stats_; }

  /// In a forked child, where the lines belong to the parent: keeps the nesting depth, writes
  /// nothing that is shared, and ends the registration.
  void abandon();

  /// By the registry, on any thread: where to go at the next slow path.
  void offer(const Binding& binding) { offer_.make(binding); }
  [[nodiscard]] std::uint64_t epoch_in_use() const { return offer_.epoch_in_use(); }

  // For the registry, under its lock.
  int tid = 0;
  morpheus_worker_state state = MORPHEUS_WORKER_INIT;
  static constexpr std::uint32_t kUnguided = ~std::uint32_t{0};
  std::uint32_t slot = kUnguided;

 private:
  struct Sight {  // one consistent look at the kernel line
    std::uint64_t seq;
    std::uint64_t withdrawn;
    std::uint32_t losses;
  };
  [[nodiscard]] const std::uint64_t* seq() const;
  [[nodiscard]] bool rebind(std::uint64_t epoch);
  void bind(const Binding& binding);
  [[nodiscard]] Sight look() const;
  [[nodiscard]] morpheus_answer decide(const Sight& sight);
  [[nodiscard]] bool acknowledge_hints(const Sight& sight, std::uint64_t now);
  void write_claims();
  void write_reason(morpheus_yield_reason reason);

  morpheus_scb_runtime own_line_{};  // where there is no daemon's
  morpheus_scb_runtime* line_ = &own_line_;
  Binding bound_;
  Claims claims_;
  std::uint64_t acknowledged_ = 0;
  std::uint64_t seen_ = 0;      // what the next safe point compares with
  bool reason_is_set_ = false;  // the next yield was asked for: keep the reason
  WorkerMode mode_;
  morpheus_stats stats_{};
  BindingOffer offer_;
};

}  // namespace morpheus::sdk
