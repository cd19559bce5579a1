// SPDX-License-Identifier: GPL-2.0-only
// Bytes and descriptors over an AF_UNIX stream socket: the thin edge below the Varlink decoder.
//
// To which bytes a descriptor belongs: the kernel delivers descriptors with the first bytes of
// their sendmsg(), and a recvmsg() that returns descriptors never reads beyond that sendmsg(). So
// the last byte of such a read lies in the right message, even if the read also returned bytes of
// earlier messages. The decoder relies on this.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "proto/result.hpp"
#include "proto/unique_fd.hpp"

namespace morpheus::varlink {

/// The most descriptors that the kernel sends with one message (SCM_MAX_FD).
inline constexpr std::size_t kMostFds = 253;

struct Received {
  std::size_t size = 0;           ///< bytes written to the buffer; 0: the peer hung up
  FdList fds;                     ///< close-on-exec
  bool descriptors_lost = false;  ///< more came than allowed; the kernel closed the surplus
};

/// One recvmsg(). Takes at most `max_fds` descriptors; the kernel closes the others, in this
/// thread. Fails with EAGAIN if a non-blocking socket has no data; retries EINTR.
[[nodiscard]] Result<Received> receive_some(int socket, std::span<char> buffer,
                                            std::size_t max_fds);

/// One sendmsg() without SIGPIPE. Returns how many bytes it sent; if any, all of `fds` went with
/// them. Fails with EAGAIN if a non-blocking socket is full; retries EINTR. `bytes` must not be
/// empty.
[[nodiscard]] Result<std::size_t> send_some(int socket, std::string_view bytes,
                                            std::span<const int> fds);

/// A connected stream socket, close-on-exec and non-blocking.
[[nodiscard]] Result<UniqueFd> connect_unix(const std::string& path);

}  // namespace morpheus::varlink
