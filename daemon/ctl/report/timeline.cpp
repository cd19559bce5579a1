// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/report/timeline.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "daemon/ctl/blame/place.hpp"
#include "daemon/ctl/console/markup.hpp"
#include "daemon/ctl/console/render.hpp"
#include "daemon/ctl/console/reply.hpp"

namespace morpheus::ctl {
namespace {

constexpr std::uint64_t kMostSpans = 1'000'000;
constexpr std::size_t kMostLanes = 24;
constexpr std::size_t kLongestName = 64;
constexpr double kWidth = 1000, kLane = 22, kBar = 14, kThin = 4;

double field(const Json& event, const char* key) {
  const auto found = event.find(key);
  return found != event.end() && found->is_number() ? found->get<double>() : 0;
}

std::string span_text(double from_us, double to_us, const std::string& what) {
  return what + ", " + short_time(static_cast<std::uint64_t>((to_us - from_us) * 1000));
}

const char* class_of(std::uint8_t kind) {
  constexpr const char* kClasses[] = {"running", "waiting", "critical", "hint", "victim"};
  return kClasses[kind];
}

}  // namespace

void Timeline::put(Lane& lane, Span span) {
  last_us_ = std::max(last_us_, span.to_us);
  if (span.to_us <= span.from_us) return;
  if (spans_ == kMostSpans) {
    ++left_out_;
    return;
  }
  ++spans_;
  lane.spans.push_back(std::move(span));
}

void Timeline::add_trace(const Json& event) {
  const auto phase = text(event, "ph", ""), name = text(event, "name", "");
  const Key key{number(event, "pid"), number(event, "tid")};
  if (phase == "M") {
    const auto named = printable(text(member(event, "args"), "name", ""), kLongestName);
    if (name == "process_name") processes_[key.first] = named;
    if (name == "thread_name" && lanes_.contains(key)) lanes_[key].name = named;
    return;
  }
  const double at = field(event, "ts");
  if (phase == "X" && (name == "running" || name.starts_with("waiting"))) {
    const double to = at + field(event, "dur");
    put(lanes_[key],
        {at, to, name == "running" ? Kind::running : Kind::waiting, span_text(at, to, name)});
  } else if (phase == "C" && name.starts_with("critical")) {
    Lane& lane = lanes_[key];
    const bool is_inside = number(member(event, "args"), "inside") != 0;
    if (!is_inside && lane.critical_since >= 0)
      put(lane, {lane.critical_since, at, Kind::critical,
                 span_text(lane.critical_since, at, "critical section")});
    lane.critical_since = is_inside ? at : -1;
  } else if (phase == "b" && name.starts_with("hint")) {
    Lane& lane = lanes_[key];
    lane.hint_since = at;
    lane.hint = name;
  } else if (phase == "e" && name.starts_with("hint")) {
    Lane& lane = lanes_[key];
    if (lane.hint_since >= 0)
      put(lane, {lane.hint_since, at, Kind::hint,
                 span_text(lane.hint_since, at,
                           lane.hint + " " + text(member(event, "args"), "ended", ""))});
    lane.hint_since = -1;
  }
}

void Timeline::add_waits(const Json& reply) {
  for (const auto& wait : reply.value("waits", Json::array())) {
    const Json& who = member(wait, "waiter");
    const auto tid = number(who, "tid");
    const double to = static_cast<double>(number(wait, "time_ns")) / 1000;
    const double from = to - static_cast<double>(number(wait, "waited_ns")) / 1000;
    Lane& lane = victims_[{number(who, "pid"), tid}];
    lane.name = tid == 0 ? "threads of other users"
                         : thread_title(printable(text(who, "process"), kLongestName),
                                        printable(text(who, "thread"), kLongestName));
    put(lane, {from, to, Kind::victim,
               span_text(from, to, fmt::format("waits for worker {}", number(wait, "worker_id")))});
  }
}

void Timeline::take_waits(Timeline& from) {
  victims_ = std::move(from.victims_);
  spans_ += from.spans_;
  left_out_ += from.left_out_;
  last_us_ = std::max(last_us_, from.last_us_);
}

Window Timeline::worst(double length_us) const {
  std::vector<Span const*> spans;
  for (const auto* lanes : {&victims_, &lanes_}) {
    for (const auto& [key, lane] : *lanes)
      for (const auto& span : lane.spans)
        if (span.kind == Kind::victim || span.kind == Kind::hint) spans.push_back(&span);
    if (!spans.empty()) break;
  }
  std::ranges::sort(spans, {}, [](const Span* span) { return span->from_us; });
  // begins a little before one of them; counts those that begin in it
  double best = 0, sum = 0;
  Window found{std::max(0.0, last_us_ - length_us), last_us_};
  for (std::size_t first = 0, next = 0; first < spans.size(); ++first) {
    const double from = spans[first]->from_us;
    for (; next < spans.size() && spans[next]->from_us < from + 0.9 * length_us; ++next)
      sum += spans[next]->to_us - spans[next]->from_us;
    if (sum > best) {
      best = sum;
      found = {from - 0.1 * length_us, from + 0.9 * length_us};
    }
    sum -= spans[first]->to_us - spans[first]->from_us;
  }
  return found;
}

std::vector<const Timeline::Lane*> Timeline::busiest(const Window& shown) const {
  std::vector<std::pair<double, const Lane*>> weighed;
  for (const auto* lanes : {&lanes_, &victims_}) {
    for (const auto& [key, lane] : *lanes) {
      double weight = 0;
      for (const auto& span : lane.spans) {
        const double inside =
            std::min(span.to_us, shown.to_us) - std::max(span.from_us, shown.from_us);
        // what tells of a wait counts most
        if (inside > 0)
          weight += inside * (span.kind == Kind::hint || span.kind == Kind::victim ? 1000 : 1);
      }
      if (weight > 0) weighed.emplace_back(weight, &lane);
    }
  }
  std::ranges::sort(weighed, [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second->name < b.second->name;
  });
  if (weighed.size() > kMostLanes) weighed.resize(kMostLanes);
  std::vector<const Lane*> lanes;
  lanes.reserve(weighed.size());
  for (const auto& [weight, lane] : weighed) lanes.push_back(lane);
  return lanes;
}

std::string Timeline::draw(const Window& shown) const {
  const auto lanes = busiest(shown);
  const double scale = kWidth / (shown.to_us - shown.from_us);
  std::string names, bars;
  for (std::size_t row = 0; row < lanes.size(); ++row) {
    std::string name = lanes[row]->name;
    for (const auto& [key, lane] : lanes_)
      if (&lane == lanes[row] && processes_.contains(key.first))
        name = fmt::format("{}: {}", processes_.at(key.first), name);
    names += fmt::format("<div>{}</div>", escaped(name));
    for (const auto& span : lanes[row]->spans) {
      const double from = std::max(span.from_us, shown.from_us);
      const double to = std::min(span.to_us, shown.to_us);
      if (to <= from) continue;
      // hints and critical sections are thin, above and below what the thread does
      const bool is_hint = span.kind == Kind::hint, is_critical = span.kind == Kind::critical;
      const double top = kLane * static_cast<double>(row) + (is_hint ? 0 : kThin);
      bars += fmt::format(
          "<rect class=\"{}\" x=\"{:.3f}\" y=\"{}\" width=\"{:.3f}\" "
          "height=\"{}\"><title>{}</title></rect>\n",
          class_of(static_cast<std::uint8_t>(span.kind)), (from - shown.from_us) * scale,
          is_critical ? top + kBar : top, std::max((to - from) * scale, 0.05),
          is_hint || is_critical ? kThin : kBar, escaped(span.text));
    }
  }
  return fmt::format(
      "<div class=\"timeline\" data-span=\"{:.3f}\"><div class=\"names\">{}</div>"
      "<div class=\"lanes\"><svg viewBox=\"0 0 {} {}\" preserveAspectRatio=\"none\" "
      "style=\"height:{}px\">\n{}</svg><div class=\"axis\"></div></div></div>\n",
      (shown.to_us - shown.from_us) / 1000, names, kWidth,
      kLane * static_cast<double>(lanes.size()), kLane * static_cast<double>(lanes.size()), bars);
}

}  // namespace morpheus::ctl
