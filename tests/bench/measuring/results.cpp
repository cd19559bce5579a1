// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bench/measuring/results.hpp"

#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <ctime>
#include <fstream>

#include "tests/bench/commit.hpp"

namespace morpheus::bench {
namespace {

using Json = nlohmann::ordered_json;

/// What follows the first `key` at the beginning of a line of the file; `otherwise` without one.
std::string value_in(const char* path, const std::string& key, const std::string& otherwise) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(key)) return line.substr(key.size());
  return otherwise;
}

std::string cpu_model() { return value_in("/proc/cpuinfo", "model name\t: ", "unknown"); }

std::string distribution() {
  auto name = value_in("/etc/os-release", "PRETTY_NAME=", "none");
  std::erase(name, '"');
  return name;
}

Json machine() {
  utsname system{};
  ::uname(&system);
  return {{"cpu", cpu_model()},        {"cpus", ::sysconf(_SC_NPROCESSORS_ONLN)},
          {"kernel", system.release},  {"distribution", distribution()},
          {"emulated", is_emulated()}, {"compiler", MORPHEUS_COMPILER}};
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text.data();
}

template <class Named>
Json identity(const Named& one) {
  return {{"part", one.part},
          {"name", one.name},
          {"subject", one.subject},
          {"variant", one.variant},
          {"unit", one.unit}};
}

Json to_json(const Figure& figure) {
  Json json = identity(figure);
  json.update({{"median", figure.median()},
               {"min", figure.least()},
               {"max", figure.most()},
               {"n", figure.values.size()}});
  if (figure.goal) {
    const bool is_most = figure.goal->kind == Goal::Kind::at_most;
    json["goal"] = {{is_most ? "at_most" : "at_least", figure.goal->bound},
                    {"of", figure.goal->of_worst ? "worst" : "median"}};
    json["met"] = figure.is_met();
  }
  return json;
}

Json to_json(const Samples& samples) {
  Json json = identity(samples);
  json["values"] = samples.values;
  return json;
}

}  // namespace

bool is_emulated() { return cpu_model().starts_with("QEMU TCG CPU"); }

Json to_json(const std::string& benchmark, const Json& arguments, const Figures& figures) {
  Json json{{"benchmark", benchmark},      {"commit", MORPHEUS_COMMIT}, {"date", utc_now()},
            {"machine", machine()},        {"arguments", arguments},    {"figures", Json::array()},
            {"skipped", figures.skipped()}};
  for (const auto& figure : figures.all()) json["figures"].push_back(to_json(figure));
  for (const auto& samples : figures.samples()) json["samples"].push_back(to_json(samples));
  return json;
}

}  // namespace morpheus::bench
