// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/blame/report.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <ranges>
#include <set>
#include <tuple>
#include <utility>

#include "daemon/ctl/blame/code_tree.hpp"
#include "daemon/ctl/console/flame_graph.hpp"

namespace morpheus::ctl {
namespace {

constexpr std::size_t kMostShown = 10;  // culprits, and victims of each

std::string none_text(const BlameReport& report) {
  return fmt::format("No thread was kept waiting by a worker for {:.3g} s.", report.seconds);
}

std::string waits_text(const Waits& waits) {
  return fmt::format("{} {}, {} in all, {} the longest", short_count(waits.count),
                     waits.count == 1 ? "wait" : "waits", short_time(waits.total_ns),
                     short_time(waits.longest_ns));
}

// The same time, but as short as a table needs it.
std::string victim_row(const Victim& victim, const std::string& group) {
  const auto name = victim.tid == 0 ? std::string("threads of other users")
                                    : thread_title(victim.process, victim.thread);
  const auto who = victim.tid == 0 ? "" : fmt::format(" ({})", victim.pid);
  return fmt::format("{:<40} {:>6}x {:>8}  {:>8}  {}", cut_to(name + who, 40),
                     short_count(victim.waits.count), short_time(victim.waits.total_ns),
                     short_time(victim.waits.longest_ns), group);
}

std::vector<const Victim*> worst_first(const Culprit& culprit) {
  std::vector<const Victim*> victims;
  victims.reserve(culprit.victims.size());
  for (const auto& [tid, victim] : culprit.victims) victims.push_back(&victim);
  std::ranges::sort(victims, [](const Victim* a, const Victim* b) {
    return std::tie(b->waits.total_ns, a->tid) < std::tie(a->waits.total_ns, b->tid);
  });
  return victims;
}

std::vector<WeighedPlaces> weighed(const BlameReport& report, const Culprit& culprit) {
  std::vector<WeighedPlaces> all;
  all.reserve(culprit.stacks.size());
  for (const auto& [stack, seen] : culprit.stacks)
    all.push_back({report.symbols.places_of(culprit, stack), seen.count});
  return all;
}

class Page {
 public:
  Page(const BlameReport& report, std::size_t columns, const Palette& palette)
      : report_(report), columns_(columns), palette_(palette) {}

  std::string text() {
    const auto culprits = report_.tally.by_guilt();
    if (culprits.empty()) {
      line(none_text(report_));
    } else {
      line(fmt::format("{} samples in {:.3g} s. Who kept threads waiting, the most guilty first:",
                       report_.tally.samples(), report_.seconds));
    }
    for (std::size_t i = 0; i < std::min(culprits.size(), kMostShown); ++i) add(*culprits[i]);
    if (culprits.size() > kMostShown)
      line(fmt::format("\nand {} workers more (--worker and --pid choose, --json shows all)",
                       culprits.size() - kMostShown));
    if (report_.tally.dropped() > 0)
      line(fmt::format("\n{} records were lost: there were too many at once",
                       report_.tally.dropped()));
    return std::move(out_);
  }

 private:
  void line(const std::string& text) {
    out_ += (columns_ == 0 || text.starts_with('\n') ? text : cut_to(text, columns_)) + "\n";
  }

  void add(const Culprit& culprit) {
    const auto title =
        fmt::format("{} (pid {}, tid {}, worker {})", thread_title(culprit.process, culprit.thread),
                    culprit.pid, culprit.tid, culprit.worker_id);
    out_ += "\n" + palette_.bold(columns_ == 0 ? title : cut_to(title, columns_)) + "\n";
    line("  " + (culprit.waits.count == 0 ? "seen in the way; the waits are not over"
                                          : waits_text(culprit.waits)));
    line("  " + seen_text(culprit));
    add_victims(culprit);
    line("  in its code:");
    const auto tree = code_tree(weighed(report_, culprit));
    for (const auto& drawn :
         draw_tree(tree, columns_ == 0 ? 0 : std::max<std::size_t>(columns_, 32) - 2))
      line("  " + drawn);
    for (const auto& note : blame_notes(report_, culprit)) add_note(note);
  }

  static std::string seen_text(const Culprit& culprit) {
    std::string text = fmt::format("{} samples", culprit.samples);
    const char* before = ": ";
    for (const auto& [cause, count] : culprit.causes)
      text += fmt::format("{}{} {}", std::exchange(before, ", "), count, cause);
    if (culprit.critical > 0) text += fmt::format("; {} in a critical section", culprit.critical);
    if (culprit.skipped > 0)
      text += fmt::format("; {} more hints were not sampled", culprit.skipped);
    return text;
  }

  void add_victims(const Culprit& culprit) {
    const auto victims = worst_first(culprit);
    if (victims.empty()) return;
    line(fmt::format("  {:<40} {:>7} {:>8}  {:>8}  {}", "kept waiting:", "WAITS", "TOTAL",
                     "LONGEST", "CONTROL GROUP"));
    for (std::size_t i = 0; i < std::min(victims.size(), kMostShown); ++i) {
      const auto id = victims[i]->cgroup_id;
      line("  " + victim_row(*victims[i], id == 0 ? "" : printable(report_.group_path(id))));
    }
    if (victims.size() > kMostShown)
      line(fmt::format("  and {} threads more", victims.size() - kMostShown));
  }

  // A sentence may be longer than a line.
  void add_note(const std::string& note) {
    const std::size_t width = columns_ == 0 ? note.size() : std::max<std::size_t>(columns_, 30) - 4;
    std::string_view rest(note);
    for (const char* lead = "  ! "; !rest.empty(); lead = "    ") {
      auto end = rest.size() <= width ? rest.size() : rest.rfind(' ', width);
      if (end == std::string_view::npos || end == 0) end = std::min(rest.size(), width);
      out_ += lead + std::string(rest.substr(0, end)) + "\n";
      rest.remove_prefix(std::min(rest.size(), end + 1));
    }
  }

