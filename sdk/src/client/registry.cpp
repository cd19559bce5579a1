// SPDX-License-Identifier: GPL-2.0-only
#include "sdk/src/client/registry.hpp"

#include <pthread.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <system_error>

namespace morpheus::sdk {
namespace {

bool is_allowed(morpheus_worker_state from, morpheus_worker_state to) {
  if (from == to) return true;
  if (to == MORPHEUS_WORKER_RUNNING)
    return from == MORPHEUS_WORKER_REGISTERED || from == MORPHEUS_WORKER_QUIESCING;
  return to == MORPHEUS_WORKER_QUIESCING && from == MORPHEUS_WORKER_RUNNING;
}

/// Signals belong to the application's threads. Null: the thread could not be started.
template <class F>
std::unique_ptr<std::thread> start_without_signals(F body) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::unique_ptr<std::thread> thread;
  try {
    thread = std::make_unique<std::thread>(std::move(body));
  } catch (const std::system_error&) {
    // reported as null
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

}  // namespace

Registry& Registry::instance() {
  static Registry* const registry = new Registry;
  return *registry;
}

int Registry::attach(const LinkSpec& spec) {
  const std::scoped_lock lock(attaching_, lock_);
  if (is_programs_) return MORPHEUS_ERR_ALREADY;
  // Runtimes have attached the process as they do by default; only the same can be added to that.
  if (is_attached_ && (spec.socket != spec_.socket || spec.name != spec_.name))
    return MORPHEUS_ERR_ALREADY;
  const int error = is_attached_ ? MORPHEUS_OK : start_link(spec);
  is_programs_ = error == MORPHEUS_OK;
  return error;
}

bool Registry::share(const LinkSpec& spec) {
  const std::scoped_lock lock(attaching_, lock_);
  if (!is_attached_ && start_link(spec) != MORPHEUS_OK) return false;
  ++shares_;
  return true;
}

int Registry::start_link(const LinkSpec& spec) {
  if (auto ready = prepare(); !ready) {
    note(ready.error());
    return ready.error().code == ENOMEM ? MORPHEUS_ERR_NO_MEMORY : MORPHEUS_ERR_SYSTEM;
  }
  spec_ = spec;
  is_stopping_ = false;
  attaches_ = 0;
  last_error_.clear();
  socket_watch_.emplace(spec.socket);
  (void)connect();  // the link thread tries again
  link_thread_ = start_without_signals([this] { keep_link(); });
  if (!link_thread_) {
    link_.reset();
    change_epoch(next_base());
    return MORPHEUS_ERR_SYSTEM;
  }
  is_attached_ = true;
  return MORPHEUS_OK;
}

Result<void> Registry::prepare() {
  watch_forks();
  wake_fd_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_fd_) return fail_errno("make an eventfd");
  return lines_.reserve(kMaxWorkers);
}

int Registry::detach() {
  const std::scoped_lock attaching(attaching_);
  std::unique_lock lock(lock_);
  if (!is_programs_) return MORPHEUS_ERR_NOT_ATTACHED;
  if (shares_ == 0 && !workers_.empty()) return MORPHEUS_ERR_BUSY;
  is_programs_ = false;
  if (shares_ == 0) end_link(lock);
  return MORPHEUS_OK;
}

/// Threads of the program that are still registered keep the process attached.
void Registry::unshare() {
  const std::scoped_lock attaching(attaching_);
  std::unique_lock lock(lock_);
  if (shares_ == 0) return;  // the parent's, in a forked child
  if (--shares_ == 0 && !is_programs_ && workers_.empty()) end_link(lock);
}

void Registry::end_link(std::unique_lock<std::mutex>& lock) {
  is_stopping_ = true;
  is_attached_ = false;  // from here on no thread can register
  wake_link_thread();
  lock.unlock();
  link_thread_->join();
  lock.lock();
  link_thread_.reset();
  socket_watch_.reset();
  link_.reset();
  DaemonAbsence::set({});
  change_epoch(next_base());
  drop_unused_lines();
}

/// Workers that the daemon watches.
std::uint32_t Registry::guided() const {
  if (!link_) return 0;
  return static_cast<std::uint32_t>(std::ranges::count_if(
      workers_, [](const auto* worker) { return worker->slot != ClientThread::kUnguided; }));
}

void Registry::status(morpheus_status& out) {
  const std::scoped_lock lock(lock_);
  out = {};
  if (is_attached_) out.link = link_ ? MORPHEUS_LINK_ATTACHED : MORPHEUS_LINK_WAITING;
  out.workers = static_cast<std::uint32_t>(workers_.size());
  out.guided = guided();
  out.attaches = attaches_;
  std::snprintf(out.last_error, sizeof out.last_error, "%s", last_error_.c_str());
}

int Registry::add(ClientThread& worker) {
  const std::scoped_lock lock(lock_);
  if (!is_attached_) return MORPHEUS_ERR_NOT_ATTACHED;
  workers_.push_back(&worker);
  worker.state = MORPHEUS_WORKER_REGISTERED;
  worker.tid = ::gettid();
  const std::uint64_t base = Epoch::base();
  if (link_) guide(worker, base);
  worker.begin(lines_.binding_of(worker, Epoch::current(), base));
  return MORPHEUS_OK;
}

int Registry::remove(ClientThread& worker) {
  const std::scoped_lock lock(lock_);
  if (link_ && worker.slot != ClientThread::kUnguided) {
    if (auto removed = link_->remove_worker(worker.slot); !removed) note(removed.error());
  }
  worker.end();
  std::erase(workers_, &worker);
  drop_unused_lines();
  return MORPHEUS_OK;
}

int Registry::set_state(ClientThread& worker, morpheus_worker_state state) {
  const std::scoped_lock lock(lock_);
  if (!is_allowed(worker.state, state)) return MORPHEUS_ERR_STATE;
  if (link_ && worker.slot != ClientThread::kUnguided) {
    auto set = link_->set_state(worker.slot, state);
    if (!set) note(set.error());
    // A link that broke is no refusal: the next daemon gets the new state.
    if (!set && link_->is_open()) return MORPHEUS_ERR_STATE;
  }
  worker.state = state;
  return MORPHEUS_OK;
}

void Registry::note(const Error& error) {
  last_error_ = error.text();
  wake_link_thread();  // the link may have broken
}

void Registry::wake_link_thread() const { (void)::eventfd_write(wake_fd_.get(), 1); }

}  // namespace morpheus::sdk
