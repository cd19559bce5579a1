// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/config/object_reader.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace morpheus;
using namespace morpheus::daemon;

TEST_CASE("the first thing that is wrong is reported as a sentence and by name") {
  const Json object{{"name", 1}, {"count", -1}, {"surplus", true}};
  ObjectReader reader(object, ObjectReader::Null::is_absent, "limits");
  CHECK_FALSE(reader.string("name"));
  CHECK_FALSE(reader.number("count", 0, 9));
  const auto wrong = reader.wrong();
  REQUIRE(wrong);
  CHECK(wrong->key == "name");
  CHECK(reader.result().error().text() == "limits.name: must be a string");
}

TEST_CASE("values outside their bounds and members that nothing reads are wrong") {
  const auto error = [](const Json& object) {
    ObjectReader reader(object, ObjectReader::Null::is_absent);
    (void)reader.number("count", 2, 5);
    (void)reader.string("name", 3);
    (void)reader.boolean("flag");
    const auto result = reader.result();
    return result ? "" : result.error().text();
  };
  CHECK(error({{"count", 2}, {"name", "abc"}, {"flag", false}}).empty());
  CHECK(error(Json::object()).empty());
  CHECK(error({{"count", 1}}) == "count: must be from 2 to 5");
  CHECK(error({{"count", 6}}) == "count: must be from 2 to 5");
  CHECK(error({{"count", 2.0}}) == "count: must be a whole number, 0 or more");
  CHECK(error({{"name", "abcd"}}) == "name: must be at most 3 bytes long");
  CHECK(error({{"flag", 0}}) == "flag: must be true or false");
  CHECK(error({{"flog", true}}) == "flog: unknown key");
  CHECK(error(Json::array()) == "the file: must be an object");
}

TEST_CASE("a required member that is absent is wrong") {
  const Json object = Json::object();
  ObjectReader reader(object, ObjectReader::Null::is_absent);
  CHECK(reader.required_number("slot", 9) == 0);
  CHECK(reader.wrong()->key == "slot");
}

TEST_CASE("null is a value or none, as the caller says") {
  const Json object{{"name", nullptr}};
  ObjectReader lenient(object, ObjectReader::Null::is_absent);
  CHECK_FALSE(lenient.string("name"));
  CHECK_FALSE(lenient.wrong());
  ObjectReader strict(object, ObjectReader::Null::is_wrong);
  CHECK_FALSE(strict.string("name"));
  CHECK(strict.wrong()->key == "name");
}

TEST_CASE("what is wrong inside a member is named by its path") {
  const Json object{{"limits", {{"workers", 0}}}, {"throttle", 1}};
  ObjectReader reader(object, ObjectReader::Null::is_wrong);
  std::uint32_t workers = 7;
  reader.read_object("limits", [&](ObjectReader& inner) { inner.read("workers", workers, 1, 9); });
  CHECK(workers == 7);
  CHECK(reader.result().error().text() == "limits.workers: must be from 1 to 9");
}
