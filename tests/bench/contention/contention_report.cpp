// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bench/contention/contention_report.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

namespace morpheus::bench {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kNsPerUs = 1000.0;

Json variant_json(const VariantFindings& found) {
  Json json{{"probe_p50_us", rounded(found.probe_p50_us)},
            {"probe_p99_us", rounded(found.probe_p99_us)},
            {"probe_p999_us", rounded(found.probe_p999_us)},
            {"yields", found.yields},
            {"lateness_us", found.lateness_us},
            {"work", found.work},
            {"critical_losses", nullptr},
            {"passed_p99", nullptr},
            {"passed_p999", nullptr}};
  if (found.testimony) {
    json["critical_losses"] = found.testimony->critical_losses;
    json["passed_p99"] = found.testimony->passed_p99;
    json["passed_p999"] = found.testimony->passed_p999;
  }
  return json;
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
    const double alone = static_cast<double>(std::max<std::uint64_t>(1, of(Variant::alone).work));
    char text[32];
    std::snprintf(text, sizeof text, "%.1f %%", 100.0 * static_cast<double>(of(v).work) / alone);
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
  const auto percent = [](std::uint64_t part, std::uint64_t whole) {
    return 100.0 * static_cast<double>(part) /
           static_cast<double>(std::max<std::uint64_t>(1, whole));
  };
  const double times = alone.probe_p99_us / std::max(0.1, morpheus.probe_p99_us);
  char text[512];
  if (times > 1.05)
    std::snprintf(text, sizeof text,
                  "\nWith Morpheus the probe was %.1f times less late at the 99th percentile than "
                  "under the kernel\nalone, with %.1f %% of the yields of yielding at every safe "
                  "point, and %.1f %% of the work.\n",
                  times, percent(morpheus.yields, naive.yields),
                  percent(morpheus.work, alone.work));
  else
    std::snprintf(text, sizeof text,
                  "\nThe probe was not less late with Morpheus this time. Other programs that use "
                  "this CPU do that:\nrun the demo again when the machine is quiet.\n");
  return std::string(text) +
         "Next: ./dev demo --vm for Enforced mode, ./dev demo --workers 8, docs/walk.md.\n";
}

}  // namespace

Json to_json(const Findings& findings, const ContentionOptions& options) {
  Json json{{"mode", options.mode},
            {"kernel", findings.kernel},
            {"workers", options.workers},
            {"safe_point_us", options.safe_point_us},
            {"seconds", options.seconds}};
  for (const Variant variant : kVariants)
    json[name(variant)] = variant_json(findings.variants[index(variant)]);
  Json& morpheus = json[name(Variant::morpheus)];
  morpheus["hints"] = findings.hints.hints;
  morpheus["acknowledged"] = findings.hints.acknowledged;
  morpheus["withdrawn"] = findings.hints.withdrawn;
  morpheus["ack_p50_us"] = rounded(static_cast<double>(findings.ack.p50_ns) / kNsPerUs);
  morpheus["ack_p99_us"] = rounded(static_cast<double>(findings.ack.p99_ns) / kNsPerUs);
  morpheus["escalations"] = findings.hints.escalations;
  morpheus["deferrals"] = findings.hints.deferrals;
  return json;
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
