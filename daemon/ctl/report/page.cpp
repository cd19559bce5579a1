// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/report/page.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <string_view>
#include <tuple>
#include <utility>

#include "daemon/ctl/blame/code_tree.hpp"
#include "daemon/ctl/console/markup.hpp"
#include "daemon/ctl/console/reply.hpp"

namespace morpheus::ctl {
namespace {

constexpr double kShownUs = 200'000;
constexpr std::size_t kMostVictims = 30;

// The policy forbids the page everything but what is in it.
constexpr std::string_view kHead = R"html(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Morpheus report</title>
<style>
:root { --fg: #16181d; --bg: #fff; --dim: #667; --line: #ccd; --run: #7aa6da; --wait: #d8dbe3;
  --critical: #8250df; --hint: #e08a00; --victim: #d03a3a }
@media (prefers-color-scheme: dark) {
  :root { --fg: #e6e8ee; --bg: #16181d; --dim: #99a; --line: #3a3d48; --run: #3f6ea8;
    --wait: #3a3d48; --critical: #a07be8; --hint: #e0a040; --victim: #e05a5a }
}
body { font: 15px/1.5 system-ui, sans-serif; color: var(--fg); background: var(--bg);
  max-width: 1250px; margin: 2em auto; padding: 0 1em }
h1 { font-size: 1.5em } h2 { font-size: 1.15em; margin-top: 2em }
.lead { font-size: 1.1em }
table { border-collapse: collapse } td, th { padding: .2em 1em .2em 0; text-align: left;
  border-bottom: 1px solid var(--line) } td.number { text-align: right }
pre { overflow-x: auto; font-size: 12px; line-height: 1.4 }
.flames { width: 100%; height: auto }
.timeline { display: flex } .names { font-size: 12px; flex: 0 0 15em }
.names div { height: 22px; line-height: 22px; overflow: hidden; text-overflow: ellipsis;
  white-space: nowrap }
.lanes { flex: 1; min-width: 0 } .lanes svg { width: 100%; display: block; cursor: grab;
  touch-action: none }
.axis { display: flex; justify-content: space-between; font-size: 12px; color: var(--dim);
  border-top: 1px solid var(--line) }
.running { fill: var(--run) } .waiting { fill: var(--wait) } .critical { fill: var(--critical) }
.hint { fill: var(--hint) } .victim { fill: var(--victim) }
.key span { margin-right: 1.2em; font-size: 13px } .key i { display: inline-block; width: 1em;
  height: .7em; margin-right: .3em }
button { font: inherit; padding: 0 .7em }
</style>
</head>
<body>
)html";

constexpr std::string_view kKey =
    R"html(<p class="key"><span><i style="background:var(--run)"></i>runs</span>
<span><i style="background:var(--wait)"></i>waits for a CPU</span>
<span><i style="background:var(--critical)"></i>in a critical section</span>
<span><i style="background:var(--hint)"></i>is asked to yield</span>
<span><i style="background:var(--victim)"></i>is kept waiting by a worker</span>
<button id="in">+</button> <button id="out">&minus;</button> <button id="all">all</button></p>
)html";

// Zooms by wheel, buttons and keys, and moves by dragging.
constexpr std::string_view kScript = R"html(<script>
for (const line of document.querySelectorAll('.timeline')) {
  const svg = line.querySelector('svg'), axis = line.querySelector('.axis');
  const whole = Number(line.dataset.span), height = svg.viewBox.baseVal.height;
  let from = 0, width = 1000;
  const show = () => {
    width = Math.min(1000, Math.max(0.5, width));
    from = Math.min(1000 - width, Math.max(0, from));
    svg.setAttribute('viewBox', `${from} 0 ${width} ${height}`);
    const digits = width < 20 ? 3 : width < 200 ? 2 : 1;
    axis.replaceChildren(...Array.from({length: 6}, (_, i) => {
      const mark = document.createElement('span');
      mark.textContent = `${((from + width * i / 5) / 1000 * whole).toFixed(digits)} ms`;
      return mark;
    }));
  };
  const zoom = (by, at) => { from += width * at * (1 - by); width *= by; show(); };
  const place = event => (event.clientX - svg.getBoundingClientRect().left) / svg.clientWidth;
  svg.addEventListener('wheel', event => {
    event.preventDefault();
    zoom(event.deltaY < 0 ? 0.8 : 1.25, place(event));
  }, {passive: false});
  let held = null;
  svg.addEventListener('pointerdown', event => {
    held = {at: place(event), from};
    svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener('pointermove', event => {
    if (held) { from = held.from - (place(event) - held.at) * width; show(); }
  });
  svg.addEventListener('pointerup', () => { held = null; });
  document.getElementById('in').onclick = () => zoom(0.5, 0.5);
  document.getElementById('out').onclick = () => zoom(2, 0.5);
  document.getElementById('all').onclick = () => { from = 0; width = 1000; show(); };
  document.addEventListener('keydown', event => {
    const steps = {'+': () => zoom(0.5, 0.5), '-': () => zoom(2, 0.5),
      ArrowLeft: () => { from -= width / 10; show(); },
      ArrowRight: () => { from += width / 10; show(); }};
    if (steps[event.key]) steps[event.key]();
  });
  show();
}
</script>
)html";

std::string row(std::initializer_list<std::string> cells) {
  std::string out = "<tr>";
  for (const auto& cell : cells) out += "<td>" + escaped(cell) + "</td>";
  return out + "</tr>\n";
}

std::string numbers_row(const std::string& name, std::initializer_list<std::string> cells) {
  std::string out = "<tr><td>" + escaped(name) + "</td>";
  for (const auto& cell : cells) out += "<td class=\"number\">" + escaped(cell) + "</td>";
  return out + "</tr>\n";
}

/// Where a culprit was seen most often.
std::string place_of(const BlameReport& report, const Culprit& culprit) {
  std::vector<WeighedPlaces> all;
  all.reserve(culprit.stacks.size());
  for (const auto& [stack, seen] : culprit.stacks)
    all.push_back({report.symbols.places_of(culprit, stack), seen.count});
  const auto tree = code_tree(all);
  if (tree.callers.empty()) return "";
  const auto& place = tree.callers.front().place;
  const auto line = line_of(place);
  return function_of(place) + (line.empty() ? "" : " (" + line + ")");
}

std::string lead(const ReportPage& page) {
  const auto culprits = page.blame.tally.by_guilt();
  if (!page.why_no_blame.empty())
    return "It is not known who kept threads waiting: " + page.why_no_blame + ".";
  if (culprits.empty() || culprits.front()->waits.count == 0)
    return fmt::format("In {:.3g} s no thread was kept waiting by a worker.", page.blame.seconds);
  const auto& worst = *culprits.front();
  const auto place = place_of(page.blame, worst);
  return fmt::format(
      "In {:.3g} s, {} (pid {}, worker {}) kept threads waiting {} times, {} in all and {} at the "
      "longest{}.",
      page.blame.seconds, thread_title(worst.process, worst.thread), worst.pid, worst.worker_id,
      worst.waits.count, short_time(worst.waits.total_ns), short_time(worst.waits.longest_ns),
      place.empty() ? "" : ", most often in " + place);
}

std::string facts(const ReportPage& page) {
  const Json& status = page.status_after;
  return "<table>\n" + row({"host", page.host}) + row({"taken", page.date}) +
         row({"kernel", text(status, "kernel")}) +
         row({"mode", text(status, "mode") + ", backend " + text(status, "backend")}) +
         row({"versions",
              "morpheusd " + text(status, "version") + ", morpheusctl " MORPHEUS_PROJECT_VERSION}) +
         row({"events",
              short_count(page.events) +
                  (page.events_lost > 0 ? ", " + short_count(page.events_lost) + " lost" : "")}) +
         "</table>\n";
}

std::string victims(const BlameReport& report) {
  std::vector<std::pair<const Victim*, const Culprit*>> all;
  for (const auto* culprit : report.tally.by_guilt())
    for (const auto& [tid, victim] : culprit->victims) all.emplace_back(&victim, culprit);
  std::ranges::sort(all, std::ranges::greater(),
                    [](const auto& one) { return one.first->waits.total_ns; });
  if (all.size() > kMostVictims) all.resize(kMostVictims);
  std::string out =
      "<table>\n<tr><th>thread</th><th>waits</th><th>in all</th><th>longest</th><th>kept waiting "
      "by</th></tr>\n";
  for (const auto& [victim, culprit] : all) {
    const auto name = victim->tid == 0 ? std::string("threads of other users")
                                       : thread_title(victim->process, victim->thread) +
                                             fmt::format(" (pid {})", victim->pid);
    out += numbers_row(name, {short_count(victim->waits.count), short_time(victim->waits.total_ns),
                              short_time(victim->waits.longest_ns),
                              thread_title(culprit->process, culprit->thread) +
                                  fmt::format(" (worker {})", culprit->worker_id)});
  }
  return out + "</table>\n";
}

/// What the daemon counted meanwhile.
std::string counts(const ReportPage& page) {
  const Json& before = member(page.status_before, "counters");
  const Json& after = member(page.status_after, "counters");
  std::string out = "<table>\n";
  for (const auto& [name, value] : after.items()) {
    if (!value.is_number_integer()) continue;
    const auto count = value.get<std::uint64_t>() - number(before, name.c_str());
    std::string words = name;
    std::ranges::replace(words, '_', ' ');
    out += numbers_row(words, {words.ends_with(" ns") ? short_time(count) : short_count(count)});
  }
  return out + "</table>\n";
}

}  // namespace

std::string draw_page(const ReportPage& page) {
  const auto shown = page.timeline.worst(kShownUs);
  std::string out(kHead);
  out += "<h1>Morpheus report</h1>\n<p class=\"lead\">" + escaped(lead(page)) + "</p>\n";
  out += facts(page);
  out += "<h2>The worst 200 ms</h2>\n";
  out += page.timeline.empty() ? std::string("<p>No worker ran.</p>\n")
                               : std::string(kKey) + page.timeline.draw(shown);
  if (page.timeline.left_out() > 0)
    out += fmt::format("<p>{} spans were left out: there were too many.</p>\n",
                       page.timeline.left_out());
  out += "<h2>Where in the code</h2>\n";
  if (page.why_no_blame.empty())
    out += draw_blame(page.blame) + "<details><summary>As text</summary><pre>" +
           escaped(render_blame(page.blame, 0, Palette{})) +
           "</pre></details>\n<h2>Who waited</h2>\n" + victims(page.blame);
  else
    out += "<p>" + escaped(page.why_no_blame) + "</p>\n";
  out += "<h2>Counts</h2>\n" + counts(page);
  return out + std::string(kScript) + "</body>\n</html>\n";
}

}  // namespace morpheus::ctl
