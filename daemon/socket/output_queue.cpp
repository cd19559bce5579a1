// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/socket/output_queue.hpp"

#include <utility>
#include <vector>

#include "proto/varlink_socket.hpp"

namespace morpheus::daemon {

void OutputQueue::push(std::string bytes, FdList fds) {
  waiting_ += bytes.size();
  messages_.push_back({std::move(bytes), std::move(fds), 0});
}

void OutputQueue::append(std::string bytes) {
  if (messages_.empty()) return push(std::move(bytes), {});
  Item& last = messages_.back();
  waiting_ += bytes.size();
  last.bytes.erase(0, std::exchange(last.sent, 0));
  last.bytes += bytes;
}

Result<bool> OutputQueue::write_to(int socket) {
  while (!messages_.empty()) {
    Item& item = messages_.front();
    std::vector<int> fds;
    for (const auto& fd : item.fds) fds.push_back(fd.get());
    // one message each time: descriptors must not travel with another message's bytes
    const auto sent =
        varlink::send_some(socket, std::string_view(item.bytes).substr(item.sent), fds);
    if (!sent && sent.error().code == EAGAIN) return false;
    if (!sent) return tl::unexpected(sent.error());
    item.sent += *sent;
    waiting_ -= *sent;
    item.fds.clear();
    if (item.sent == item.bytes.size()) messages_.pop_front();
  }
  return true;
}

}  // namespace morpheus::daemon
