// SPDX-License-Identifier: GPL-2.0-only
// How much CPU a process may use, by fixtures of control groups.
#include "sdk/src/runtime/shared/cpu_share.hpp"

#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

using namespace morpheus::sdk;

namespace {

/// A file system of control groups.
class Groups {
 public:
  Groups() {
    char name[] = "/tmp/morpheus-groups-XXXXXX";
    if (::mkdtemp(name) == nullptr) throw std::runtime_error("mkdtemp");
    root_ = name;
  }
  Groups(const Groups&) = delete;
  Groups& operator=(const Groups&) = delete;
  ~Groups() { std::filesystem::remove_all(root_); }

  void bound(const std::string& path, const std::string& cpu_max) const {
    std::filesystem::create_directories(root_ + path);
    std::ofstream(root_ + path + "/cpu.max") << cpu_max << '\n';
  }
  [[nodiscard]] double quota(const std::string& path) const { return cpu_quota(root_, path); }

 private:
  std::string root_;
};

}  // namespace

TEST_CASE("the least quota on the way to the root counts") {
  const Groups groups;
  CHECK(groups.quota("/") == CpuShare::kNoQuota);
  CHECK(groups.quota("/absent/deeper") == CpuShare::kNoQuota);
  groups.bound("/a", "150000 100000");
  groups.bound("/a/b", "max 100000");
  groups.bound("/a/b/c", "800000 100000");
  CHECK(groups.quota("/a") == 1.5);
  CHECK(groups.quota("/a/b") == 1.5);
  CHECK(groups.quota("/a/b/c") == 1.5);
  groups.bound("/a/b/c", "25000 50000");
  CHECK(groups.quota("/a/b/c") == 0.5);
  CHECK(groups.quota("/a/b") == 1.5);
  CHECK(groups.quota("/ab") == CpuShare::kNoQuota);
  groups.bound("/", "10000 100000");  // the root of a container
  CHECK(groups.quota("/") == 0.1);
  CHECK(groups.quota("/a/b") == 0.1);
  CHECK(groups.quota("") == 0.1);
  groups.bound("/", "nonsense");
  CHECK(groups.quota("/a") == 1.5);
}

TEST_CASE("a runtime has a thread for each CPU that it may use, and for a part of one") {
  CHECK(CpuShare{.usable = 8}.count() == 8);
  CHECK(CpuShare{.usable = 8, .quota = 2}.count() == 2);
  CHECK(CpuShare{.usable = 8, .quota = 1.5}.count() == 2);
  CHECK(CpuShare{.usable = 8, .quota = 0.1}.count() == 1);
  CHECK(CpuShare{.usable = 2, .quota = 4}.count() == 2);
  CHECK_FALSE(CpuShare{.usable = 2, .quota = 2}.has_quota());
  CHECK(CpuShare{.usable = 2, .quota = 1.9}.has_quota());
  CHECK(CpuShare::of_this_process().count() >= 1);
}

TEST_CASE("the group's path is that of version 2") {
  CHECK(group_path("0::/user.slice/a b\n") == "/user.slice/a b");
  CHECK(group_path("12:cpu,cpuacct:/x\n0::/y\n") == "/y");
  CHECK(group_path("12:cpu,cpuacct:/x\n") == "");
  CHECK(group_path("") == "");
}
