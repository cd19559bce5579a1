// SPDX-License-Identifier: GPL-2.0-only
#include "sdk/src/runtime/thread/guidance.hpp"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <system_error>

#include "sdk/src/client/registry.hpp"
#include "sdk/src/client/this_thread.hpp"

namespace morpheus::sdk {
namespace {

constexpr std::uint64_t kModeNs = 1'000'000;  // between two decisions about the mode

}  // namespace

AttachmentShare::AttachmentShare(const runtime_options& options) {
  if (!options.guided) return;
  LinkSpec spec = LinkSpec::from(nullptr);
  spec.workers = std::clamp(options.threads + options.relief_threads, spec.workers,
                            std::uint32_t{Registry::kMaxWorkers});
  is_held_ = Registry::instance().share(spec);
}

AttachmentShare::~AttachmentShare() {
  if (is_held_) Registry::instance().unshare();
}

void Guidance::begin(const runtime_options& options) {
  try {
    if (options.guided) registration_.emplace(options.worker);
  } catch (const std::system_error&) {
    // the process could not be attached, or this is a priority that cannot be
  }
  is_registered_.store(registration_.has_value(), std::memory_order_relaxed);
  client_thread_.store(ThisThread::worker(), std::memory_order_release);
  safe_point_.store(&morpheus_here, std::memory_order_release);
}

void Guidance::end() {
  client_thread_.store(nullptr, std::memory_order_release);
  safe_point_.store(nullptr, std::memory_order_release);
  registration_.reset();
}

bool Guidance::is_hinted() const {
  const std::uint64_t seq = __atomic_load_n(morpheus_here.seq, __ATOMIC_RELAXED);
  const bool is_watch = __atomic_load_n(&morpheus_here.seen, __ATOMIC_RELAXED) == ~seq;
  return !is_watch || mode() == MORPHEUS_DEFENSIVE;
}

bool Guidance::acknowledge() {
  const morpheus_answer answer = morpheus_answer_hint(morpheus_here);
  __atomic_store_n(&morpheus_here.seq, answer.next.seq, __ATOMIC_RELAXED);
  __atomic_store_n(&morpheus_here.seen, answer.next.seen, __ATOMIC_RELAXED);
  if (is_registered()) note_hints();
  return answer.asked;
}

void Guidance::note_hints() {
  morpheus_stats now{};
  (void)morpheus_get_stats(&now);
  hints_.store(now.hints, std::memory_order_relaxed);
  yields_.store(now.yields + 1, std::memory_order_relaxed);
  mode_.store(morpheus_get_mode(), std::memory_order_relaxed);
}

void Guidance::check_critical_section() const {
  static std::atomic_flag is_said;
  if (!registration_ || *registration_->handle()->critical == 0 || is_said.test_and_set()) return;
  std::fputs(
      "morpheus: a task holds a critical_section across a co_await: other tasks run in it, and the "
      "kernel waits for them; end it before the co_await\n",
      stderr);
}

void Guidance::update_mode(std::uint64_t now) {
  if (!is_registered() || now - mode_updated_ns_ < kModeNs) return;
  mode_updated_ns_ = now;
  mode_.store(morpheus_get_mode(), std::memory_order_relaxed);
}

morpheus_guidance Guidance::kernel_line() const {
  const ClientThread* const thread = client_thread_.load(std::memory_order_acquire);
  return thread == nullptr ? morpheus_guidance{} : thread->guidance();
}

void Guidance::ask_to_give_way() {
  morpheus_safepoint* const here = safe_point_.load(std::memory_order_acquire);
  if (here == nullptr) return;
  const std::uint64_t* const seq = __atomic_load_n(&here->seq, __ATOMIC_RELAXED);
  __atomic_store_n(&here->seen, ~__atomic_load_n(seq, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
}

}  // namespace morpheus::sdk
