// SPDX-License-Identifier: GPL-2.0-only
// Anonymous shared memory that is handed to processes which are not trusted: sealed against
// resizing, and, where only its maker may write, against every further way of writing.
#pragma once

#include <cstddef>

#include "proto/result.hpp"
#include "proto/unique_fd.hpp"

namespace morpheus {

/// Who may still write to a memfd once it is sealed.
enum class SealKind {
  writable,  ///< everybody who holds a descriptor; only its size is fixed
  read_only  ///< only mappings that were made before sealing
};

/// A memfd of `size` zero bytes, close-on-exec, not executable, mode 0600: without that mode any
/// holder of a read-only descriptor could open it again for writing through /proc/self/fd.
[[nodiscard]] Result<UniqueFd> create_memfd(const char* name, std::size_t size);

/// Applies the seals, which can never be removed. For read_only, map it writable first.
[[nodiscard]] Result<void> seal_memfd(int fd, SealKind kind);

/// Another descriptor of the same memory, opened read-only: what to hand out of a read_only memfd.
[[nodiscard]] Result<UniqueFd> reopen_read_only(int fd);

}  // namespace morpheus
