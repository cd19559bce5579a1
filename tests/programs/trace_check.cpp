// SPDX-License-Identifier: GPL-2.0-only
#include "tests/programs/trace_check.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "tests/programs/schema_faults.hpp"
#include "trace_schema.hpp"

namespace morpheus::test {
namespace {

using Track = std::pair<std::int64_t, std::int64_t>;

/// In nanoseconds; the file's unit is the microsecond with fractions.
std::int64_t ns(const Json& microseconds) {
  return std::llround(microseconds.get<double>() * 1000);
}

/// Judges what holds between events; each alone has passed the schema.
class Judge {
 public:
  void judge(const Json& event) {
    const auto phase = event["ph"].get<std::string>();
    const Track track{event["pid"], event["tid"]};
    if (phase == "M") {
      if (event["name"] == "process_name") processes_.insert(track.first);
      if (event["name"] == "thread_name") threads_.insert(track);
      return;
    }
    const auto start = ns(event["ts"]);
    if (phase == "X") {
      slices_[track].push_back({start, start + ns(event["dur"])});
      used_.insert(track);
    }
    if (phase == "b" || phase == "e") judge_async(event, phase == "b", start);
  }

  std::vector<std::string> finish() {
    for (auto& [track, slices] : slices_) judge_nesting(track, slices);
    for (const auto& [id, open] : open_)
      if (!open.empty()) faults_.push_back("an asynchronous slice is never closed");
    for (const auto& track : used_) {
      if (!threads_.contains(track))
        faults_.push_back("a track without a name: " + std::to_string(track.second));
      if (!processes_.contains(track.first)) faults_.push_back("a process without a name");
    }
    return std::move(faults_);
  }

 private:
  struct Slice {
    std::int64_t start, end;
  };

  void judge_async(const Json& event, bool begins, std::int64_t time) {
    auto& open = open_[{event["pid"], event["cat"].get<std::string>() + event["id"].dump()}];
    if (begins) return open.push_back(time);
    if (open.empty())
      return faults_.push_back("an asynchronous slice is closed that was not opened: " +
                               event.dump());
    if (time < open.back())
      faults_.push_back("an asynchronous slice ends before it begins: " + event.dump());
    open.pop_back();
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

  std::map<Track, std::vector<Slice>> slices_;
  std::map<std::pair<std::int64_t, std::string>, std::vector<std::int64_t>> open_;
  std::set<Track> threads_, used_;
  std::set<std::int64_t> processes_;
  std::vector<std::string> faults_;
};

}  // namespace

std::vector<std::string> faults_of_trace(const Json& trace) {
  if (auto faults = faults_by_schema(Json::parse(kTraceSchema), trace); !faults.empty())
    return faults;
  Judge judge;
  for (const auto& event : trace["traceEvents"]) judge.judge(event);
  return judge.finish();
}

}  // namespace morpheus::test
