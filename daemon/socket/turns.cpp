// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/socket/turns.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

namespace morpheus::daemon {

void Turns::enqueue(uid_t uid, std::shared_ptr<TurnTaker> taker) {
  const auto [user, is_new] = users_.try_emplace(uid);
  if (is_new) user->second.used = least_used_;
  user->second.takers.push_back(std::move(taker));
  post();
}

bool Turns::run_one() {
  if (users_.empty()) return false;
  const auto next =
      std::ranges::min_element(users_, {}, [](const auto& entry) { return entry.second.used; });
  const uid_t uid = next->first;
  least_used_ = next->second.used;
  const auto taker = std::move(next->second.takers.front());
  next->second.takers.pop_front();
  const auto start = Clock::now();
  const bool more = taker->take_turn();
  User& user = next->second;  // a turn changes entries only by enqueue(), which moves none
  user.used += Clock::now() - start;
  if (more) user.takers.push_back(taker);
  if (!user.takers.empty()) return true;
  // a user who leaves and comes back starts where he stopped, not before
  least_used_ = std::max(least_used_, user.used);
  users_.erase(uid);
  return true;
}

// One turn for each handler, so that the loop looks at its descriptors in between.
void Turns::post() {
  if (std::exchange(posted_, true)) return;
  boost::asio::post(loop_, [this] {
    posted_ = false;
    (void)run_one();
    if (!users_.empty()) post();
  });
}

}  // namespace morpheus::daemon
