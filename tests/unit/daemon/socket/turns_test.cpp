// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/socket/turns.hpp"

#include <catch2/catch_test_macros.hpp>
#include <thread>

using namespace morpheus::daemon;
using namespace std::chrono_literals;

namespace {

// Takes a while in each turn, and records whose turn it was.
struct Work : TurnTaker {
  Work(std::string& order, char name, int turns, std::chrono::microseconds each)
      : order(order), name(name), left(turns), each(each) {}
  bool take_turn() override {
    order.push_back(name);
    if (each > 0us) std::this_thread::sleep_for(each);
    return --left > 0;
  }
  std::string& order;
  char name;
  int left;
  std::chrono::microseconds each;
};

}  // namespace

TEST_CASE("who asks little waits for one turn of another, however many that one has") {
  boost::asio::io_context loop;
  Turns turns(loop);
  std::string order;
  for (int i = 0; i < 5; ++i) turns.enqueue(1000, std::make_shared<Work>(order, 'h', 4, 20ms));
  CHECK(turns.run_one());
  CHECK(turns.run_one());
  turns.enqueue(1001, std::make_shared<Work>(order, 'l', 3, 0us));
  while (turns.run_one()) {
  }
  CHECK(order.size() == 5 * 4 + 3);
  CHECK(order.find("lll") <= 3);
}

TEST_CASE("connections of one user take turns, and all get done on the loop") {
  boost::asio::io_context loop;
  Turns turns(loop);
  std::string order;
  turns.enqueue(1000, std::make_shared<Work>(order, 'a', 3, 0us));
  turns.enqueue(1000, std::make_shared<Work>(order, 'b', 3, 0us));
  loop.run();
  CHECK(order == "ababab");
}

TEST_CASE("absence earns nothing") {
  boost::asio::io_context loop;
  Turns turns(loop);
  std::string order;
  turns.enqueue(1000, std::make_shared<Work>(order, 'a', 1, 20ms));
  while (turns.run_one()) {
  }
  // the newcomer must not get twenty milliseconds on end for what the other had before
  turns.enqueue(1000, std::make_shared<Work>(order, 'a', 4, 1ms));
  turns.enqueue(1001, std::make_shared<Work>(order, 'b', 20, 1ms));
  for (int i = 0; i < 8; ++i) (void)turns.run_one();
  CHECK(std::count(order.begin(), order.end(), 'a') >= 1 + 2);
}
