// SPDX-License-Identifier: GPL-2.0-only
// The registry's connection to a daemon: how it comes, goes and comes again.
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>

#include "proto/monotonic_clock.hpp"
#include "sdk/src/client/backoff.hpp"
#include "sdk/src/client/daemon_absence.hpp"
#include "sdk/src/client/registry.hpp"

namespace morpheus::sdk {
namespace {

constexpr int kForever = -1;
/// Tries are at most so far apart; the longer one while nobody listens and the coming of a socket
/// is noticed.
constexpr int kLongestMs = 1'000;
constexpr int kLongestWatchedMs = 30'000;

void wait_until_lost(int link_fd, int wake_fd) {
  pollfd watched[] = {{wake_fd, POLLIN, 0}, {link_fd, POLLRDHUP, 0}};
  (void)::poll(watched, std::size(watched), kForever);
  eventfd_t ignored = 0;
  (void)::eventfd_read(wake_fd, &ignored);
}

/// Until `timeout_ms` have passed or wake_fd is written to; true: until there is news at the
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

void Registry::keep_house() {
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
      if (is_nobody_listening_ && socket_watch_->fd() >= 0) longest_ms = kLongestWatchedMs;
      wake_fd = wake_fd_.get();
    }
    if (link_fd >= 0) {
      wait_until_lost(link_fd, wake_fd);
      continue;
    }
    if (!wait_for_socket(*socket_watch_, wake_fd, backoff.next_ms(longest_ms))) continue;
    // It may be bound and not listen yet, and all clients see it at once.
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
  is_nobody_listening_ =
      !opened && (opened.error().code == ENOENT || opened.error().code == ECONNREFUSED);
  if (!opened) {
    last_error_ = opened.error().text();
    return false;
  }
  link_ = std::move(*opened);
  const std::uint64_t base = Epoch::base_above(highest_seq());
  for (ClientThread* worker : workers_) guide(*worker, base);
  if (!link_->is_open()) {
    link_.reset();
    return false;
  }
  ++attaches_;
  DaemonAbsence::set({});
  change_epoch(base, &*link_);
  return link_.has_value();
}

void Registry::lose_link() {
  DaemonAbsence::set({monotonic_ns(), std::min(pressure().cpu_pressure_pct, 100U)});
  const std::uint64_t base = Epoch::base_above(highest_seq());
  link_.reset();
  change_epoch(base, nullptr);
}

/// Registers the worker with the link's daemon and takes it to its state there. A refusal leaves
/// it unguided.
void Registry::guide(ClientThread& worker, std::uint64_t base) {
  worker.slot = ClientThread::kUnguided;
  auto slot = link_->add_worker(worker.tid, base);
  if (!slot) return note(slot.error());
  for (const auto state : {MORPHEUS_WORKER_RUNNING, MORPHEUS_WORKER_QUIESCING}) {
    if (worker.state < state) break;
    if (auto set = link_->set_state(*slot, state); !set) return note(set.error());
  }
  worker.slot = *slot;
}

/// Begins an epoch with the memory of `link`, or with none. The workers' slots are those of the
/// new epoch already.
void Registry::change_epoch(std::uint64_t base, DaemonLink* link) {
  Epoch::begin_change();
  const std::uint64_t next = Epoch::current() + 1;
  kernel_window_.hide();
  global_window_.hide();
  if (link != nullptr) {
    runtime_lines_.push_back({next, link->take_runtime_lines()});
    const std::size_t size = std::size_t{spec_.workers} * MORPHEUS_SCB_LINE_SIZE;
    auto shown = kernel_window_.show(link->kernel_lines(), size).and_then([&] {
      return global_window_.show(link->global_block(), sizeof(morpheus_global_pressure));
    });
    if (!shown) {  // the next attempt may do better; until then nobody is guided
      note(shown.error());
      link_.reset();
    }
  }
  for (ClientThread* worker : workers_) {
    if (!link_) worker->slot = ClientThread::kUnguided;
    worker->offer(binding_of(*worker, next, base));
  }
  Epoch::end_change(base);
}

Binding Registry::binding_of(const ClientThread& worker, std::uint64_t epoch,
                             std::uint64_t base) const {
  Binding binding{.epoch = epoch, .base = base};
  if (worker.slot == ClientThread::kUnguided) return binding;
  binding.kernel = kernel_line(worker.slot);
  binding.runtime =
      static_cast<morpheus_scb_runtime*>(runtime_lines_.back().memory.data()) + worker.slot;
  return binding;
}

const morpheus_scb_kernel* Registry::kernel_line(std::uint32_t slot) const {
  return static_cast<const morpheus_scb_kernel*>(kernel_window_.data()) + slot;
}

std::uint64_t Registry::highest_seq() const {
  std::uint64_t highest = Epoch::base();
  if (kernel_window_.data() == nullptr) return highest;
  for (std::uint32_t slot = 0; slot < spec_.workers; ++slot)
    highest = std::max<std::uint64_t>(
        highest, __atomic_load_n(&kernel_line(slot)->preempt_seq, __ATOMIC_ACQUIRE));
  return highest;
}

void Registry::drop_unused_lines() {
  std::erase_if(runtime_lines_, [this](const RuntimeLines& lines) {
    if (link_ && lines.epoch == Epoch::current()) return false;
    return std::ranges::none_of(workers_, [&](const ClientThread* worker) {
      return worker->epoch_in_use() == lines.epoch;
    });
  });
}

}  // namespace morpheus::sdk
