// SPDX-License-Identifier: GPL-2.0-only
#include "sdk/src/client/fixed_window.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cassert>
#include <string>
#include <string_view>

namespace morpheus::sdk {
namespace {

bool is_bpf_map(int fd) {
  constexpr std::string_view kMap = "anon_inode:bpf-map";
  const auto path = "/proc/self/fd/" + std::to_string(fd);
  char target[kMap.size() + 1] = {};
  const auto length = ::readlink(path.c_str(), target, sizeof(target));
  return length > 0 && std::string_view(target, static_cast<std::size_t>(length)) == kMap;
}

}  // namespace

Result<void> FixedWindow::reserve(std::size_t size) {
  assert(data_ == nullptr);
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t rounded = (size + page - 1) / page * page;
  void* at = ::mmap(nullptr, rounded, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) return fail_errno("reserve address space");
  data_ = at;
  size_ = rounded;
  return {};
}

Result<void> FixedWindow::show(int fd, std::size_t size) {
  assert(size <= size_);
  if (auto checked = check_memory(fd, size); !checked) return checked;
  if (::mmap(data_, size, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
    return fail_errno("map the daemon's memory");
  return {};
}

void FixedWindow::hide() {
  if (data_ == nullptr) return;
  [[maybe_unused]] void* at =
      ::mmap(data_, size_, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  assert(at == data_);
}

Result<void> check_memory(int fd, std::size_t size) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) return fail_errno("stat the daemon's memory");
  if (is_bpf_map(fd)) return {};
  if (info.st_size < 0 || static_cast<std::size_t>(info.st_size) < size)
    return fail("the daemon's memory is too short", EPROTO);
  const int seals = ::fcntl(fd, F_GET_SEALS);
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0)
    return fail("the daemon's memory is not sealed against shrinking", EPROTO);
  return {};
}

}  // namespace morpheus::sdk
