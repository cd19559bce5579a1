// SPDX-License-Identifier: GPL-2.0-only
// Whose calls are handled next. The loop's time is shared between users, not between connections or
// calls: a user with few calls waits for at most one turn of another user, however many connections
// the other has and however expensive its calls are. A user who is alone is never held back.
#pragma once

#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <deque>
#include <map>
#include <memory>

namespace morpheus::daemon {

/// A connection with work for the loop.
class TurnTaker {
 public:
  virtual ~TurnTaker() = default;
  /// Does a bounded part of the work; whether there is more.
  virtual bool take_turn() = 0;
};

/// One thread.
class Turns {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Turns(boost::asio::io_context& loop) : loop_(loop) {}

  /// Lets `taker` work when it is `uid`'s turn, until take_turn() returns false. It must not be
  /// enqueued again before that.
  void enqueue(uid_t uid, std::shared_ptr<TurnTaker> taker);

  /// Runs the next turn of the user who has had the least time. False if nothing is enqueued. For
  /// the loop, and for tests.
  bool run_one();

 private:
  struct User {
    std::deque<std::shared_ptr<TurnTaker>> takers;
    Clock::duration used{};  // starts at what others have had: absence earns nothing
  };
  void post();

  boost::asio::io_context& loop_;
  std::map<uid_t, User> users_;  // those with work
  Clock::duration least_used_{};
  bool posted_ = false;
};

}  // namespace morpheus::daemon
