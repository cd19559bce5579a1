// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/socket/turns.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

namespace morpheus::daemon {

void Turns::ask(uid_t uid, std::shared_ptr<Asker> asker) {
  const auto [user, is_new] = users_.try_emplace(uid);
  if (is_new) user->second.used = least_used_;
  user->second.askers.push_back(std::move(asker));
  post();
}

bool Turns::run_one() {
  if (users_.empty()) return false;
  const auto next =
      std::ranges::min_element(users_, {}, [](const auto& entry) { return entry.second.used; });
  const uid_t uid = next->first;
  least_used_ = next->second.used;
  const auto asker = std::move(next->second.askers.front());
  next->second.askers.pop_front();
  const auto start = Clock::now();
  const bool more = asker->take_turn();
  User& user = next->second;  // turns change no entry but by ask(), which moves none
  user.used += Clock::now() - start;
  if (more) user.askers.push_back(asker);
  if (!user.askers.empty()) return true;
  // whoever leaves and comes back starts where it stopped, not before
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
