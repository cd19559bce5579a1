// SPDX-License-Identifier: GPL-2.0-only
#include "tests/programs/trace_check.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace morpheus::test {
namespace {

using Track = std::pair<std::int64_t, std::int64_t>;

/// In nanoseconds; the file's unit is the microsecond with fractions.
std::int64_t ns(const Json& microseconds) {
  return std::llround(microseconds.get<double>() * 1000);
}

class Judge {
 public:
  void judge(const Json& event) {
    event_ = &event;
    if (!event.is_object() || !is_string("ph") || !is_string("name")) return fault("no ph or no name");
    if (!is_integer("pid") || !is_integer("tid")) return fault("no pid or no tid");
    const auto phase = event["ph"].get<std::string>();
    if (phase == "M") return judge_name();
    if (!event.contains("ts") || !event["ts"].is_number() || event["ts"] < 0) return fault("no ts");
    if (phase == "X") return judge_slice();
    if (phase == "i") return is_one_of("s", {"g", "p", "t"}) ? void() : fault("an instant without scope");
    if (phase == "b" || phase == "e") return judge_async(phase == "b");
    if (phase == "C") return judge_counter();
    fault("unknown phase");
  }

  std::vector<std::string> finish() {
    for (auto& [track, slices] : slices_) judge_nesting(track, slices);
    for (const auto& [id, open] : open_)
      if (!open.empty()) faults_.push_back("an asynchronous slice is never closed");
    for (const auto& track : used_) {
      if (!threads_.contains(track)) faults_.push_back("a track without a name: " + std::to_string(track.second));
      if (!processes_.contains(track.first)) faults_.push_back("a process without a name");
    }
    return std::move(faults_);
  }

 private:
  struct Slice {
    std::int64_t start, end;
  };

  void fault(const char* what) { faults_.push_back(std::string(what) + ": " + event_->dump()); }
  bool is_string(const char* key) const {
    const auto it = event_->find(key);
    return it != event_->end() && it->is_string() && !it->get<std::string>().empty();
  }
  bool is_integer(const char* key) const {
    const auto it = event_->find(key);
    return it != event_->end() && it->is_number_integer();
  }
  bool is_one_of(const char* key, std::set<std::string> values) const {
    return is_string(key) && values.contains((*event_)[key]);
  }
  [[nodiscard]] Track track() const { return {(*event_)["pid"], (*event_)["tid"]}; }

  void judge_name() {
    if (!is_one_of("name", {"process_name", "thread_name"})) return fault("unknown metadata");
    if (!event_->contains("args") || !(*event_)["args"].contains("name")) return fault("a name without a name");
    if ((*event_)["name"] == "process_name")
      processes_.insert(track().first);
    else
      threads_.insert(track());
  }

  void judge_slice() {
    if (!event_->contains("dur") || !(*event_)["dur"].is_number() || (*event_)["dur"] < 0)
      return fault("a slice without dur");
    const auto start = ns((*event_)["ts"]);
    slices_[track()].push_back({start, start + ns((*event_)["dur"])});
    used_.insert(track());
  }

  void judge_async(bool begins) {
    if (!is_string("id") || !is_string("cat")) return fault("an asynchronous slice without id or cat");
    auto& open = open_[{(*event_)["pid"], (*event_)["id"].get<std::string>()}];
    const auto time = ns((*event_)["ts"]);
    if (begins) return open.push_back(time);
    if (open.empty()) return fault("an asynchronous slice is closed that was not opened");
    if (time < open.back()) fault("an asynchronous slice ends before it begins");
    open.pop_back();
  }

  void judge_counter() {
    if (!event_->contains("args") || (*event_)["args"].empty()) return fault("a counter without values");
    for (const auto& [name, value] : (*event_)["args"].items())
      if (!value.is_number()) fault("a counter that is no number");
  }

  void judge_nesting(const Track& track, std::vector<Slice>& slices) {
    std::ranges::sort(slices, [](const Slice& a, const Slice& b) {
      return a.start != b.start ? a.start < b.start : a.end > b.end;
    });
    std::vector<std::int64_t> ends;
    for (const auto& slice : slices) {
      while (!ends.empty() && ends.back() <= slice.start) ends.pop_back();
      if (!ends.empty() && slice.end > ends.back()) {
        faults_.push_back("slices of track " + std::to_string(track.second) + " cross at " +
                          std::to_string(slice.start) + " ns");
        return;
      }
      ends.push_back(slice.end);
    }
  }

  const Json* event_ = nullptr;
  std::map<Track, std::vector<Slice>> slices_;
  std::map<std::pair<std::int64_t, std::string>, std::vector<std::int64_t>> open_;
  std::set<Track> threads_, used_;
  std::set<std::int64_t> processes_;
  std::vector<std::string> faults_;
};

}  // namespace

std::vector<std::string> faults_of_trace(const Json& trace) {
  if (!trace.is_object() || !trace.contains("traceEvents") || !trace["traceEvents"].is_array())
    return {"no traceEvents"};
  Judge judge;
  for (const auto& event : trace["traceEvents"]) judge.judge(event);
  return judge.finish();
}

}  // namespace morpheus::test
