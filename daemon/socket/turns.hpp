// SPDX-License-Identifier: GPL-2.0-only
// Whose calls are handled next. The loop's time is shared between users, not between connections or
// calls: whoever asks little waits for one turn of another at most, however many connections that
// one has and however dear its calls are. Nobody is held back while nobody else asks.
#pragma once

#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <deque>
#include <map>
#include <memory>

namespace morpheus::daemon {

/// Somebody with work for the loop.
class Asker {
 public:
  virtual ~Asker() = default;
  /// Does a bounded part of the work; whether there is more.
  virtual bool take_turn() = 0;
};

/// One thread.
class Turns {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Turns(boost::asio::io_context& loop) : loop_(loop) {}

  /// Lets `asker` work when it is `uid`'s turn, until take_turn() says that there is no more. The
  /// caller asks again only after that.
  void ask(uid_t uid, std::shared_ptr<Asker> asker);

  /// Runs the next turn of the user who has had the least time. False if nobody asks. For the loop,
  /// and for tests.
  bool run_one();

 private:
  struct User {
    std::deque<std::shared_ptr<Asker>> askers;
    Clock::duration used{};  // starts at what others have had: absence earns nothing
  };
  void post();

  boost::asio::io_context& loop_;
  std::map<uid_t, User> users_;  // those who ask
  Clock::duration least_used_{};
  bool posted_ = false;
};

}  // namespace morpheus::daemon
