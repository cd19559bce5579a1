// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/blame/worst_pair.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "daemon/ctl/blame/code_tree.hpp"
#include "daemon/ctl/console/render.hpp"

namespace morpheus::ctl {
namespace {

// The function in which the culprit was seen most often.
std::string deaf_place(const Culprit& culprit, const Symbolizer& symbols) {
  const auto most = std::ranges::max_element(culprit.stacks, {},
                                             [](const auto& stack) { return stack.second.count; });
  if (most == culprit.stacks.end()) return {};
  const auto places = symbols.places_of(culprit, most->first);
  if (places.empty() || !places[0].is_known()) return {};
  const auto at = line_of(places[0]);
  return ", in " + places[0].function + (at.empty() ? "" : " at " + at);
}

}  // namespace

std::string worst_pair_text(const Tally& tally, const Symbolizer& symbols, double seconds) {
  const auto guilty = tally.by_guilt();
  const Victim* victim = guilty.empty() ? nullptr : worst_victim(*guilty[0]);
  if (victim == nullptr || seconds <= 0) return {};
  const double rate = static_cast<double>(victim->waits.count) / seconds;
  return fmt::format(
      "{} kept {} waiting {}, {:.{}f} times a second{}",
      thread_title(guilty[0]->process, guilty[0]->thread),
      victim->tid == 0 ? "threads of other users" : thread_title(victim->process, victim->thread),
      short_time(victim->waits.longest_ns), rate, rate < 10 ? 1 : 0,
      deaf_place(*guilty[0], symbols));
}

WorstPair::WorstPair(const std::string& socket) {
  auto connected = varlink::Client::connect(socket);
  if (connected && connected->call_more("io.morpheus.Control.Blame"))
    client_.emplace(std::move(*connected));
}

const std::string& WorstPair::look() {
  while (client_) {
    auto reply = client_->next_reply(std::chrono::milliseconds(0));
    if (reply) {
      tally_.add(reply->parameters);
      continue;
    }
    if (reply.error().kind == varlink::CallError::Kind::timeout) break;
    client_.reset();  // refused, or the daemon is gone, which the rest of top says
    line_.clear();
  }
  constexpr std::chrono::seconds kWindow{2};  // the daemon passes records on once a second
  if (const auto now = Clock::now(); client_ && now - since_ >= kWindow) finish_window(now);
  return line_;
}

void WorstPair::finish_window(Clock::time_point now) {
  const std::chrono::duration<double> seconds = now - since_;
  if (const auto guilty = tally_.by_guilt(); !guilty.empty()) symbols_.learn(*guilty[0]);
  line_ = worst_pair_text(tally_, symbols_, seconds.count());
  tally_ = Tally();
  since_ = now;
}

}  // namespace morpheus::ctl
