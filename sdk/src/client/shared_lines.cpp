// SPDX-License-Identifier: GPL-2.0-only
#include "sdk/src/client/shared_lines.hpp"

#include <algorithm>
#include <cstring>

namespace morpheus::sdk {

Result<void> SharedLines::reserve(std::uint32_t most_workers) {
  if (kernel_window_.data() != nullptr) return {};
  const std::size_t lines = std::size_t{most_workers} + 1;
  if (auto kernel = kernel_window_.reserve(lines * MORPHEUS_SCB_LINE_SIZE); !kernel) return kernel;
  return global_window_.reserve(sizeof(morpheus_global_pressure));
}

Result<void> SharedLines::show(DaemonLink& link, std::uint32_t workers, std::uint64_t epoch) {
  runtime_lines_.push_back({epoch, link.take_runtime_lines()});
  const std::size_t size = std::size_t{workers} * MORPHEUS_SCB_LINE_SIZE;
  if (auto shown = kernel_window_.show(link.kernel_lines(), size); !shown) return shown;
  return global_window_.show(link.global_block(), sizeof(morpheus_global_pressure));
}

void SharedLines::hide() {
  kernel_window_.hide();
  global_window_.hide();
}

void SharedLines::forget() {
  runtime_lines_.clear();
  hide();
}

Binding SharedLines::binding_of(const ClientThread& worker, std::uint64_t epoch,
                                std::uint64_t base) const {
  Binding binding{.epoch = epoch, .base = base};
  if (worker.slot == ClientThread::kUnguided) return binding;
  binding.kernel = kernel_line(worker.slot);
  binding.runtime =
      static_cast<morpheus_scb_runtime*>(runtime_lines_.back().memory.data()) + worker.slot;
  return binding;
}

const morpheus_scb_kernel* SharedLines::kernel_line(std::uint32_t slot) const {
  return static_cast<const morpheus_scb_kernel*>(kernel_window_.data()) + slot;
}

std::uint64_t SharedLines::highest_seq(std::uint32_t workers) const {
  std::uint64_t highest = Epoch::base();
  if (kernel_window_.data() == nullptr) return highest;
  for (std::uint32_t slot = 0; slot < workers; ++slot)
    highest = std::max<std::uint64_t>(
        highest, __atomic_load_n(&kernel_line(slot)->preempt_seq, __ATOMIC_ACQUIRE));
  return highest;
}

void SharedLines::drop_unused(const std::vector<ClientThread*>& workers, bool is_current_used) {
  std::erase_if(runtime_lines_, [&](const RuntimeLines& lines) {
    if (is_current_used && lines.epoch == Epoch::current()) return false;
    return std::ranges::none_of(
        workers, [&](const ClientThread* worker) { return worker->epoch_in_use() == lines.epoch; });
  });
}

morpheus_global_pressure SharedLines::pressure() const {
  morpheus_global_pressure copy{};
  if (global_window_.data() != nullptr) std::memcpy(&copy, global_window_.data(), sizeof copy);
  return copy;
}

}  // namespace morpheus::sdk
