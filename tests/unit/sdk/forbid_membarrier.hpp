// SPDX-License-Identifier: GPL-2.0-only
// A filter of system calls that forbids membarrier(2), as some sandboxes do.
#pragma once

#include <linux/filter.h>
#include <linux/membarrier.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

namespace morpheus::test {

inline bool has_membarrier() { return ::syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0) > 0; }

/// From here on it fails with EPERM in this thread and those that it starts, and after execve(2).
/// False: there are no such filters here.
inline bool forbid_membarrier() {
  sock_filter steps[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{.len = sizeof steps / sizeof *steps, .filter = steps};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0 && !has_membarrier();
}

}  // namespace morpheus::test
