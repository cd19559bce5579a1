// SPDX-License-Identifier: GPL-2.0-only
// How the kernel guides one thread of a runtime: its registration as a worker, its safe point, the
// hints that it gets and its mode. Without a registration no hints come; all else works.
#pragma once

#include <morpheus/runtime.hpp>
#include <morpheus/worker.hpp>

#include <atomic>
#include <cstdint>
#include <optional>

namespace morpheus::sdk {

class ClientThread;

/// A guided runtime's share of the process's attachment. Must outlive its threads.
class AttachmentShare {
 public:
  explicit AttachmentShare(const runtime_options& options);
  AttachmentShare(const AttachmentShare&) = delete;
  AttachmentShare& operator=(const AttachmentShare&) = delete;
  ~AttachmentShare();

 private:
  bool is_held_ = false;
};

class Guidance {
 public:
  // --- The thread
  /// Registers the thread, if runtime_options::guided.
  void begin(const runtime_options& options);
  void end();
  /// When the safe point fires: whether the kernel made it, and not only ask_to_give_way().
  [[nodiscard]] bool is_hinted() const;
  /// Acknowledges what the thread's own safe point shows. True: now give up the CPU.
  [[nodiscard]] bool acknowledge();
  /// Between two jobs: says so, once in a program, if a job has left the thread in a critical
  /// section, in which others would now run.
  void check_critical_section() const;
  /// Decides the mode anew, now and then.
  void update_mode(std::uint64_t now);

  // --- Any thread
  [[nodiscard]] bool is_registered() const {
    return is_registered_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] morpheus_runtime_mode mode() const { return mode_.load(std::memory_order_relaxed); }
  /// See thread_stats.
  [[nodiscard]] std::uint64_t hints() const { return hints_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t yields() const { return yields_.load(std::memory_order_relaxed); }
  /// What the kernel line says of the thread; all 0 without a daemon.
  [[nodiscard]] morpheus_guidance kernel_line() const;
  /// Makes the next co_await checkpoint() give way.
  void ask_to_give_way();

 private:
  void note_hints();

  std::optional<worker> registration_;
  std::atomic<bool> is_registered_{false};
  std::atomic<morpheus_runtime_mode> mode_{MORPHEUS_DETERMINISTIC};
  std::uint64_t mode_updated_ns_ = 0;
  std::atomic<std::uint64_t> hints_{0};
  std::atomic<std::uint64_t> yields_{0};
  std::atomic<const ClientThread*> client_thread_{nullptr};
  std::atomic<morpheus_safepoint*> safe_point_{nullptr};
};

}  // namespace morpheus::sdk
