// SPDX-License-Identifier: GPL-2.0-only
#include "proto/varlink_socket.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>

namespace morpheus::varlink {
namespace {

void take_descriptors(msghdr& header, FdList& fds) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
      fds.emplace_back(fd);
    }
  }
}

// Room for control data, aligned as cmsghdr needs.
std::vector<cmsghdr> control_buffer(std::size_t fd_count) {
  const std::size_t bytes = CMSG_SPACE(fd_count * sizeof(int));
  return std::vector<cmsghdr>((bytes + sizeof(cmsghdr) - 1) / sizeof(cmsghdr));
}

}  // namespace

Result<Received> receive_some(int socket, std::span<char> buffer, std::size_t max_fds) {
  iovec part{buffer.data(), buffer.size()};
  auto control = control_buffer(max_fds);
  msghdr header{};
  ssize_t size = -1;
  do {
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    // CMSG_LEN, not CMSG_SPACE: the padding would have room for one descriptor too many
    header.msg_controllen = CMSG_LEN(max_fds * sizeof(int));
    size = ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  if (size < 0) return fail_errno("receive");
  Received received;
  received.size = static_cast<std::size_t>(size);
  take_descriptors(header, received.fds);
  received.descriptors_lost = (header.msg_flags & MSG_CTRUNC) != 0;
  return received;
}

Result<std::size_t> send_some(int socket, std::string_view bytes, std::span<const int> fds) {
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  auto control = control_buffer(fds.size());
  if (!fds.empty()) {
    header.msg_control = control.data();
    header.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* c = CMSG_FIRSTHDR(&header);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(c), fds.data(), fds.size_bytes());
  }
  ssize_t size = -1;
  do {
    size = ::sendmsg(socket, &header, MSG_NOSIGNAL);
  } while (size < 0 && errno == EINTR);
  if (size < 0) return fail_errno("send");
  return static_cast<std::size_t>(size);
}

Result<UniqueFd> connect_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path))
    return fail("connect to '" + path + "'", ENAMETOOLONG);
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail_errno("create socket");
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    return fail_errno("connect to " + path);
  return socket;
}

}  // namespace morpheus::varlink
