// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/socket/closer.hpp"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <deque>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>

#include "daemon/log.hpp"
#include "daemon/rights/peer.hpp"

namespace morpheus::daemon {

struct Closer::State {
  std::mutex mutex;
  std::map<uid_t, std::deque<UniqueFd>> queues;  // one entry for each thread that runs

  void submit(const std::shared_ptr<State>& self, uid_t uid, UniqueFd fd);
  void work(uid_t uid);
};

void Closer::State::submit(const std::shared_ptr<State>& self, uid_t uid, UniqueFd fd) {
  const std::lock_guard lock(mutex);
  const auto [queue, is_new] = queues.try_emplace(uid);
  queue->second.push_back(std::move(fd));
  if (!is_new) return;
  try {
    std::thread([self, uid] { self->work(uid); }).detach();
  } catch (const std::system_error& error) {
    // better to leak the descriptors than to close them here; the next call tries again
    log::warn("no thread to close the descriptors of uid {}: {}", uid, error.what());
    auto leaked = std::move(queue->second);
    queues.erase(queue);
    for (auto& each : leaked) (void)each.release();
  }
}

void Closer::State::work(uid_t uid) {
  while (true) {
    int fd = -1;
    {
      const std::lock_guard lock(mutex);
      const auto queue = queues.find(uid);
      if (queue->second.empty()) {
        queues.erase(queue);
        return;
      }
      fd = queue->second.front().get();  // stays in the queue, and counted, until it is closed
    }
    // cures most sockets that would linger, but another holder of the socket can undo it
    const linger off{0, 0};
    (void)::setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off));
    ::close(fd);
    const std::lock_guard lock(mutex);
    auto& queue = queues.at(uid);
    (void)queue.front().release();
    queue.pop_front();
  }
}

Closer::Closer() : state_(std::make_shared<State>()) {}

void Closer::close(uid_t uid, FdList fds) {
  for (auto& fd : fds) {
    if (is_pidfd(fd.get()))
      fd.reset();
    else
      state_->submit(state_, uid, std::move(fd));
  }
}

void Closer::close_connection(uid_t uid, UniqueFd socket) {
  ::shutdown(socket.get(), SHUT_RDWR);  // from here on nothing more can come
  int unread = 0;
  // no stream message is without a byte, so nothing unread means no descriptor
  if (::ioctl(socket.get(), SIOCINQ, &unread) == 0 && unread == 0) return socket.reset();
  state_->submit(state_, uid, std::move(socket));
}

std::size_t Closer::waiting(uid_t uid) const {
  const std::lock_guard lock(state_->mutex);
  const auto queue = state_->queues.find(uid);
  return queue == state_->queues.end() ? 0 : queue->second.size();
}

}  // namespace morpheus::daemon
