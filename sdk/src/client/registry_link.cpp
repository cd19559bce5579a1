// SPDX-License-Identifier: GPL-2.0-only
// The registry's link to a daemon: how it comes, goes and comes again.
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "proto/monotonic_clock.hpp"
#include "sdk/src/client/backoff.hpp"
#include "sdk/src/client/registry.hpp"

namespace morpheus::sdk {
namespace {

constexpr int kForever = -1;
/// The longest wait between two attempts to connect; the second one if no daemon listens and the
/// watch will see its socket appear.
constexpr int kLongestMs = 1'000;
constexpr int kLongestWatchedMs = 30'000;

void wait_until_lost(int link_fd, int wake_fd) {
  pollfd watched[] = {{wake_fd, POLLIN, 0}, {link_fd, POLLRDHUP, 0}};
  (void)::poll(watched, std::size(watched), kForever);
  eventfd_t ignored = 0;
  (void)::eventfd_read(wake_fd, &ignored);
}

/// Until `timeout_ms` have passed, or wake_fd is written to. True: until there was news of the
/// socket.
bool wait_for_socket(SocketWatch& socket, int wake_fd, int timeout_ms) {
  const std::uint64_t end = monotonic_ns() + static_cast<std::uint64_t>(timeout_ms) * 1'000'000;
  for (std::uint64_t now = monotonic_ns(); now < end; now = monotonic_ns()) {
    pollfd watched[] = {{wake_fd, POLLIN, 0}, {socket.fd(), POLLIN, 0}};
    (void)::poll(watched, std::size(watched), static_cast<int>((end - now) / 1'000'000) + 1);
    if (watched[1].revents != 0 && socket.has_news()) return true;
    eventfd_t ignored = 0;
    if (watched[0].revents != 0 && ::eventfd_read(wake_fd, &ignored) == 0) return false;
  }
  return false;
}

}  // namespace

void Registry::keep_link() {
  pthread_setname_np(pthread_self(), "morpheus-sdk");
  Backoff backoff(static_cast<std::uint32_t>(monotonic_ns()));
  while (true) {
    int link_fd = -1;
    int wake_fd = -1;
    int longest_ms = kLongestMs;
    {
      const std::scoped_lock lock(lock_);
      if (is_stopping_) return;
      if (link_ && !is_link_alive()) lose_link();
      if (!link_) socket_watch_->arm();
      if (!link_ && connect()) backoff.reset();
      drop_unused_lines();
      if (link_) link_fd = link_->fd();
      if (link_) socket_watch_->disarm();
      if (is_daemon_absent_ && socket_watch_->fd() >= 0) longest_ms = kLongestWatchedMs;
      wake_fd = wake_fd_.get();
    }
    if (link_fd >= 0) {
      wait_until_lost(link_fd, wake_fd);
      continue;
    }
    if (!wait_for_socket(*socket_watch_, wake_fd, backoff.next_ms(longest_ms))) continue;
    // The socket may be bound without listening yet, and all clients see it at once.
    backoff.reset();
    (void)wait_for_socket(*socket_watch_, wake_fd, backoff.next_ms(longest_ms));
  }
}

bool Registry::is_link_alive() const {
  if (!link_->is_open()) return false;
  pollfd watched{link_->fd(), POLLRDHUP, 0};
  return ::poll(&watched, 1, 0) == 0;
}

bool Registry::connect() {
  auto opened = DaemonLink::open(spec_);
  is_daemon_absent_ =
      !opened && (opened.error().code == ENOENT || opened.error().code == ECONNREFUSED);
  if (!opened) {
    last_error_ = opened.error().text();
    return false;
  }
  link_ = std::move(*opened);
  const std::uint64_t base = next_base();
  for (ClientThread* worker : workers_) guide(*worker, base);
  if (!link_->is_open()) {
    link_.reset();
    return false;
  }
  ++attaches_;
  DaemonAbsence::set({});
  change_epoch(base);
  return link_.has_value();
}

void Registry::lose_link() {
  DaemonAbsence::set({monotonic_ns(), std::min(pressure().cpu_pressure_pct, 100U)});
  const std::uint64_t base = next_base();
  link_.reset();
  change_epoch(base);
}

/// Registers the worker with the link's daemon and brings it to its state there. After a refusal it
/// stays unguided.
void Registry::guide(ClientThread& worker, std::uint64_t base) {
  worker.slot = ClientThread::kUnguided;
  if (guided() >= spec_.workers)
    return note({"more threads are registered than max_workers, " + std::to_string(spec_.workers) +
                 ": the others are not guided"});
  auto slot = link_->add_worker(worker.tid, base);
  if (!slot) return note(slot.error());
  for (const auto state : {MORPHEUS_WORKER_RUNNING, MORPHEUS_WORKER_QUIESCING}) {
    if (worker.state < state) break;
    if (auto set = link_->set_state(*slot, state); !set) return note(set.error());
  }
  worker.slot = *slot;
}

/// Begins an epoch with the memory of the link, or with none. The workers' slots are those of the
/// new epoch already.
void Registry::change_epoch(std::uint64_t base) {
  Epoch::begin_change();
  const std::uint64_t next = Epoch::current() + 1;
  lines_.hide();
  if (link_) {
    // The next attempt may do better; until then no worker is guided.
    if (auto shown = lines_.show(*link_, spec_.workers, next); !shown) {
      note(shown.error());
      link_.reset();
    }
  }
  for (ClientThread* worker : workers_) {
    if (!link_) worker->slot = ClientThread::kUnguided;
    worker->offer(lines_.binding_of(*worker, next, base));
  }
  Epoch::end_change(base);
}

std::uint64_t Registry::next_base() const {
  return Epoch::base_above(lines_.highest_seq(spec_.workers));
}

void Registry::drop_unused_lines() { lines_.drop_unused(workers_, link_.has_value()); }

}  // namespace morpheus::sdk
