// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/kernel/cpu_caches.hpp"

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "proto/events.h"

using namespace morpheus::daemon;

namespace {

/// A directory in the place of the kernel's.
struct Cpus {
  std::string root = "/tmp/morpheus-cpus-XXXXXX";
  Cpus() { REQUIRE(::mkdtemp(root.data()) != nullptr); }
  Cpus(const Cpus&) = delete;
  Cpus& operator=(const Cpus&) = delete;
  ~Cpus() { std::filesystem::remove_all(root); }
  void add(unsigned cpu, unsigned index, unsigned level, const std::string& shared) const {
    const auto cache = root + "/cpu" + std::to_string(cpu) + "/cache/index" + std::to_string(index);
    std::filesystem::create_directories(cache);
    std::ofstream(cache + "/level") << level << '\n';
    std::ofstream(cache + "/shared_cpu_list") << shared << '\n';
  }
};

using Numbers = std::vector<std::uint8_t>;

}  // namespace

TEST_CASE("CPUs that share the cache of the highest level have one number") {
  const Cpus cpus;
  for (const unsigned cpu : {0U, 1U, 2U, 3U}) {
    cpus.add(cpu, 0, 1, std::to_string(cpu));
    cpus.add(cpu, 1, 1, std::to_string(cpu));
    cpus.add(cpu, 2, 3, cpu % 2 == 0 ? "0,2" : "1,3");
    cpus.add(cpu, 3, 2, std::to_string(cpu));
  }
  CHECK(read_llcs(cpus.root, 4) == Numbers{0, 1, 0, 1});
}

TEST_CASE("a CPU about which nothing is known belongs to the first cache") {
  const Cpus cpus;
  cpus.add(0, 0, 3, "0");
  cpus.add(2, 0, 3, "2");
  CHECK(read_llcs(cpus.root, 4) == Numbers{0, 0, 1, 0});
  CHECK(read_llcs(cpus.root + "/nowhere", 2) == Numbers{0, 0});
}

TEST_CASE("more caches than the scheduler has queues for share the last") {
  const Cpus cpus;
  for (unsigned cpu = 0; cpu < MORPHEUS_MAX_LLCS + 2; ++cpu)
    cpus.add(cpu, 0, 2, std::to_string(cpu));
  const auto numbers = read_llcs(cpus.root, MORPHEUS_MAX_LLCS + 2);
  CHECK(numbers[MORPHEUS_MAX_LLCS - 1] == MORPHEUS_MAX_LLCS - 1);
  CHECK(numbers.back() == MORPHEUS_MAX_LLCS - 1);
}
