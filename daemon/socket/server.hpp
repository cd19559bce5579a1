// SPDX-License-Identifier: GPL-2.0-only
// Accepts connections within the quotas and owns their sessions.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <map>
#include <memory>

#include "daemon/socket/session.hpp"

namespace morpheus::daemon {

class Server {
 public:
  /// `listening` is borrowed and non-blocking; all arguments outlive the server.
  Server(boost::asio::io_context& loop, int listening, Core& core, const Router& router);
  ~Server();

  void start();
  /// Ends all sessions and accepts no more.
  void stop();
  /// Once a second: ends sessions that keep us waiting.
  void check_patience();

 private:
  void accept_later();
  void accept_some();
  void admit(UniqueFd socket);
  void forget(std::uint64_t id);

  boost::asio::posix::stream_descriptor listening_;
  boost::asio::steady_timer pause_;
  RefusalLog refusals_;
  Turns turns_;
  Closer closer_;
  SessionContext context_;
  std::map<std::uint64_t, std::shared_ptr<Session>> sessions_;
  std::uint64_t last_id_ = 0;
};

}  // namespace morpheus::daemon
