// SPDX-License-Identifier: GPL-2.0-only
// What the library does without a daemon, and what it refuses.
#include <morpheus/morpheus.h>

#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <thread>

#include "tests/unit/sdk/attached_process.hpp"

using namespace morpheus::test;

TEST_CASE("without attaching, safe points are quiet and workers are refused") {
  struct morpheus_safepoint sp = morpheus_safepoint_get();
  CHECK_FALSE(morpheus_asked(&sp));
  CHECK_FALSE(morpheus_checkpoint(&sp));
  CHECK_FALSE(morpheus_checkpoint_here());
  CHECK_FALSE(morpheus_checkpoint_call());
  CHECK(morpheus_worker_register(nullptr) == MORPHEUS_ERR_NOT_ATTACHED);
  CHECK(morpheus_detach() == MORPHEUS_ERR_NOT_ATTACHED);
  CHECK(AttachedProcess::status().link == MORPHEUS_LINK_NONE);
}

TEST_CASE("an absent daemon is no error: the worker works and is never hinted") {
  const SocketPath path;
  const AttachedProcess process(path.text());
  morpheus_thread* self = start_worker();
  CHECK(morpheus_worker_self() == self);
  struct morpheus_safepoint sp = morpheus_safepoint_get();
  for (int i = 0; i < 1000; ++i) REQUIRE_FALSE(morpheus_checkpoint(&sp));

  const morpheus_status status = AttachedProcess::status();
  CHECK(status.link == MORPHEUS_LINK_WAITING);
  CHECK(status.workers == 1);
  CHECK(status.guided == 0);
  CHECK(std::strstr(status.last_error, path.text().c_str()) != nullptr);
  CHECK(stats().acks == 0);
  CHECK(morpheus_get_mode() == MORPHEUS_DETERMINISTIC);

  morpheus_guidance guidance{};
  guidance.cpu_time_ns = 1;
  CHECK(morpheus_get_guidance(&guidance) == MORPHEUS_OK);
  CHECK(guidance.cpu_time_ns == 0);
  CHECK(guidance.source == 0);
}

TEST_CASE("misuse is named") {
  const SocketPath path;
  const std::string socket = path.text();
  morpheus_options options{};
  options.socket = socket.c_str();
  options.max_workers = 4096;
  CHECK(morpheus_attach(&options) == MORPHEUS_ERR_INVALID);

  const AttachedProcess process(path.text(), 1);
  CHECK(morpheus_attach(nullptr) == MORPHEUS_ERR_ALREADY);
  CHECK(morpheus_worker_unregister() == MORPHEUS_ERR_NOT_REGISTERED);
  CHECK(morpheus_set_priority(1) == MORPHEUS_ERR_NOT_REGISTERED);

  morpheus_thread* self = nullptr;
  REQUIRE(morpheus_worker_register(&self) == MORPHEUS_OK);
  CHECK(morpheus_worker_register(nullptr) == MORPHEUS_ERR_ALREADY);
  CHECK(morpheus_worker_set_state(MORPHEUS_WORKER_QUIESCING) == MORPHEUS_ERR_STATE);
  CHECK(morpheus_worker_set_state(MORPHEUS_WORKER_DEAD) == MORPHEUS_ERR_INVALID);
  CHECK(morpheus_set_priority(MORPHEUS_PRIORITY_MAX + 1) == MORPHEUS_ERR_INVALID);
  CHECK(morpheus_set_policy(MORPHEUS_POLICY_COUNT) == MORPHEUS_ERR_INVALID);
  CHECK(morpheus_get_stats(nullptr) == MORPHEUS_ERR_INVALID);
  CHECK(morpheus_detach() == MORPHEUS_ERR_BUSY);

  morpheus_critical_enter(self);
  CHECK(morpheus_worker_unregister() == MORPHEUS_ERR_CRITICAL);
  morpheus_critical_exit(self);
}

TEST_CASE("every error has its name") {
  CHECK(std::strcmp(morpheus_error_name(MORPHEUS_ERR_BUSY), "MORPHEUS_ERR_BUSY") == 0);
  CHECK(std::strcmp(morpheus_error_name(MORPHEUS_ERR_SYSTEM), "MORPHEUS_ERR_SYSTEM") == 0);
  CHECK(std::strcmp(morpheus_error_name(-12345), "MORPHEUS_ERR_UNKNOWN") == 0);
  CHECK(std::strlen(morpheus_error_text(MORPHEUS_ERR_SYSTEM)) > 0);
}
