// SPDX-License-Identifier: GPL-2.0-only
// One connection: bytes in, calls out to the router, replies back, all bounded. Ends when the peer
// hangs up, dies, breaks the rules or stops reading.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "daemon/service/router.hpp"
#include "daemon/socket/closer.hpp"
#include "daemon/socket/output_queue.hpp"
#include "daemon/socket/refusal_log.hpp"
#include "daemon/socket/turns.hpp"
#include "daemon/state/core.hpp"
#include "proto/varlink_decoder.hpp"

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

class Session final : public Asker, public std::enable_shared_from_this<Session> {
 public:
  using Clock = std::chrono::steady_clock;

  Session(SessionContext context, UniqueFd socket, Peer peer);
  ~Session() override;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Begins to read. `on_close` is called once, from the loop, when the session has ended.
  void start(std::function<void()> on_close);
  /// Ends the session and forgets its client. Idempotent.
  void close();
  /// Ends the session if its peer has kept us waiting for too long.
  void check_patience(Clock::time_point now);

  /// Handles some of what has been read.
  bool take_turn() override;

  [[nodiscard]] uid_t uid() const { return caller_.peer.uid; }

 private:
  void advance();
  void read_later();
  void read_once();
  void watch_peer();
  /// Handles one message; false if there is none, or no more are to be handled.
  bool handle_next();
  void handle(varlink::Message message);
  void deliver(Outcome outcome, const Call& call);
  void reply(const Json& message, FdList fds);
  /// Does what `push` says with `bytes` further bytes of output.
  template <class Push>
  void put_out(std::size_t bytes, Push push);
  void write_more();
  /// Charges the user for what waits here, and for `more` bytes of a further answer.
  Result<void> account(std::size_t more = 0);
  void flush();
  void send_events();
  void refuse_stream(varlink::DecodeError error);
  void end_with(const CallFault& why);
  void log_refusal(const std::string& kind, const Json& parameters);

  SessionContext context_;
  boost::asio::posix::stream_descriptor socket_;
  boost::asio::posix::stream_descriptor peer_watch_;  // a copy of the peer's pidfd
  Caller caller_;
  varlink::Decoder decoder_;
  OutputQueue output_;
  Charge memory_, requests_;
  std::function<bool(std::string&)> long_answer_;  // under way
  LoggedKinds logged_;
  std::function<void()> on_close_;
  bool reading_ = false;  // a wait for input is under way
  bool writing_ = false;  // a wait for room is under way
  bool asked_ = false;    // for a turn
  bool ending_ = false;   // close once the output is written
  bool closed_ = false;
  Clock::time_point last_call_;
  Clock::time_point partial_since_;  // valid while the decoder holds part of a message
  Clock::time_point last_progress_;  // of writing
};

}  // namespace morpheus::daemon
