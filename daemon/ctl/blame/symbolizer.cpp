// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/blame/symbolizer.hpp"

#include <cerrno>
#include <set>

#include "daemon/ctl/blame/apart.hpp"
#include "daemon/ctl/blame/process_code.hpp"
#include "daemon/ctl/console/reply.hpp"
#include "proto/json.hpp"

namespace morpheus::ctl {
namespace {

using Frames = std::vector<Frame>;

Json places_json(const Places& places) {
  Json list = Json::array();
  for (const auto& place : places)
    list.push_back({place.function, place.file, place.module, place.line});
  return list;
}

// What the process apart does. It answers in the order of the frames.
std::string find_apart(pid_t pid, uid_t uid, const Frames& frames) {
  ProcessCode code(pid, uid);
  drop_privileges();
  code.identify();
  Json places = Json::array();
  for (const auto& frame : frames) places.push_back(places_json(code.at(frame)));
  return json_text({{"unreadable", code.unreadable()}, {"places", std::move(places)}});
}

// The answer comes from a process that read what strangers wrote, and may be anything.
Places places_from(const Json& list) {
  constexpr std::size_t kMost = 64;
  Places places;
  if (!list.is_array()) return places;
  for (const auto& item : list) {
    if (!item.is_array() || item.size() != 4 || places.size() == kMost) break;
    Place place;
    for (auto [at, into] : {std::pair{0, &place.function}, {1, &place.file}, {2, &place.module}})
      if (item[at].is_string()) *into = printable(item[at].get<std::string>());
    if (item[3].is_number_unsigned()) place.line = item[3].get<std::uint64_t>();
    places.push_back(std::move(place));
  }
  return places;
}

std::string why_unreadable(std::uint64_t error) {
  if (error == ENOENT || error == ESRCH)
    return "the process has ended, so its functions have no names; look while it runs";
  if (error == EACCES || error == EPERM)
    return "its files may not be read, so its functions have no names; run as root";
  return error == 0 ? "" : "its files cannot be read: " + Error{"", static_cast<int>(error)}.text();
}

}  // namespace

void Symbolizer::learn(const Culprit& culprit) {
  Process& process = processes_[culprit.pid];
  std::set<Frame> wanted;
  for (const auto& [stack, seen] : culprit.stacks)
    for (const auto& frame : stack)
      if (!process.known.contains(frame)) wanted.insert(frame);
  if (wanted.empty()) return;
  const Frames frames(wanted.begin(), wanted.end());
  const auto answer = run_apart([&] {
    return find_apart(static_cast<pid_t>(culprit.pid), static_cast<uid_t>(culprit.uid), frames);
  });
  const Json found = answer ? parse_json(*answer) : Json();
  const Json places = found.is_object() ? found.value("places", Json::array()) : Json::array();
  for (std::size_t i = 0; i < frames.size(); ++i) {
    auto& known = process.known[frames[i]];
    if (places.is_array() && i < places.size()) known = places_from(places[i]);
    if (known.empty()) known.emplace_back();
  }
  if (!answer)
    process.trouble =
        "reading its files " + answer.error().text() + ", so its functions have no names";
  else if (found.is_object())
    process.trouble = why_unreadable(number(found, "unreadable"));
}

Places Symbolizer::places_of(const Culprit& culprit, const Stack& stack) const {
  Places all;
  const auto process = processes_.find(culprit.pid);
  for (const auto& frame : stack) {
    const auto known = process == processes_.end() ? std::map<Frame, Places>::const_iterator{}
                                                   : process->second.known.find(frame);
    if (process == processes_.end() || known == process->second.known.end())
      all.emplace_back();
    else
      all.insert(all.end(), known->second.begin(), known->second.end());
  }
  return all;
}

std::string Symbolizer::trouble(const Culprit& culprit) const {
  const auto process = processes_.find(culprit.pid);
  return process == processes_.end() ? "" : process->second.trouble;
}

}  // namespace morpheus::ctl
