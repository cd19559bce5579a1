// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/state/blame.hpp"

#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <nlohmann/json.hpp>

using namespace morpheus::daemon;

namespace {

BlameEntry entry_of(uid_t client, std::uint32_t thread) {
  morpheus_blame_sample sample{};
  sample.head.kind = MORPHEUS_BLAME_SAMPLE;
  sample.head.uid = thread;
  return {.record = sample, .pid = 1, .tid = 2, .uid = client, .process = "app"};
}

}  // namespace

TEST_CASE("a user sees the stacks of his own processes only, root and administrators all") {
  const BlameViewer alice{.uid = 1000}, admin{.uid = 1001, .sees_all = true};
  CHECK(alice.may_see(entry_of(1000, 1000)));
  CHECK_FALSE(alice.may_see(entry_of(1001, 1001)));
  CHECK_FALSE(alice.may_see(entry_of(0, 0)));
  // attached as Alice's, and another user's since, or both
  CHECK_FALSE(alice.may_see(entry_of(1000, 0)));
  CHECK_FALSE(alice.may_see(entry_of(1000, MORPHEUS_UID_MIXED)));
  CHECK_FALSE(BlameViewer{.uid = MORPHEUS_UID_MIXED}.may_see(entry_of(0, MORPHEUS_UID_MIXED)));
  CHECK(admin.may_see(entry_of(1000, MORPHEUS_UID_MIXED)));
}

TEST_CASE("of the threads that waited a user sees only his own by name") {
  morpheus_blame_wait wait{};
  wait.head.uid = 1001;
  wait.waited_ns = 5;
  std::strcpy(wait.thread, "secret");
  const auto hidden = wait_json(wait, {.uid = 1000});
  CHECK(hidden["waited_ns"] == 5);
  CHECK(hidden.dump().find("secret") == std::string::npos);
  CHECK_FALSE(hidden.contains("waiter"));
  CHECK(wait_json(wait, {.uid = 1001})["waiter"]["thread"] == "secret");
  CHECK(wait_json(wait, {.uid = 0, .sees_all = true}).contains("waiter"));
}

TEST_CASE("a stack becomes JSON as far as it is filled, and no name breaks it") {
  auto entry = entry_of(1, 1);
  auto sample = std::get<morpheus_blame_sample>(entry.record);
  std::memset(sample.thread, 0xff, sizeof(sample.thread));
  sample.frames[0] = {.status = MORPHEUS_FRAME_BUILD_ID, .build_id = {0xab, 0x0c}, .at = 7};
  sample.frames[1] = {.status = MORPHEUS_FRAME_ADDRESS, .build_id = {}, .at = 8};
  sample.stack_bytes = 3 * sizeof(morpheus_blame_frame);
  const auto json = sample_json(entry, sample);
  REQUIRE(json["frames"].size() == 2);
  CHECK(json["frames"][0]["build_id"] == "ab0c000000000000000000000000000000000000");
  CHECK(json["frames"][0]["offset"] == 7);
  CHECK(json["frames"][1]["address"] == 8);
  CHECK(json["thread"] == "????????????????");
  sample.stack_bytes = -14;
  CHECK(sample_json(entry, sample)["frames"].empty());
  sample.stack_bytes = 0x7fffffff;  // what cannot be
  CHECK(sample_json(entry, sample)["frames"].size() == 2);
}
