// SPDX-License-Identifier: GPL-2.0-only
// Anonymous shared memory for untrusted processes: sealed against resizing and, where only its
// maker may write, against every further way of writing.
#pragma once

#include <cstddef>

#include "proto/result.hpp"
#include "proto/unique_fd.hpp"

namespace morpheus {

/// Who may still write to a memfd once it is sealed.
enum class SealKind {
  writable,  ///< every process with a descriptor; only the size is fixed
  read_only  ///< only mappings that were made before sealing
};

/// A memfd of `size` zero bytes, close-on-exec, not executable, mode 0600: with a wider mode, a
/// holder of a read-only descriptor could reopen it for writing through /proc/self/fd.
[[nodiscard]] Result<UniqueFd> create_memfd(const char* name, std::size_t size);

/// Applies the seals, which cannot be removed. For read_only, map the memory writable first.
[[nodiscard]] Result<void> seal_memfd(int fd, SealKind kind);

/// Another descriptor of the same memory, opened read-only: the one to hand to clients.
[[nodiscard]] Result<UniqueFd> reopen_read_only(int fd);

}  // namespace morpheus
