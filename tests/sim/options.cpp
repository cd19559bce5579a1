// SPDX-License-Identifier: GPL-2.0-only
#include "tests/sim/options.hpp"

#include <array>
#include <stdexcept>
#include <utility>

namespace morpheus::sim {

const char* const kUsage =
    "usage: sim [OPTION...]\n"
    "  --seed N        the schedule (default 1); the same seed gives the same run, bit for bit\n"
    "  --seeds N       make N runs, with seeds from --seed on (default 1)\n"
    "  --decisions N   end after N decisions about workers (default 1000000)\n"
    "  --cpus N        up to 1024 (default 4)\n"
    "  --llcs N        last-level caches, up to 64 (default 1)\n"
    "  --workers N     threads that are or become workers (default 24)\n"
    "  --ordinary N    other threads (default 12)\n"
    "  --mix NAME      everything, cooperative, hostile, equal, weighted, grouped, light or alone "
    "(default "
    "everything)\n"
    "  --mode NAME     observer or enforced, at the start (default enforced)\n"
    "  --steady        no mode, tunable or affinity changes, and no thread dies\n"
    "  --no-higher     no threads of a higher scheduling class\n"
    "  --unpinned      every thread may run on every CPU\n"
    "  --strict        known weaknesses count as broken rules, too\n"
    "  --json          one JSON object for each run\n"
    "  --expect RULE   succeed only if this rule is found broken\n"
    "  --scale         a table: how cost and latency grow up to 1024 CPUs and 100000 workers\n";

namespace {

constexpr std::array<std::pair<const char*, Mix>, 8> kMixes{{{"everything", Mix::everything},
                                                             {"cooperative", Mix::cooperative},
                                                             {"hostile", Mix::hostile},
                                                             {"equal", Mix::equal},
                                                             {"weighted", Mix::weighted},
                                                             {"grouped", Mix::grouped},
                                                             {"light", Mix::light},
                                                             {"alone", Mix::alone}}};

Mix mix_of(const std::string& name) {
  for (const auto& [known, mix] : kMixes)
    if (name == known) return mix;
  throw std::invalid_argument("no mix is called '" + name + "'");
}

bool enforced_of(const std::string& name) {
  if (name != "observer" && name != "enforced")
    throw std::invalid_argument("no mode is called '" + name + "'");
  return name == "enforced";
}

std::uint64_t number(const std::string& option, const std::string& text, std::uint64_t lo,
                     std::uint64_t hi) {
  std::size_t used = 0;
  std::uint64_t value = 0;
  try {
    value = std::stoull(text, &used);
  } catch (const std::exception&) {
    used = 0;
  }
  if (used == 0 || used != text.size() || text[0] == '-' || value < lo || value > hi)
    throw std::invalid_argument(option + " takes a number from " + std::to_string(lo) + " to " +
                                std::to_string(hi) + ", not '" + text + "'");
  return value;
}

bool parse_flag(const std::string& name, Options& o) {
  if (name == "--steady")
    o.config.changes = false;
  else if (name == "--no-higher")
    o.config.higher = false;
  else if (name == "--unpinned")
    o.config.pinned = false;
  else if (name == "--strict")
    o.config.strict = true;
  else if (name == "--json")
    o.json = true;
  else if (name == "--scale")
    o.scale = true;
  else if (name == "--help" || name == "-h")
    o.help = true;
  else
    return false;
  return true;
}

void parse_value(const std::string& name, const std::string& value, Options& o) {
  auto& c = o.config;
  const auto count = [&](std::uint64_t lo, std::uint64_t hi) {
    return static_cast<std::uint32_t>(number(name, value, lo, hi));
  };
  if (name == "--seed")
    c.seed = number(name, value, 0, ~0ull);
  else if (name == "--decisions")
    c.decisions = number(name, value, 1, ~0ull);
  else if (name == "--seeds")
    o.seeds = count(1, 1'000'000);
  else if (name == "--cpus")
    c.cpus = count(1, MORPHEUS_MAX_CPUS);
  else if (name == "--llcs")
    c.llcs = count(1, MORPHEUS_MAX_LLCS);
  else if (name == "--workers")
    c.workers = count(0, 130'000);
  else if (name == "--ordinary")
    c.ordinary = count(0, 1'000'000);
  else if (name == "--mix")
    c.mix = mix_of(value);
  else if (name == "--mode")
    c.enforced = enforced_of(value);
  else if (name == "--expect")
    o.expect = value;
  else
    throw std::invalid_argument("unknown option " + name + "; see sim --help");
}

}  // namespace

Options parse_options(int argc, const char* const* argv) {
  Options options;
  options.config.enforced = true;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (parse_flag(name, options)) continue;
    const char* value = i + 1 < argc ? argv[i + 1] : nullptr;
    if (value == nullptr)
      throw std::invalid_argument(name + ": unknown, or lacks its value; see sim --help");
    parse_value(name, value, options);
    ++i;
  }
  return options;
}

}  // namespace morpheus::sim