  const BlameReport& report_;
  std::size_t columns_;
  const Palette& palette_;
  std::string out_;
};

Json waits_json(const Waits& waits) {
  return {{"count", waits.count}, {"total_ns", waits.total_ns}, {"longest_ns", waits.longest_ns}};
}

std::vector<WeighedStack> stacks_of(const BlameReport& report) {
  std::vector<WeighedStack> stacks;
  for (const auto* culprit : report.tally.by_guilt()) {
    for (const auto& [stack, seen] : culprit->stacks) {
      std::vector<std::string> frames{culprit->process, culprit->thread};
      for (const auto& place : report.symbols.places_of(*culprit, stack) | std::views::reverse)
        frames.push_back(function_of(place));
      stacks.push_back({std::move(frames), seen.age_ns});
    }
  }
  return stacks;
}

Json place_json(const Place& place) {
  Json json{{"function", place.function}, {"module", place.module}};
  if (!place.file.empty()) json["file"] = place.file;
  if (place.line != 0) json["line"] = place.line;
  return json;
}

using StackEntry = std::pair<const Stack, Seen>;

std::vector<const StackEntry*> most_seen_first(const Culprit& culprit) {
  std::vector<const StackEntry*> entries;
  entries.reserve(culprit.stacks.size());
  for (const auto& entry : culprit.stacks) entries.push_back(&entry);
  std::ranges::sort(entries, [](const StackEntry* a, const StackEntry* b) {
    return std::tie(b->second.count, a->first) < std::tie(a->second.count, b->first);
  });
  return entries;
}

Json culprit_json(const BlameReport& report, const Culprit& culprit) {
  Json victims = Json::array(), stacks = Json::array();
  for (const auto* victim : worst_first(culprit)) {
    Json json{{"waits", waits_json(victim->waits)}};
    if (victim->tid != 0)
      json.update({{"pid", victim->pid},
                   {"tid", victim->tid},
                   {"process", victim->process},
                   {"thread", victim->thread},
                   {"cgroup", printable(report.group_path(victim->cgroup_id), 4096)}});
    victims.push_back(std::move(json));
  }
  for (const auto* entry : most_seen_first(culprit)) {
    Json places = Json::array();
    for (const auto& place : report.symbols.places_of(culprit, entry->first))
      places.push_back(place_json(place));
    stacks.push_back({{"count", entry->second.count},
                      {"waited_ns", entry->second.age_ns},
                      {"places", std::move(places)}});
  }
  return {{"worker_id", culprit.worker_id},
          {"pid", culprit.pid},
          {"tid", culprit.tid},
          {"uid", culprit.uid},
          {"process", culprit.process},
          {"thread", culprit.thread},
          {"samples", culprit.samples},
          {"skipped", culprit.skipped},
          {"critical", culprit.critical},
          {"causes", culprit.causes},
          {"waits", waits_json(culprit.waits)},
          {"victims", std::move(victims)},
          {"stacks", std::move(stacks)},
          {"notes", blame_notes(report, culprit)}};
}

}  // namespace

std::vector<std::string> blame_notes(const BlameReport& report, const Culprit& culprit) {
  std::vector<std::string> notes;
  if (auto trouble = report.symbols.trouble(culprit); !trouble.empty())
    notes.push_back(std::move(trouble));
  std::uint64_t lone = 0, empty = 0;
  std::set<std::string> nameless;
  for (const auto& [stack, seen] : culprit.stacks) {
    empty += stack.empty() ? seen.count : 0;
    lone += stack.size() == 1 ? seen.count : 0;
    // that a library's callers have no names is no loss; that the deaf function has none is one
    const auto places = report.symbols.places_of(culprit, stack);
    if (!places.empty() && !places[0].is_known() && !places[0].module.empty() &&
        !places[0].module.starts_with('['))
      nameless.insert(places[0].module);
  }
  if (empty > 0)
    notes.push_back(fmt::format("{} samples have no stack: its memory was not at hand", empty));
  if (lone > 0)
    notes.push_back(fmt::format(
        "in {} of {} samples the callers are unknown: code without frame pointers; build it with "
        "-fno-omit-frame-pointer",
        lone, culprit.samples));
  for (const auto& module : nameless)
    notes.push_back("no symbols for " + module +
                    ": install its debug information, or build it without stripping");
  return notes;
}

std::string render_blame(const BlameReport& report, std::size_t columns, const Palette& palette) {
  return Page(report, columns, palette).text();
}

std::string fold_blame(const BlameReport& report) {
  std::map<std::string, std::uint64_t> lines;
  for (const auto& stack : stacks_of(report)) lines[folded(stack.frames)] += stack.weight_ns / 1000;
  std::string out;
  for (const auto& [line, us] : lines) out += fmt::format("{} {}\n", line, us);
  return out;
}

std::string draw_blame(const BlameReport& report) {
  const auto stacks = stacks_of(report);
  return flame_graph(stacks.empty()
                         ? none_text(report)
                         : fmt::format("Code that kept threads waiting, in {:g} s", report.seconds),
                     stacks);
}

Json blame_json(const BlameReport& report) {
  Json culprits = Json::array();
  for (const auto* culprit : report.tally.by_guilt())
    culprits.push_back(culprit_json(report, *culprit));
  return {{"seconds", report.seconds},
          {"samples", report.tally.samples()},
          {"dropped", report.tally.dropped()},
          {"workers", std::move(culprits)}};
}

}  // namespace morpheus::ctl
