// SPDX-License-Identifier: GPL-2.0-only
// The C ABI: checks arguments, finds the calling thread's worker, and lets no exception out.
#include <morpheus/adapters/adapter.h>
#include <morpheus/morpheus.h>

#include <sched.h>

#include <new>

#include "sdk/src/client/registry.hpp"
#include "sdk/src/client/this_thread.hpp"

using morpheus::sdk::Claims;
using morpheus::sdk::ClientThread;
using morpheus::sdk::LinkSpec;
using morpheus::sdk::Registry;
using morpheus::sdk::ThisThread;

namespace {

/// Runs `body` with the calling thread's worker.
template <class F>
int with_worker(F body) {
  ClientThread* worker = ThisThread::worker();
  return worker == nullptr ? MORPHEUS_ERR_NOT_REGISTERED : body(*worker);
}

/// Changes one claim of the calling thread's worker.
template <class F>
int with_claims(F change) {
  return with_worker([&](ClientThread& worker) {
    Claims claims = worker.claims();
    change(claims);
    worker.claim(claims);
    return MORPHEUS_OK;
  });
}

}  // namespace

const char* morpheus_version() noexcept { return MORPHEUS_PROJECT_VERSION; }

int morpheus_attach(const morpheus_options* options) noexcept try {
  const LinkSpec spec = LinkSpec::from(options);
  if (spec.workers > Registry::kMaxWorkers) return MORPHEUS_ERR_INVALID;
  return Registry::instance().attach(spec);
} catch (const std::bad_alloc&) {
  return MORPHEUS_ERR_NO_MEMORY;
}

int morpheus_detach() noexcept { return Registry::instance().detach(); }

int morpheus_get_status(morpheus_status* out) noexcept {
  if (out == nullptr) return MORPHEUS_ERR_INVALID;
  Registry::instance().status(*out);
  return MORPHEUS_OK;
}

int morpheus_worker_register(morpheus_thread** out) noexcept try {
  if (ThisThread::worker() != nullptr) return MORPHEUS_ERR_ALREADY;
  ClientThread& worker = ThisThread::room();
  if (worker.is_critical()) return MORPHEUS_ERR_CRITICAL;
  const int error = Registry::instance().add(worker);
  if (error != MORPHEUS_OK) return error;
  ThisThread::set_worker(&worker);
  if (out != nullptr) *out = &worker;
  return MORPHEUS_OK;
} catch (const std::bad_alloc&) {
  return MORPHEUS_ERR_NO_MEMORY;
}

int morpheus_worker_unregister() noexcept {
  return with_worker([](ClientThread& worker) -> int {
    if (worker.is_critical()) return MORPHEUS_ERR_CRITICAL;
    ThisThread::set_worker(nullptr);
    return Registry::instance().remove(worker);
  });
}

morpheus_thread* morpheus_worker_self() noexcept { return ThisThread::worker(); }

int morpheus_worker_set_state(morpheus_worker_state state) noexcept {
  return with_worker([&](ClientThread& worker) -> int {
    if (state != MORPHEUS_WORKER_RUNNING && state != MORPHEUS_WORKER_QUIESCING)
      return MORPHEUS_ERR_INVALID;
    return Registry::instance().set_state(worker, state);
  });
}

int morpheus_set_escapable(bool escapable) noexcept {
  return with_claims([&](Claims& claims) { claims.escapable = escapable ? 1 : 0; });
}

int morpheus_set_priority(uint32_t priority) noexcept {
  if (priority > MORPHEUS_PRIORITY_MAX) return MORPHEUS_ERR_INVALID;
  return with_claims([&](Claims& claims) { claims.priority = priority; });
}

int morpheus_set_policy(morpheus_escalation_policy policy) noexcept {
  if (static_cast<unsigned>(policy) >= MORPHEUS_POLICY_COUNT) return MORPHEUS_ERR_INVALID;
  return with_claims([&](Claims& claims) { claims.policy = policy; });
}

void morpheus_enter_critical() noexcept {
  if (ClientThread* worker = ThisThread::worker()) morpheus_critical_enter(worker);
}

void morpheus_leave_critical() noexcept {
  if (ClientThread* worker = ThisThread::worker()) morpheus_critical_exit(worker);
}

morpheus_safepoint morpheus_safepoint_get() noexcept { return ThisThread::safepoint(); }

morpheus_answer morpheus_answer_hint(morpheus_safepoint at) noexcept {
  ClientThread* worker = ThisThread::worker();
  if (worker == nullptr) return {ThisThread::safepoint(), false};
  return worker->acknowledge(at);
}

morpheus_answer morpheus_answer_and_yield(morpheus_safepoint at) noexcept {
  ThisThread::hand_over();
  const morpheus_answer answer = morpheus_answer_hint(at);
  if (answer.asked) morpheus_yield();
  return answer;
}

bool morpheus_checkpoint_call() noexcept { return morpheus_checkpoint_here(); }

void morpheus_yield() noexcept {
  if (ClientThread* worker = ThisThread::worker())
    worker->yield();
  else
    (void)::sched_yield();
}

int morpheus_get_guidance(morpheus_guidance* out) noexcept {
  if (out == nullptr) return MORPHEUS_ERR_INVALID;
  return with_worker([&](const ClientThread& worker) {
    *out = worker.guidance();
    return MORPHEUS_OK;
  });
}

int morpheus_get_pressure(morpheus_global_pressure* out) noexcept {
  if (out == nullptr) return MORPHEUS_ERR_INVALID;
  *out = Registry::instance().pressure();
  return MORPHEUS_OK;
}

int morpheus_get_stats(morpheus_stats* out) noexcept {
  if (out == nullptr) return MORPHEUS_ERR_INVALID;
  return with_worker([&](const ClientThread& worker) {
    *out = worker.stats();
    return MORPHEUS_OK;
  });
}

morpheus_runtime_mode morpheus_get_mode() noexcept {
  ClientThread* worker = ThisThread::worker();
  return worker == nullptr ? MORPHEUS_DETERMINISTIC : worker->update_mode();
}
