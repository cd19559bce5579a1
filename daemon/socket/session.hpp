// SPDX-License-Identifier: GPL-2.0-only
// One connection: messages in, calls out to the router, replies back, all bounded. It ends when the
// peer hangs up, dies, breaks the rules or stops reading.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "daemon/service/router.hpp"
#include "daemon/socket/closer.hpp"
#include "daemon/socket/refusal_log.hpp"
#include "daemon/socket/session_input.hpp"
#include "daemon/socket/session_output.hpp"
#include "daemon/socket/turns.hpp"
#include "daemon/state/core.hpp"

namespace morpheus::daemon {

/// What all sessions use; outlives them.
struct SessionContext {
  boost::asio::io_context& loop;
  Core& core;
  const Router& router;
  RefusalLog& refusals;
  Turns& turns;
  Closer& closer;
};

class Session final : public TurnTaker, public std::enable_shared_from_this<Session> {
 public:
  using Clock = std::chrono::steady_clock;

  Session(SessionContext context, UniqueFd socket, Peer peer);
  ~Session() override;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Begins to read. `on_close` is called once, from the loop, when the session has ended.
  void start(std::function<void()> on_close);
  /// Ends the session and detaches its client. Idempotent.
  void close();
  /// Ends the session if its peer has kept us waiting for too long.
  void check_patience(Clock::time_point now);

  /// Handles some of the messages that have come.
  bool take_turn() override;

  [[nodiscard]] uid_t uid() const { return caller_.peer.uid; }

 private:
  enum class State : std::uint8_t {
    open,
    ending,  ///< closes once the output is written
    closed,
  };

  void watch_peer();
  void read_later();
  void read_once();
  /// Asks for a turn if there is something to do, and reads more otherwise.
  void advance();
  /// Handles one message, or writes a piece of a long answer; false if there is neither or neither
  /// may be done now.
  bool handle_next();
  void handle(varlink::Message message);
  void deliver(Outcome outcome, const Call& call);
  void reply(const Json& message, FdList fds);
  void write_more();
  void put_out(std::string bytes, FdList fds);
  /// Charges the user for what waits here, and for `more` bytes of output.
  [[nodiscard]] Result<void> account(std::size_t more = 0);
  void flush();
  void send_events();
  /// Counts and logs what the peer may not do.
  void refuse(const std::string& kind, const Json& parameters = Json::object());
  /// Ends the session after this error.
  void end_with(const CallFault& why);

  SessionContext context_;
  boost::asio::posix::stream_descriptor socket_;
  boost::asio::posix::stream_descriptor peer_watch_;  // a copy of the peer's pidfd
  Caller caller_;
  SessionInput input_;
  SessionOutput output_;
  ConnectionRefusals refusals_;
  std::function<void()> on_close_;
  State state_ = State::open;
  bool reading_ = false;  // a wait for input is under way
  bool writing_ = false;  // a wait for room in the socket is under way
  bool waits_for_turn_ = false;
};

}  // namespace morpheus::daemon
