// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/rights/access.hpp"

#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

using namespace morpheus::daemon;

namespace {

Peer peer_of(uid_t uid, gid_t gid, std::vector<gid_t> groups = {}) {
  Peer peer;
  peer.uid = uid;
  peer.gid = gid;
  peer.groups = std::move(groups);
  return peer;
}

}  // namespace

TEST_CASE("root, the daemon's user and the admin group may change things") {
  const AccessRules rules{.daemon_uid = 500, .admins = gid_t{77}};
  CHECK_FALSE(rules.allow(peer_of(1000, 1000), Right::change));
  CHECK(rules.allow(peer_of(1000, 1000, {5, 77}), Right::change));
  CHECK(rules.allow(peer_of(1000, 77), Right::change));
  CHECK(rules.allow(peer_of(500, 500), Right::change));
  CHECK(rules.allow(peer_of(0, 0), Right::change));
  CHECK_FALSE(AccessRules{500, std::nullopt}.allow(peer_of(1000, 77), Right::change));
}

TEST_CASE("everybody may attach and read unless a group is named, administrators in any case") {
  AccessRules rules{.daemon_uid = 500, .admins = gid_t{77}};
  for (const auto right : {Right::attach, Right::read})
    CHECK(rules.allow(peer_of(1000, 1000), right));
  rules.attach = {.group = gid_t{88}};
  rules.read = {.group = std::nullopt};  // a group that does not exist has no members
  CHECK(rules.allow(peer_of(1000, 88), Right::attach));
  CHECK_FALSE(rules.allow(peer_of(1000, 1000), Right::attach));
  CHECK_FALSE(rules.allow(peer_of(1000, 88), Right::read));
  for (const auto right : {Right::attach, Right::read}) {
    CHECK(rules.allow(peer_of(1000, 1000, {77}), right));
    CHECK(rules.allow(peer_of(0, 0), right));
  }
}

TEST_CASE("groups are looked up by name, and those that do not exist are reported") {
  Config config;
  config.admin_group = "root";
  config.attach_group = "morpheus-no-such-group";
  std::vector<std::string> missing;
  const auto rules = AccessRules::from(config, missing);
  CHECK(missing == std::vector<std::string>{"morpheus-no-such-group"});
  CHECK(rules.admins == gid_t{0});
  CHECK(rules.attach.has_value());
  CHECK_FALSE(rules.read.has_value());
}
