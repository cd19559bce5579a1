// SPDX-License-Identifier: GPL-2.0-only
#include "tests/unit/sdk/tiny_daemon.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstring>
#include <set>
#include <stdexcept>

#include "proto/memfd.hpp"
#include "proto/varlink_decoder.hpp"
#include "proto/varlink_socket.hpp"

namespace morpheus::test {
namespace {

using varlink::Json;

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().text());
  return std::move(*result);
}

UniqueFd listen_at(const std::string& path) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  ::unlink(path.c_str());
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(socket.get(), 8) != 0)
    throw std::runtime_error("cannot listen at " + path);
  return socket;
}

struct Error {
  std::string name;
};

}  // namespace

struct TinyDaemon::Client {
  UniqueFd socket;
  varlink::Decoder decoder{varlink::Limits{}};
  UniqueFd kernel_fd;
  UniqueFd runtime_fd;
  Mapping kernel;
  Mapping runtime;
  std::uint32_t capacity = 0;
  std::set<std::uint32_t> used;
};

TinyDaemon::TinyDaemon(std::string path, Options options)
    : path_(std::move(path)),
      options_(options),
      listener_(listen_at(path_)),
      stop_(::eventfd(0, EFD_CLOEXEC)) {
  global_fd_ = must(create_memfd("global", sizeof(morpheus_global_pressure)));
  global_memory_ = must(
      Mapping::shared(global_fd_.get(), sizeof(morpheus_global_pressure), PROT_READ | PROT_WRITE));
  must(seal_memfd(global_fd_.get(), SealKind::read_only).map([] { return 0; }));
  global_ = static_cast<morpheus_global_pressure*>(global_memory_.data());
  global_->magic = MORPHEUS_SCB_MAGIC;
  thread_ = std::thread([this] { serve(); });
}

TinyDaemon::~TinyDaemon() {
  (void)::eventfd_write(stop_.get(), 1);
  thread_.join();
  listener_.reset();
  ::unlink(path_.c_str());
}

