// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bench/contention/contention_report.hpp"

#include <algorithm>
#include <cstdio>
#include <string>

#include "tests/bench/measuring/figures.hpp"
#include "tests/bench/measuring/results.hpp"

namespace morpheus::bench {
namespace {

double percent_of(std::uint64_t part, std::uint64_t whole) {
  return 100.0 * static_cast<double>(part) / static_cast<double>(std::max<std::uint64_t>(1, whole));
}

double count(std::uint64_t value) { return static_cast<double>(value); }

void add_load(Figures& figures, const Findings& findings, Variant variant) {
  const auto& found = findings.variants[index(variant)];
  const auto& alone = findings.variants[index(Variant::alone)];
  const std::string subject = name(variant);
  figures.begin("probe");
  figures.add("lateness, p50", "us", subject, rounded(found.probe_p50_us));
  figures.add("lateness, p99", "us", subject, rounded(found.probe_p99_us));
  figures.add("lateness, p99.9", "us", subject, rounded(found.probe_p999_us));
  figures.add_samples("lateness that a share of 1 - 10^(-i/10) of the wakeups does not exceed",
                      "us", subject, found.lateness_us);
  figures.begin("workers");
  figures.add("yields", "count", subject, count(found.yields));
  figures.add("work", "units", subject, count(found.work));
  figures.add("work, of alone", "%", subject, percent_of(found.work, alone.work));
  if (!found.testimony)
    return figures.skip("no tracing program can be loaded: losses, safe points passed");
  figures.add("CPU lost inside critical sections", "count", subject,
              count(found.testimony->critical_losses));
  figures.add("safe points passed before the probe ran, p99", "count", subject,
              count(found.testimony->passed_p99));
  figures.add("safe points passed before the probe ran, p99.9", "count", subject,
              count(found.testimony->passed_p999));
}

void add_hints(Figures& figures, const Findings& findings) {
  const std::string subject = name(Variant::morpheus);
  const auto& hints = findings.hints;
  figures.begin("hints");
  figures.add("hints", "count", subject, count(hints.hints));
  figures.add("acknowledged", "count", subject, count(hints.acknowledged));
  figures.add("withdrawn", "count", subject, count(hints.withdrawn));
  figures.add("decision to acknowledgement, p50", "us", subject,
              rounded(count(findings.ack.p50_ns) / kNsPerUs));
  figures.add("decision to acknowledgement, p99", "us", subject,
              rounded(count(findings.ack.p99_ns) / kNsPerUs));
  figures.add("slice ends deferred", "count", subject, count(hints.deferrals));
  figures.add("escalations", "count", subject, count(hints.escalations));
}

std::string in_us(double us) {
  char text[32];
  std::snprintf(text, sizeof text, us < 100 ? "%.1f us" : "%.0f us", us);
  return text;
}

/// Rows of a label and one cell for each variant.
class Table {
 public:
  Table() {
    row("", [](Variant variant) { return std::string(name(variant)); });
  }
  template <class Cell>
  void row(const char* label, Cell cell) {
    line(label);
    for (const Variant variant : kVariants) append("%16s", cell(variant));
    text_ += '\n';
  }
  /// A row that only Morpheus has.
  void morpheus_row(const char* label, const std::string& cell) {
    row(label, [&](Variant variant) { return variant == Variant::morpheus ? cell : "-"; });
  }
  [[nodiscard]] std::string text() const { return text_; }

