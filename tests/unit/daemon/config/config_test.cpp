// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/config/config.hpp"

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

using namespace morpheus::daemon;

namespace {
std::string error_of(std::string_view text) {
  const auto config = parse_config(text);
  REQUIRE_FALSE(config);
  return config.error().text();
}
}  // namespace

TEST_CASE("an empty file means the defaults") {
  const auto config = parse_config("{}");
  REQUIRE(config);
  CHECK(config->mode == Mode::observer);
  CHECK(config->scope == Scope::all);
  CHECK(config->tunables.slice_ns == 5'000'000);
  CHECK(config->socket_mode == 0666);
}

TEST_CASE("every kind of value is read") {
  const auto config = parse_config(
      R"({"socket": "/x", "socket_mode": "0660", "mode": "enforced", "scope": "workers", "admin_group": "wheel",
          "attach_group": "staff", "read_group": "adm", "canary": {"starved_ms": 1000, "refuse_s": 7},
          "log_level": "debug", "tunables": {"slice_ns": 4000000}, "limits": {"workers": 7}})");
  REQUIRE(config);
  CHECK(config->socket == "/x");
  CHECK(config->socket_mode == 0660);
  CHECK(config->mode == Mode::enforced);
  CHECK(config->scope == Scope::workers);
  CHECK(config->admin_group == "wheel");
  CHECK(config->attach_group == "staff");
  CHECK(config->read_group == "adm");
  CHECK(config->canary.starved_ms == 1000);
  CHECK(config->canary.refuse_s == 7);
  CHECK(config->tunables.slice_ns == 4'000'000);
  CHECK(config->limits.workers == 7);
}

TEST_CASE("what is wrong is named by its path") {
  CHECK(error_of("{\"sokcet\": 1}") == "sokcet: unknown key");
  CHECK(error_of("{\"limits\": {\"workerz\": 1}}") == "limits.workerz: unknown key");
  CHECK(error_of("{\"socket\": 1}") == "socket: must be a string");
  const std::string longest(107, 'x'), rule = "socket: must be a path of 1 to 107 bytes";
  CHECK(parse_config("{\"socket\": \"" + longest + "\"}"));
  for (const std::string& path : {std::string(), longest + "x", std::string("/x\\u0000y")})
    CHECK(error_of("{\"socket\": \"" + path + "\"}") == rule);
  CHECK(error_of("{\"socket_mode\": \"\"}").starts_with("socket_mode: must be"));
  CHECK(error_of("{\"limits\": []}") == "limits: must be an object");
  CHECK(error_of("{\"limits\": {\"workers\": -1}}").starts_with("limits.workers: must be"));
  CHECK(error_of("{\"limits\": {\"workers\": 1.5}}").starts_with("limits.workers: must be"));
  CHECK(error_of("{\"limits\": {\"workers\": 16384}}") ==
        "limits.workers: must be from 1 to 16383");
  CHECK(error_of("{\"tunables\": {\"slice_ns\": 1}}").starts_with("tunables.slice_ns: must be"));
  CHECK(error_of("{\"tunables\": {\"hint_lead_ns\": 6000000}}") ==
        "tunables: hint_lead_ns must be less than slice_ns");
  CHECK(error_of("{\"socket_mode\": \"0999\"}").starts_with("socket_mode: must be"));
  CHECK(error_of("{\"mode\": \"bold\"}").starts_with("mode: must be"));
  CHECK(error_of("{\"mode\": 1}") == "mode: must be a string");
  CHECK(error_of("{\"scope\": \"some\"}").starts_with("scope: must be"));
  CHECK(error_of("{\"log_level\": \"loud\"}").starts_with("log_level: must be"));
  CHECK(error_of("{\"canary\": {\"starved_ms\": 60001}}") ==
        "canary.starved_ms: must be from 0 to 60000");
  CHECK(error_of("{\"attach_group\": 1}") == "attach_group: must be a string");
  CHECK(error_of("[]") == "the file: must be an object");
  CHECK(error_of("{\n  \"mode\": \"observer\",\n}").find("not valid JSON: line 3, column 1: ") !=
        std::string::npos);
  CHECK(error_of("{\"mode\": \"observer\", \"limits\": {\"workers\": 1, \"workers\": 2}}")
            .find("the key \"limits.workers\" twice") != std::string::npos);
  CHECK(error_of("{\"mode\": 1e999}").find("not valid JSON: number overflow") != std::string::npos);
  CHECK(parse_config("{\"tunables\": {}, \"limits\": {\"workers\": 1}}"));
}

TEST_CASE("groups that may be throttled are named by their paths, or the file is refused") {
  const auto config = parse_config(
      R"({"throttle": {"cgroups": ["/a.slice/b.service", "/c"], "percent": 150, "penalty_ms": 50}})");
  REQUIRE(config);
  CHECK(config->throttle.cgroups == std::vector<std::string>{"/a.slice/b.service", "/c"});
  CHECK(config->throttle.percent == 150);
  CHECK(config->throttle.penalty_ms == 50);
  for (const char* wrong :
       {R"("/a")", R"(["a"])", R"([""])", R"(["/"])", R"(["/a/"])", R"(["/a/../b"])", "[1]"})
    CHECK(error_of(std::string(R"({"throttle": {"cgroups": )") + wrong + "}}")
              .starts_with("throttle.cgroups: must be a list of paths"));
  for (const char* percent : {"0", "-1", "102401", "2.5"})
    CHECK(error_of(std::string(R"({"throttle": {"percent": )") + percent + "}}")
              .starts_with("throttle.percent: must be"));
  CHECK(error_of(R"({"throttle": {"penalty_ms": 600001}})") ==
        "throttle.penalty_ms: must be from 1 to 600000");
}

TEST_CASE("only a regular file is read, so that none holds up the daemon") {
  for (const std::string path : {"/dev/zero", "/dev/tty"}) {
    const auto config = load_config(path, true);
    REQUIRE_FALSE(config);
    CHECK(config.error().text() == path + ": is not a regular file");
  }
}

TEST_CASE("a missing file matters only if it is required") {
  CHECK(load_config("/nonexistent/m.json", false));
  const auto missing = load_config("/nonexistent/m.json", true);
  REQUIRE_FALSE(missing);
  CHECK(missing.error().text().find("/nonexistent/m.json") != std::string::npos);
}