void TinyDaemon::serve() {
  while (true) {
    std::vector<pollfd> watched{{stop_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
    {
      const std::scoped_lock lock(lock_);
      for (auto& client : clients_) watched.push_back({client->socket.get(), POLLIN, 0});
    }
    ::poll(watched.data(), watched.size(), -1);
    if (watched[0].revents != 0) return;
    const std::scoped_lock lock(lock_);
    for (std::size_t i = 2; i < watched.size(); ++i) {
      Client& client = *clients_[i - 2];
      if (watched[i].revents != 0 && !serve_client(client)) client.socket.reset();
    }
    if (watched[1].revents != 0) accept_one();
  }
}

void TinyDaemon::accept_one() {
  auto client = std::make_unique<Client>();
  client->socket.reset(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  clients_.push_back(std::move(client));
}

bool TinyDaemon::serve_client(Client& client) {
  std::array<char, 4096> buffer;
  auto got = varlink::receive_some(client.socket.get(), buffer, 4);
  if (!got || got->size == 0) return false;
  client.decoder.feed({buffer.data(), got->size}, std::move(got->fds));
  while (auto message = client.decoder.next()) {
    if (!*message) return false;
    std::vector<int> fds;
    Json reply;
    try {
      Json& parameters = (*message)->json["parameters"];
      reply["parameters"] = answer(client, (*message)->json["method"], parameters, fds);
    } catch (const Error& error) {
      reply = {{"error", error.name}};
    }
    if (!varlink::send_some(client.socket.get(), varlink::encode_message(reply), fds)) return false;
  }
  return true;
}

Json TinyDaemon::answer(Client& client, const std::string& method, Json& parameters,
                        std::vector<int>& fds) {
  if (method == "io.morpheus.Worker.Attach") return attach(client, parameters, fds);
  if (method == "io.morpheus.Worker.Register") return add(client, parameters);
  const std::uint32_t slot = parameters["slot"];
  for (Worker& each : workers_) {
    if (each.client != &client || each.slot != slot || each.state == "gone") continue;
    if (method == "io.morpheus.Worker.SetState") {
      each.state = parameters["state"];
    } else {
      each.state = "gone";
      client.used.erase(slot);
    }
    return Json::object();
  }
  throw Error{"io.morpheus.Worker.NoSuchSlot"};
}

Json TinyDaemon::attach(Client& client, const Json& parameters, std::vector<int>& fds) {
  client.capacity = parameters["workers"];
  const std::size_t size = std::size_t{client.capacity} * MORPHEUS_SCB_LINE_SIZE;
  client.kernel_fd = must(create_memfd("kernel", size));
  client.runtime_fd = must(create_memfd("runtime", size));
  client.kernel = must(Mapping::shared(client.kernel_fd.get(), size, PROT_READ | PROT_WRITE));
  client.runtime = must(Mapping::shared(client.runtime_fd.get(), size, PROT_READ | PROT_WRITE));
  if (!options_.unsealed) {
    must(seal_memfd(client.kernel_fd.get(), SealKind::read_only).map([] { return 0; }));
    must(seal_memfd(client.runtime_fd.get(), SealKind::writable).map([] { return 0; }));
  }
  fds = {client.kernel_fd.get(), client.runtime_fd.get(), global_fd_.get()};
  return {{"version_major", 1},          {"version_minor", 0}, {"client_id", 1},
          {"capacity", client.capacity}, {"line_size", 64},    {"kernel_lines", 0},
          {"runtime_lines", 1},          {"global_block", 2}};
}

Json TinyDaemon::add(Client& client, const Json& parameters) {
  if (options_.refuse_workers) throw Error{"io.morpheus.Worker.QuotaExceeded"};
  const bool downwards = options_.highest_slot_first;
  std::uint32_t slot = downwards ? client.capacity - 1 : 0;
  while (client.used.contains(slot)) slot += downwards ? -1 : 1;
  client.used.insert(slot);
  auto& line = static_cast<morpheus_scb_kernel*>(client.kernel.data())[slot];
  const std::uint64_t first = parameters.value("last_ack_seq", std::uint64_t{0}) + 1;
  __atomic_store_n(&line.withdrawn_seq, first, __ATOMIC_RELAXED);
  __atomic_store_n(&line.preempt_seq, first, __ATOMIC_RELEASE);
  workers_.push_back({&client, slot, "REGISTERED"});
  return {{"slot", slot}};
}

TinyDaemon::Worker& TinyDaemon::worker(std::size_t nth) { return workers_.at(nth); }

morpheus_scb_kernel& TinyDaemon::kernel_line(std::size_t nth) {
  const std::scoped_lock lock(lock_);
  return static_cast<morpheus_scb_kernel*>(worker(nth).client->kernel.data())[worker(nth).slot];
}

const morpheus_scb_runtime& TinyDaemon::runtime_line(std::size_t nth) {
  const std::scoped_lock lock(lock_);
  return static_cast<morpheus_scb_runtime*>(worker(nth).client->runtime.data())[worker(nth).slot];
}

std::size_t TinyDaemon::registrations() {
  const std::scoped_lock lock(lock_);
  return workers_.size();
}

std::size_t TinyDaemon::connections() {
  const std::scoped_lock lock(lock_);
  std::size_t open = 0;
  for (auto& client : clients_) open += client->socket ? 1 : 0;
  return open;
}

std::string TinyDaemon::state(std::size_t nth) {
  const std::scoped_lock lock(lock_);
  return worker(nth).state;
}

std::uint64_t TinyDaemon::hint(std::size_t nth, morpheus_hint_reason reason) {
  morpheus_scb_kernel& line = kernel_line(nth);
  __atomic_store_n(&line.hint_reason, static_cast<__u8>(reason), __ATOMIC_RELAXED);
  return __atomic_add_fetch(&line.preempt_seq, 1, __ATOMIC_SEQ_CST);
}

void TinyDaemon::withdraw(std::size_t nth) {
  morpheus_scb_kernel& line = kernel_line(nth);
  __atomic_store_n(&line.withdrawn_seq, __atomic_load_n(&line.preempt_seq, __ATOMIC_RELAXED),
                   __ATOMIC_RELEASE);
}

std::uint64_t TinyDaemon::acknowledged(std::size_t nth) {
  return __atomic_load_n(&runtime_line(nth).last_ack_seq, __ATOMIC_ACQUIRE);
}

}  // namespace morpheus::test
