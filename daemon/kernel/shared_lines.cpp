// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/kernel/shared_lines.hpp"

#include <fcntl.h>

#include <atomic>

namespace morpheus::daemon {
namespace {

constexpr std::size_t kPage = 4096;
static_assert(MORPHEUS_LINES_PER_PAGE == kPage / MORPHEUS_SCB_LINE_SIZE);

struct SharedMemory {
  UniqueFd fd;
  Mapping mapping;
};

// The order matters: our mapping must exist before the seal that forbids further ones.
Result<SharedMemory> make_shared(const char* name, std::size_t size, SealKind kind) {
  SharedMemory memory;
  auto fd = create_memfd(name, size);
  if (!fd) return tl::unexpected(fd.error());
  memory.fd = std::move(*fd);
  auto mapping = Mapping::shared(memory.fd.get(), size, PROT_READ | PROT_WRITE);
  if (!mapping) return tl::unexpected(mapping.error());
  memory.mapping = std::move(*mapping);
  if (auto sealed = seal_memfd(memory.fd.get(), kind); !sealed)
    return tl::unexpected(sealed.error());
  return memory;
}

Result<UniqueFd> duplicate(int fd) {
  UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!copy) return fail_errno("duplicate a client's descriptor");
  return copy;
}

template <class T>
void store_relaxed(T& field, T value) {
  std::atomic_ref<T>(field).store(value, std::memory_order_relaxed);
}

}  // namespace

std::uint32_t ClientLines::capacity_for(std::uint32_t workers) {
  constexpr auto kPerPage = MORPHEUS_LINES_PER_PAGE;
  return (workers + kPerPage - 1) / kPerPage * kPerPage;
}

std::uint64_t ClientLines::bytes_for(std::uint32_t workers) {
  return 2ull * capacity_for(workers) * MORPHEUS_SCB_LINE_SIZE;
}

Result<ClientLines> ClientLines::in_memfds(std::uint32_t workers) {
  ClientLines lines;
  lines.capacity_ = capacity_for(workers);
  const std::size_t size = std::size_t{lines.capacity_} * MORPHEUS_SCB_LINE_SIZE;
  auto kernel = make_shared("morpheus-kernel-lines", size, SealKind::read_only);
  if (!kernel) return tl::unexpected(kernel.error());
  auto runtime = make_shared("morpheus-runtime-lines", size, SealKind::writable);
  if (!runtime) return tl::unexpected(runtime.error());
  lines.kernel_fd_ = std::move(kernel->fd);
  lines.kernel_ = std::move(kernel->mapping);
  lines.runtime_fd_ = std::move(runtime->fd);
  lines.runtime_ = std::move(runtime->mapping);
  return lines;
}

Result<ClientLines> ClientLines::in_maps(std::uint32_t capacity, UniqueFd kernel_map,
                                         UniqueFd runtime_map) {
  ClientLines lines;
  lines.capacity_ = capacity;
  lines.in_maps_ = true;
  const std::size_t size = std::size_t{capacity} * MORPHEUS_SCB_LINE_SIZE;
  auto kernel = Mapping::shared(kernel_map.get(), size, PROT_READ);
  if (!kernel) return tl::unexpected(kernel.error());
  auto runtime = Mapping::shared(runtime_map.get(), size, PROT_READ | PROT_WRITE);
  if (!runtime) return tl::unexpected(runtime.error());
  lines.kernel_fd_ = std::move(kernel_map);
  lines.kernel_ = std::move(*kernel);
  lines.runtime_fd_ = std::move(runtime_map);
  lines.runtime_ = std::move(*runtime);
  return lines;
}

morpheus_scb_kernel& ClientLines::kernel_line(std::uint32_t index) const {
  return static_cast<morpheus_scb_kernel*>(kernel_.data())[index];
}

morpheus_scb_runtime& ClientLines::runtime_line(std::uint32_t index) const {
  return static_cast<morpheus_scb_runtime*>(runtime_.data())[index];
}

Result<UniqueFd> ClientLines::kernel_fd_for_client() const {
  return in_maps_ ? duplicate(kernel_fd_.get()) : reopen_read_only(kernel_fd_.get());
}

Result<UniqueFd> ClientLines::runtime_fd_for_client() const { return duplicate(runtime_fd_.get()); }

Result<GlobalBlock> GlobalBlock::create() {
  auto memory = make_shared("morpheus-global", kPage, SealKind::read_only);
  if (!memory) return tl::unexpected(memory.error());
  GlobalBlock global;
  global.fd_ = std::move(memory->fd);
  global.mapping_ = std::move(memory->mapping);
  auto& block = *static_cast<morpheus_global_pressure*>(global.mapping_.data());
  block.magic = MORPHEUS_SCB_MAGIC;
  block.version_major = MORPHEUS_SCB_VERSION_MAJOR;
  block.version_minor = MORPHEUS_SCB_VERSION_MINOR;
  return global;
}

void GlobalBlock::update(const Pressure& pressure, morpheus_scheduler_mode mode,
                         std::uint64_t now_ns) {
  auto& block = *static_cast<morpheus_global_pressure*>(mapping_.data());
  store_relaxed<__u32>(block.cpu_pressure_pct, pressure.cpu_pct);
  store_relaxed<__u32>(block.io_pressure_pct, pressure.io_pct);
  store_relaxed<__u32>(block.memory_pressure_pct, pressure.memory_pct);
  store_relaxed<__u32>(block.runqueue_depth, pressure.runqueue_depth);
  store_relaxed<__u32>(block.scheduler_mode, mode);
  store_relaxed<__u64>(block.heartbeat_ns, now_ns);
}

const morpheus_global_pressure& GlobalBlock::block() const {
  return *static_cast<const morpheus_global_pressure*>(mapping_.data());
}

}  // namespace morpheus::daemon
