// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/rights/accounts.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace morpheus::daemon;

namespace {

constexpr uid_t kDaemon = 900, kAlice = 1000, kBob = 1001;

std::string exceeded(const Accounts& accounts, uid_t uid, Resource resource, std::uint64_t amount) {
  const auto checked = accounts.check(uid, resource, amount);
  return checked ? "" : checked.error().quota.value().name;
}

}  // namespace

TEST_CASE("each resource has a limit for one user and one for all") {
  ConfigLimits limits;
  limits.connections = limits.workers = limits.requests = limits.subscribers = 3;
  limits.connections_per_uid = limits.workers_per_uid = limits.requests_per_uid =
      limits.subscribers_per_uid = 2;
  const std::pair<Resource, std::string> all[]{{Resource::connections, "connections"},
                                               {Resource::workers, "workers"},
                                               {Resource::requests, "requests"},
                                               {Resource::subscribers, "subscribers"}};
  for (const auto& [resource, name] : all) {
    Accounts accounts(limits, kDaemon);
    accounts.take(kAlice, resource, 2);
    CHECK(exceeded(accounts, kAlice, resource, 1) == name + "_per_uid");
    CHECK(exceeded(accounts, kBob, resource, 1).empty());
    accounts.take(kBob, resource, 1);
    CHECK(exceeded(accounts, kBob, resource, 1) == name);
    accounts.give_back(kAlice, resource, 1);
    CHECK(exceeded(accounts, kBob, resource, 1).empty());
  }
}

TEST_CASE("memory is counted in bytes and limited in KiB") {
  ConfigLimits limits;
  limits.memory_kib = 3;
  limits.memory_kib_per_uid = 2;
  Accounts accounts(limits, kDaemon);
  CHECK(exceeded(accounts, kAlice, Resource::memory, 2048).empty());
  CHECK(exceeded(accounts, kAlice, Resource::memory, 2049) == "memory_kib_per_uid");
  accounts.take(kAlice, Resource::memory, 2048);
  CHECK(exceeded(accounts, kBob, Resource::memory, 1025) == "memory_kib");
}

TEST_CASE("users together cannot lock the operator out") {
  ConfigLimits limits;
  limits.connections = 1;
  limits.workers = 1;
  Accounts accounts(limits, kDaemon);
  accounts.take(kAlice, Resource::connections, 1);
  CHECK(exceeded(accounts, kBob, Resource::connections, 1) == "connections");
  for (const uid_t uid : {uid_t{0}, kDaemon})
    CHECK(exceeded(accounts, uid, Resource::connections, 1).empty());
  accounts.take(kAlice, Resource::workers, 1);
  // the kernel's table has no more, not even for root
  CHECK(exceeded(accounts, 0, Resource::workers, 1) == "workers");
}

TEST_CASE("a charge changes its size, refuses to grow too much, and is given back") {
  ConfigLimits limits;
  limits.requests_per_uid = 4;
  Accounts accounts(limits, kDaemon);
  {
    Charge charge(accounts, kAlice, Resource::requests);
    CHECK(charge.resize(3));
    CHECK(accounts.taken(kAlice, Resource::requests) == 3);
    const auto refused = charge.resize(5);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().quota.value().limit == 4);
    CHECK(refused.error().text() == "requests_per_uid is 4");
    CHECK(accounts.taken(kAlice, Resource::requests) == 3);
    CHECK(charge.resize(1));
    CHECK(accounts.taken(kAlice, Resource::requests) == 1);
  }
  CHECK(accounts.taken(kAlice, Resource::requests) == 0);
  CHECK(accounts.total(Resource::requests) == 0);
}