 private:
  void line(const char* label) { append("%-40s", label); }
  void append(const char* format, const std::string& what) {
    char text[64];
    std::snprintf(text, sizeof text, format, what.c_str());
    text_ += text;
  }
  std::string text_;
};

void add_load_rows(Table& table, const Findings& findings) {
  const auto of = [&](Variant variant) -> const VariantFindings& {
    return findings.variants[index(variant)];
  };
  table.row("probe lateness, p50", [&](Variant v) { return in_us(of(v).probe_p50_us); });
  table.row("probe lateness, p99", [&](Variant v) { return in_us(of(v).probe_p99_us); });
  table.row("probe lateness, p99.9", [&](Variant v) { return in_us(of(v).probe_p999_us); });
  table.row("yields", [&](Variant v) { return std::to_string(of(v).yields); });
  table.row("work done, units", [&](Variant v) { return std::to_string(of(v).work); });
  table.row("work done, % of alone", [&](Variant v) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f %%", percent_of(of(v).work, of(Variant::alone).work));
    return std::string(text);
  });
}

void add_witness_rows(Table& table, const Findings& findings) {
  const auto seen = [&](auto member) {
    return [&findings, member](Variant variant) {
      const auto& testimony = findings.variants[index(variant)].testimony;
      return testimony ? std::to_string((*testimony).*member) : std::string("not seen");
    };
  };
  table.row("CPU lost inside critical sections", seen(&Testimony::critical_losses));
  table.row("safe points passed before probe, p99", seen(&Testimony::passed_p99));
  table.row("safe points passed before probe, p99.9", seen(&Testimony::passed_p999));
}

/// What the table shows, in a sentence, and what to try next.
std::string summary(const Findings& findings) {
  const auto& alone = findings.variants[index(Variant::alone)];
  const auto& naive = findings.variants[index(Variant::naive)];
  const auto& morpheus = findings.variants[index(Variant::morpheus)];
  const double times = alone.probe_p99_us / std::max(0.1, morpheus.probe_p99_us);
  char text[512];
  if (times > 1.05)
    std::snprintf(text, sizeof text,
                  "\nWith Morpheus the probe was %.1f times less late at the 99th percentile than "
                  "under the kernel\nalone, with %.1f %% of the yields of yielding at every safe "
                  "point, and %.1f %% of the work.\n",
                  times, percent_of(morpheus.yields, naive.yields),
                  percent_of(morpheus.work, alone.work));
  else
    std::snprintf(text, sizeof text,
                  "\nThe probe was not less late with Morpheus this time. Other programs that use "
                  "this CPU do that:\nrun the demo again when the machine is quiet.\n");
  return std::string(text) +
         "Next: ./dev demo --vm for Enforced mode, ./dev demo --workers 8, docs/walk.md.\n";
}

}  // namespace

nlohmann::ordered_json results_of(const Findings& findings, const ContentionOptions& options) {
  Figures figures({kVariantNames.begin(), kVariantNames.end()});
  for (const Variant variant : kVariants) add_load(figures, findings, variant);
  add_hints(figures, findings);
  return to_json("contention",
                 {{"mode", options.mode},
                  {"seconds", options.seconds},
                  {"workers", options.workers},
                  {"safe_point_us", options.safe_point_us},
                  {"cpu", options.cpu},
                  {"tunable", options.tunables}},
                 figures);
}

std::string to_table(const Findings& findings, const ContentionOptions& options) {
  Table table;
  add_load_rows(table, findings);
  table.morpheus_row("hints", std::to_string(findings.hints.hints));
  table.morpheus_row("acknowledged", std::to_string(findings.hints.acknowledged));
  table.morpheus_row("withdrawn", std::to_string(findings.hints.withdrawn));
  table.morpheus_row("decision to acknowledgement, p50",
                     in_us(static_cast<double>(findings.ack.p50_ns) / kNsPerUs));
  table.morpheus_row("decision to acknowledgement, p99",
                     in_us(static_cast<double>(findings.ack.p99_ns) / kNsPerUs));
  table.morpheus_row("slice ends deferred", std::to_string(findings.hints.deferrals));
  table.morpheus_row("escalations", std::to_string(findings.hints.escalations));
  add_witness_rows(table, findings);
  return "Linux " + findings.kernel + ", " + options.mode + " mode, CPU " +
         std::to_string(options.cpu) + ": " + std::to_string(options.workers) +
         " workers, a safe point every " + std::to_string(options.safe_point_us) + " us, " +
         std::to_string(options.seconds) + " s of each\n" + table.text() + summary(findings);
}

}  // namespace morpheus::bench
