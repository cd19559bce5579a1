// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/commands/doctor.hpp"

#include <fmt/core.h>

#include "daemon/ctl/console/console.hpp"

namespace morpheus::ctl {
namespace {

const char* word(Verdict verdict) {
  switch (verdict) {
    case Verdict::good:
      return "ok";
    case Verdict::note:
      return "note";
    case Verdict::limited:
      return "limited";
    default:
      return "BAD";
  }
}

std::string painted(Verdict verdict, const Palette& palette) {
  const auto padded = fmt::format("{:<7}", word(verdict));
  if (verdict == Verdict::good) return palette.good(padded);
  return verdict == Verdict::note ? padded : palette.bad(padded);
}

}  // namespace

std::string render_findings(const std::vector<Finding>& findings, const Palette& palette) {
  std::string out;
  for (const auto& finding : findings) {
    out += fmt::format("{} {:<14} {}\n", painted(finding.verdict, palette), finding.what,
                       finding.says);
    if (!finding.todo.empty()) out += fmt::format("{:<22} -> {}\n", "", finding.todo);
  }
  return out;
}

Json to_json(const std::vector<Finding>& findings) {
  Json list = Json::array();
  for (const auto& finding : findings) {
    Json item{{"what", finding.what}, {"verdict", word(finding.verdict)}, {"says", finding.says}};
    if (!finding.todo.empty()) item["todo"] = finding.todo;
    list.push_back(std::move(item));
  }
  return list;
}

ExitStatus examine_host(Result<varlink::Client>& client, const Request& request) {
  const auto daemon = ask_daemon(client, request.socket);
  const auto findings = diagnose(read_host_facts(), daemon);
  if (request.json)
    print_json({{"findings", to_json(findings)}});
  else
    print(render_findings(findings, Palette{request.colour}));
  return status_of(findings, daemon);
}

}  // namespace morpheus::ctl
