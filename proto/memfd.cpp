// SPDX-License-Identifier: GPL-2.0-only
#include "proto/memfd.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

namespace morpheus {

Result<UniqueFd> create_memfd(const char* name, std::size_t size) {
  constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  UniqueFd fd(::memfd_create(name, kFlags | MFD_NOEXEC_SEAL));
  // Linux before 6.3 has neither this flag nor a policy that demands it
  if (!fd && errno == EINVAL) fd.reset(::memfd_create(name, kFlags));
  if (!fd) return fail_errno(std::string("create memfd ") + name);
  if (::fchmod(fd.get(), 0600) != 0) return fail_errno(std::string("set mode of memfd ") + name);
  if (::ftruncate(fd.get(), static_cast<off_t>(size)) != 0)
    return fail_errno(std::string("size memfd ") + name);
  return fd;
}

Result<void> seal_memfd(int fd, SealKind kind) {
  int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
  if (kind == SealKind::read_only) seals |= F_SEAL_FUTURE_WRITE;
  if (::fcntl(fd, F_ADD_SEALS, seals) != 0) return fail_errno("seal memfd");
  return {};
}

Result<UniqueFd> reopen_read_only(int fd) {
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  UniqueFd again(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!again) return fail_errno("open " + path + " read-only");
  return again;
}

}  // namespace morpheus
