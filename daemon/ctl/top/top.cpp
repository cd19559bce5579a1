// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/top/top.hpp"

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "daemon/ctl/blame/worst_pair.hpp"
#include "daemon/ctl/console/console.hpp"
#include "daemon/ctl/console/reply.hpp"
#include "daemon/ctl/top/picture.hpp"
#include "daemon/ctl/top/screen.hpp"
#include "proto/monotonic_clock.hpp"

namespace morpheus::ctl {
namespace {

using Clock = std::chrono::steady_clock;

// The first picture is of a short time, so that the operator does not wait for it.
constexpr std::chrono::milliseconds kFirstInterval{250};

ThreadFacts ask_system(const TopRow& row) { return facts_of_thread(row.pid, row.tid); }

tl::expected<Look, varlink::CallError> look(varlink::Client& client, WorstPair& worst) {
  Look look;
  const auto take = [&](const char* method, const char* key,
                        Json& into) -> tl::expected<void, varlink::CallError> {
    auto reply = control(client, method);
    if (!reply) return tl::unexpected(reply.error());
    into =
        key == nullptr ? std::move(reply->parameters) : reply->parameters.value(key, Json::array());
    return {};
  };
  if (auto got = take("GetStatus", nullptr, look.status); !got) return tl::unexpected(got.error());
  if (auto got = take("ListClients", "clients", look.clients); !got)
    return tl::unexpected(got.error());
  if (auto got = take("ListWorkers", "workers", look.workers); !got)
    return tl::unexpected(got.error());
  look.worst = worst.look();
  look.time_ns = monotonic_ns();
  return look;
}

Json to_json(const TopRow& row) {
  return {{"worker_id", row.worker_id},
          {"pid", row.pid},
          {"tid", row.tid},
          {"name", row.name},
          {"state", row.state},
          {"doing", row.doing},
          {"cpu", row.cpu_number},
          {"cpu_pct", row.cpu},
          {"wait_pct", row.wait},
          {"kept_pct", row.kept},
          {"hints_per_s", row.hints},
          {"acknowledged_per_s", row.acknowledged},
          {"lost_per_s", row.lost},
          {"escalations_per_s", row.escalated}};
}

Clock::duration interval_of(const Request& request) {
  return std::chrono::duration_cast<Clock::duration>(
      std::chrono::duration<double>(request.interval_s));
}

/// The picture on the screen, and what it is made of.
class Live {
 public:
  Live(const Request& request, Look first)
      : view_{.choice = {.sort = request.sort}, .keys = true},
        palette_{request.colour},
        latest_(std::make_shared<const Look>(std::move(first))) {}

  void take(Look next) {
    auto before = std::exchange(latest_, std::make_shared<const Look>(std::move(next)));
    if (view_.paused) return;
    before_ = std::move(before);
    now_ = latest_;
  }
  void draw() {
    if (!now_) return;
    Screen::fit(view_);
    Screen::draw(top_picture(*before_, *now_, view_, palette_, ask_system));
  }
  /// False if the operator quits.
  [[nodiscard]] bool listen(Screen& screen, Clock::time_point end) {
    while (Clock::now() < end && !was_interrupted()) {
      auto input = Screen::wait_for_input(end);
      if (!input) return false;
      const bool typed = !input->empty();
      while (!input->empty())
        if (!press(view_, take_key(*input))) return false;
      if (screen.attend_signals() || typed) draw();
    }
    return !was_interrupted();
  }

 private:
  TopView view_;
  Palette palette_;
  std::shared_ptr<const Look> before_, now_, latest_;
};

/// Runs until the operator quits. Returns a failure, to be printed on the shell's own screen.
std::optional<varlink::CallError> show_live(varlink::Client& client, const Request& request,
                                            WorstPair& worst, Look first) {
  Live live(request, std::move(first));
  Screen screen;
  auto pause = std::min<Clock::duration>(interval_of(request), kFirstInterval);
  for (std::uint64_t shown = 0; live.listen(screen, Clock::now() + pause);) {
    auto next = look(client, worst);
    if (!next) return next.error();
    live.take(std::move(*next));
    live.draw();
    if (++shown == request.iterations) break;
    pause = interval_of(request);
  }
  return std::nullopt;
}

void sleep_until(Clock::time_point end) {
  while (!was_interrupted() && Clock::now() < end) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count();
    (void)::poll(nullptr, 0, static_cast<int>(std::max<long>(0, left)));
  }
}

ExitStatus show_plain(varlink::Client& client, const Request& request, WorstPair& worst,
                      Look before) {
  TopView view{.choice = {.sort = request.sort}};
  const auto pictures = std::max<std::uint64_t>(1, request.iterations);
  for (std::uint64_t shown = 0; shown < pictures; ++shown) {
    sleep_until(Clock::now() + interval_of(request));
    if (was_interrupted()) break;
    auto now = look(client, worst);
    if (!now) return call_failed(now.error());
    if (request.json) {
      Json rows = Json::array();
      for (const auto& row : top_rows(before, *now, view.choice)) rows.push_back(to_json(row));
      print_json({{"workers", std::move(rows)},
                  {"worst", now->worst},
                  {"interval_ns", now->time_ns - before.time_ns}});
    } else {
      std::string out = shown == 0 ? "" : "\n";
      for (const auto& line : top_picture(before, *now, view, Palette{request.colour}, ask_system))
        out += line + "\n";
      print(out);
    }
    before = std::move(*now);
  }
  return ExitStatus::ok;
}

}  // namespace

ExitStatus show_top(varlink::Client& client, const Request& request) {
  end_on_signals();
  WorstPair worst(request.socket);
  auto first = look(client, worst);
  if (!first) return call_failed(first.error());
  if (request.json || !Screen::is_possible())
    return show_plain(client, request, worst, std::move(*first));
  const auto failed = show_live(client, request, worst, std::move(*first));
  return failed ? call_failed(*failed) : ExitStatus::ok;
}

}  // namespace morpheus::ctl
