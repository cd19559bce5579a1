// SPDX-License-Identifier: GPL-2.0-only
// Symbols of a compiled program: this one.
#include "daemon/ctl/blame/process_code.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "daemon/ctl/blame/apart.hpp"
#include "daemon/ctl/blame/group_paths.hpp"
#include "daemon/ctl/blame/symbolizer.hpp"

using namespace morpheus::ctl;
using morpheus::Json;

namespace {

constexpr int kLine = __LINE__ + 1;
[[gnu::noinline]] int planted(int x) {
  asm volatile("" : "+r"(x));
  return x + 1;
}

std::uint64_t address_of_planted() {
  return reinterpret_cast<std::uint64_t>(&planted) + 4;  // inside, behind the first instruction
}

std::string scratch_file(const std::string& text) {
  const auto path =
      std::filesystem::temp_directory_path() / ("morpheus-blame-" + std::to_string(::getpid()));
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

}  // namespace

TEST_CASE("mappings of code are read, and nothing else") {
  const auto mappings = parse_code_mappings(
      "55d0-55e0 r--p 00000000 fd:01 12 /usr/bin/app\n"
      "55e0-55f0 r-xp 00001000 fd:01 12                 /usr/bin/my app (deleted)\n"
      "7000-8000 r-xp 00000000 00:00 0 [vdso]\n"
      "9000-a000 rwxp 00000000 00:00 0 \n"
      "broken line\n-\nx-y r-xp\n1-2 r-xp zz");
  REQUIRE(mappings.size() == 3);
  CHECK(mappings[0].path == "/usr/bin/my app");
  CHECK(mappings[0].offset == 0x1000);
  CHECK(mappings[0].inode == 12);
  CHECK(mappings[1].path == "[vdso]");
  CHECK(mappings[2].path == "");
}

TEST_CASE("a function of a running program is found by address, and by build id and offset") {
  const int before = planted(1);
  REQUIRE(before == 2);
  ProcessCode code(::getpid(), ::getuid());
  code.identify();
  CHECK(code.unreadable() == 0);
  const auto by_address = code.at({"", address_of_planted(), false});
  REQUIRE_FALSE(by_address.empty());
  CHECK(by_address[0].function == "planted()");
  CHECK(file_name(by_address[0].file) == "process_code_test.cpp");
  CHECK(by_address[0].line >= kLine);
  CHECK(by_address[0].line <= kLine + 3);

  const int self = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  const auto id = build_id_of(self);
  ::close(self);
  REQUIRE(id);
  std::ifstream maps("/proc/self/maps");
  const std::string text{std::istreambuf_iterator<char>(maps), {}};
  const auto mappings = parse_code_mappings(text);
  const auto own = std::ranges::find_if(mappings, [](const CodeMapping& m) {
    return address_of_planted() >= m.start && address_of_planted() < m.end;
  });
  REQUIRE(own != mappings.end());
  const auto offset = address_of_planted() - own->start + own->offset;
  CHECK(code.at({*id, offset, false}) == by_address);
  CHECK_FALSE(code.at({*id, 1ull << 60, false})[0].is_known());
  CHECK_FALSE(code.at({"00", offset, false})[0].is_known());
}

TEST_CASE("a culprit's functions get their names, or the reason why they have none") {
  Tally tally;
  Json sample{{"worker_id", 1}, {"pid", ::getpid()}, {"uid", ::getuid()}};
  sample["frames"] = Json::array({{{"address", address_of_planted()}}});
  Json gone = sample;
  gone["worker_id"] = 2;
  gone["pid"] = 0x7fffffff;
  tally.add({{"samples", Json::array({sample, gone})}});
  Symbolizer symbols;
  for (const auto* culprit : tally.by_guilt()) {
    symbols.learn(*culprit);
    const auto places = symbols.places_of(*culprit, culprit->stacks.begin()->first);
    REQUIRE(places.size() == 1);
    CHECK(places[0].is_known() == (culprit->worker_id == 1));
    CHECK(symbols.trouble(*culprit).empty() == (culprit->worker_id == 1));
  }
}

TEST_CASE("files that are no ELF files, or broken ones, give no symbols and do no harm") {
  std::ifstream self("/proc/self/exe", std::ios::binary);
  std::string program{std::istreambuf_iterator<char>(self), {}};
  program.resize(20'000);  // the section headers are gone
  std::string scrambled = program;
  for (std::size_t i = 64; i < scrambled.size(); i += 7) scrambled[i] = static_cast<char>(i * 31);
  for (const auto& text : {std::string("\x7f"
                                       "ELF"),
                           std::string("#!/bin/sh\n"), std::string(), program, scrambled}) {
    const auto path = scratch_file(text);
    const auto ended = run_apart([&] {
      const morpheus::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
      (void)build_id_of(fd.get());
      const auto symbols = ElfSymbols::open(fd.get(), "broken");
      for (std::uint64_t at = 0; symbols && at < 8192; at += 64) (void)symbols->at(at, false);
      return std::string("whole");
    });
    // what matters is that this process goes on
    CHECK((!ended || *ended == "whole"));
    std::filesystem::remove(path);
  }
}

TEST_CASE("what runs apart takes only its result with it when it dies") {
  CHECK(run_apart([] { return std::string("result"); }).value() == "result");
  CHECK_FALSE(run_apart([]() -> std::string { throw std::runtime_error("x"); }));
  CHECK_FALSE(run_apart([]() -> std::string {
    ::raise(SIGKILL);
    return {};
  }));
  CHECK_FALSE(run_apart(
      []() -> std::string {
        for (;;) ::pause();
      },
      {.time = std::chrono::seconds(1)}));
  CHECK_FALSE(run_apart([] { return std::string(100'000, 'x'); }, {.result_bytes = 1000}));
}

TEST_CASE("a control group is known by the inode of its directory") {
  const auto root = scratch_file("") + ".d";
  std::filesystem::create_directories(root + "/a/b");
  struct stat about{};
  REQUIRE(::stat((root + "/a/b").c_str(), &about) == 0);
  GroupPaths groups(root);
  CHECK(groups.path_of(about.st_ino) == "/a/b");
  CHECK(groups.path_of(0) == "");
  std::filesystem::remove_all(root);
}
