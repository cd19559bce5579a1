// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/socket/session_output.hpp"

#include <algorithm>
#include <utility>

namespace morpheus::daemon {

using namespace std::string_literals;

SessionOutput::SessionOutput(Accounts& accounts, uid_t uid)
    : memory_(accounts, uid, Resource::memory),
      requests_(accounts, uid, Resource::requests),
      last_progress_(Clock::now()) {}

Result<void> SessionOutput::charge(std::size_t more) {
  if (auto charged = memory_.resize(queue_.size() + more); !charged) return charged;
  // a long answer is one request, also while no piece of it waits
  return requests_.resize(has_long_answer() ? std::max<std::size_t>(queue_.messages(), 1)
                                            : queue_.messages() + (more > 0 ? 1 : 0));
}

void SessionOutput::add(std::string bytes, FdList fds) {
  if (queue_.empty()) last_progress_ = Clock::now();
  if (has_long_answer())
    queue_.append(std::move(bytes));
  else
    queue_.push(std::move(bytes), std::move(fds));
}

Result<bool> SessionOutput::write_to(int socket) {
  const std::size_t before = queue_.size();
  auto done = queue_.write_to(socket);
  if (queue_.size() < before) last_progress_ = Clock::now();
  return done;
}

void SessionOutput::release() {
  (void)memory_.resize(0);
  (void)requests_.resize(0);
}

void SessionOutput::begin_long_answer(WriteMore write_more) {
  add("{\"parameters\":");
  write_more_ = std::move(write_more);
}

bool SessionOutput::make_piece(std::string& piece) {
  const bool more = write_more_(piece);
  if (!more) piece += "}\0"s;
  return more;
}

}  // namespace morpheus::daemon
