// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/socket/server.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include "daemon/log.hpp"
#include "proto/varlink_decoder.hpp"
#include "proto/varlink_socket.hpp"

namespace morpheus::daemon {
namespace {

using boost::asio::posix::stream_descriptor;
constexpr int kAcceptsPerTurn = 16;
constexpr auto kPause = std::chrono::milliseconds(100);

// No session: one attempt to send the reason, and the socket closes.
void turn_away(int socket, std::uint32_t limit) {
  const auto bytes = varlink::encode_message(
      {{"error", "io.morpheus.Transport.TooManyConnections"}, {"parameters", {{"limit", limit}}}});
  (void)varlink::send_some(socket, bytes, {});
}

}  // namespace

Server::Server(boost::asio::io_context& loop, int listening, Core& core, const Router& router)
    : listening_(loop, listening),
      pause_(loop),
      turns_(loop),
      context_{loop, core, router, refusals_, turns_, closer_} {}

Server::~Server() {
  stop();
  // the descriptor is borrowed
  if (listening_.is_open()) (void)listening_.release();
}

void Server::start() { accept_later(); }

void Server::stop() {
  boost::system::error_code ignored;
  listening_.cancel(ignored);
  pause_.cancel();
  for (const auto& [id, session] : sessions_) session->close();
  while (!sessions_.empty()) forget(sessions_.begin()->first);
}

void Server::check_patience() {
  const auto now = Session::Clock::now();
  for (const auto& [id, session] : sessions_) session->check_patience(now);
}

void Server::accept_later() {
  listening_.async_wait(stream_descriptor::wait_read, [this](boost::system::error_code error) {
    if (!error) accept_some();
  });
}

void Server::accept_some() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    UniqueFd socket(
        ::accept4(listening_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (socket) {
      admit(std::move(socket));
    } else if (errno == EAGAIN) {
      break;
    } else if (errno != EINTR && errno != ECONNABORTED) {
      // out of descriptors or memory: the connection stays in the queue, so do not spin on it
      log::error("accept: {}; trying again", std::strerror(errno));
      pause_.expires_after(kPause);
      return pause_.async_wait([this](boost::system::error_code error) {
        if (!error) accept_later();
      });
    }
  }
  accept_later();
}

void Server::admit(UniqueFd socket) {
  auto peer = Peer::of(socket.get());
  if (!peer) return log::debug("a peer is gone already: {}", peer.error().text());
  const uid_t uid = peer->uid;
  auto& accounts = context_.core.accounts();
  if (const auto checked = accounts.check(uid, Resource::connections, 1); !checked) {
    context_.core.count_refusal();
    if (refusals_.should_log(uid, "connections", Session::Clock::now()))
      log::warn("refused pid {} uid {}: too many connections ({})", peer->pid, uid,
                checked.error().text());
    turn_away(socket.get(), checked.error().quota->limit);
    return closer_.close_connection(uid, std::move(socket));
  }
  accounts.take(uid, Resource::connections, 1);
  const std::uint64_t id = ++last_id_;
  auto session = std::make_shared<Session>(context_, std::move(socket), std::move(*peer));
  sessions_.emplace(id, session);
  session->start([this, id] { forget(id); });
}

void Server::forget(std::uint64_t id) {
  const auto it = sessions_.find(id);
  if (it == sessions_.end()) return;
  context_.core.accounts().give_back(it->second->uid(), Resource::connections, 1);
  sessions_.erase(it);
}

}  // namespace morpheus::daemon
