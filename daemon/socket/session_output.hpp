// SPDX-License-Identifier: GPL-2.0-only
// The output side of one connection: replies wait here until the peer reads them. What waits is
// charged to the peer's user, and the peer's time is limited. A long answer is made in pieces, as
// fast as the peer reads them: however long it is, little of it waits here.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "daemon/rights/accounts.hpp"
#include "daemon/socket/output_queue.hpp"

namespace morpheus::daemon {

class SessionOutput {
 public:
  using Clock = std::chrono::steady_clock;
  /// Appends the next piece of a reply's parameters, and returns whether there is more.
  using WriteMore = std::function<bool(std::string& text)>;

  /// `accounts` outlives this.
  SessionOutput(Accounts& accounts, uid_t uid);

  /// Charges the user for what waits here, and for a further message or piece of `more` bytes.
  [[nodiscard]] Result<void> charge(std::size_t more);
  /// Adds a message or, while a long answer is under way, its next piece.
  void add(std::string bytes, FdList fds = {});
  /// Writes what the socket takes. True: all is written; false: the socket is full.
  [[nodiscard]] Result<bool> write_to(int socket);
  /// Gives the charges back.
  void release();

  void begin_long_answer(WriteMore write_more);
  [[nodiscard]] bool has_long_answer() const { return static_cast<bool>(write_more_); }
  /// Makes the next piece; false if it is the last.
  [[nodiscard]] bool make_piece(std::string& piece);
  void end_long_answer() { write_more_ = nullptr; }

  [[nodiscard]] bool empty() const { return queue_.empty(); }
  /// Bytes that wait.
  [[nodiscard]] std::size_t size() const { return queue_.size(); }
  /// Whether the peer has read nothing of what waits for longer than `patience`.
  [[nodiscard]] bool is_stalled(Clock::time_point now, Clock::duration patience) const {
    return !queue_.empty() && now - last_progress_ > patience;
  }

 private:
  OutputQueue queue_;
  Charge memory_, requests_;
  WriteMore write_more_;  // of the long answer under way
  Clock::time_point last_progress_;
};

}  // namespace morpheus::daemon
