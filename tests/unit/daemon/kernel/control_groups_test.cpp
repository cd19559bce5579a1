// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/kernel/control_groups.hpp"

#include <sys/stat.h>

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace morpheus::daemon;

namespace {

constexpr std::uint64_t kMs = 1'000'000;

/// Directories in the place of control groups.
struct Tree {
  std::string root = "/tmp/morpheus-groups-XXXXXX";
  Tree() { REQUIRE(::mkdtemp(root.data()) != nullptr); }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;
  ~Tree() { std::filesystem::remove_all(root); }
  void add(const std::string& path, const std::string& cpu_max) const {
    std::filesystem::create_directories(root + path);
    if (!cpu_max.empty()) std::ofstream(root + path + "/cpu.max") << cpu_max << '\n';
  }
  [[nodiscard]] std::uint64_t id(const std::string& path) const {
    struct stat info{};
    REQUIRE(::stat((root + path).c_str(), &info) == 0);
    return info.st_ino;
  }
};

}  // namespace

TEST_CASE("cpu.max is read as the kernel writes it") {
  CHECK(parse_cpu_max("20000 100000")->quota_ns == 20 * kMs);
  CHECK(parse_cpu_max("20000 100000")->period_ns == 100 * kMs);
  CHECK(parse_cpu_max("max 50000")->quota_ns == 0);
  for (const char* bad :
       {"", "max", "0 100000", "5 0", "-1 100000", "1 2 3", "x 1", "1 99999999999999999999"})
    CHECK_FALSE(parse_cpu_max(bad));
}

TEST_CASE("groups with a bound and groups that may be throttled are found, others are not") {
  const Tree tree;
  tree.add("/plain", "max 100000");
  tree.add("/app/inner", "50000 100000");
  tree.add("/app", "max 100000");
  tree.add("/bare", "");
  const std::vector<std::string> throttled{"/app", "/missing"};
  const auto rules = read_group_rules(tree.root, throttled);
  REQUIRE(rules.size() == 2);
  for (const auto& rule : rules) {
    const bool is_app = rule.id == tree.id("/app");
    CHECK((is_app || rule.id == tree.id("/app/inner")));
    CHECK(rule.may_be_throttled == is_app);
    CHECK(rule.bound.quota_ns == (is_app ? 0 : 50 * kMs));
  }
  CHECK(read_group_rules(tree.root + "/nowhere", throttled).empty());
}
