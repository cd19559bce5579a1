// SPDX-License-Identifier: GPL-2.0-only
#include "proto/varlink_decoder.hpp"

#include <fcntl.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using namespace morpheus;
using namespace morpheus::varlink;
using namespace std::string_literals;

namespace {

FdList some_fds(int count) {
  FdList fds;
  for (int i = 0; i < count; ++i) fds.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  return fds;
}

DecodeError error_of(std::string_view text) {
  auto parsed = parse_message(text, 32);
  REQUIRE_FALSE(parsed);
  return parsed.error();
}

DecodeError next_error(Decoder& decoder) {
  auto next = decoder.next();
  REQUIRE(next);
  REQUIRE_FALSE(*next);
  return next->error();
}

}  // namespace

TEST_CASE("what is no Varlink message is refused by name") {
  CHECK(error_of("") == DecodeError::invalid_json);
  CHECK(error_of("{\"a\":") == DecodeError::invalid_json);
  CHECK(error_of("{} {}") == DecodeError::invalid_json);
  CHECK(error_of("[1]") == DecodeError::not_an_object);
  CHECK(error_of("null") == DecodeError::not_an_object);
  CHECK(name(DecodeError::not_an_object) == "not_an_object");
}

TEST_CASE("UTF-8 is strict, in and outside of strings") {
  const std::string bad =
      GENERATE("\x80"s, "\xc0\xaf"s, "\xc1\xbf"s, "\xe0\x80\xaf"s, "\xed\xa0\x80"s,
               "\xf0\x80\x80\x80"s, "\xf4\x90\x80\x80"s, "\xf5\x80\x80\x80"s, "\xff"s, "\xe2\x82"s);
  CHECK(error_of("{\"a\":\"" + bad + "\"}") == DecodeError::invalid_utf8);
  CHECK(error_of("{}" + bad) == DecodeError::invalid_utf8);
}

TEST_CASE("good UTF-8 passes") {
  auto parsed = parse_message("{\"a\":\"é€\U0001F600\"}", 32);
  REQUIRE(parsed);
  CHECK((*parsed)["a"] == "é€\U0001F600");
}

TEST_CASE("depth is bounded, and brackets inside strings do not count") {
  const auto nested = [](int depth) {
    return "{\"a\":" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
  };
  CHECK(parse_message(nested(32), 32));
  CHECK(error_of(nested(33)) == DecodeError::too_deep);
  CHECK(error_of(std::string(200000, '[')) == DecodeError::too_deep);
  CHECK(parse_message("{\"a\":\"" + std::string(100, '[') + "\\\"[[\"}", 2));
}

TEST_CASE("messages come out whole, however the bytes were cut") {
  const std::string stream = "{\"n\":1}\0{\"n\":2}\0{\"n\":3}\0"s;
  const std::size_t step = GENERATE(1, 2, 3, 5, 8, 100);
  Decoder decoder({});
  int seen = 0;
  for (std::size_t at = 0; at < stream.size(); at += step) {
    decoder.feed(std::string_view(stream).substr(at, step));
    while (auto message = decoder.next()) {
      REQUIRE(*message);
      CHECK((*message)->json["n"] == ++seen);
    }
  }
  CHECK(seen == 3);
  CHECK_FALSE(decoder.has_partial());
}

TEST_CASE("a message over the limit is refused before its end comes") {
  Decoder decoder({.message_bytes = 10});
  decoder.feed("{\"a\":12345");
  CHECK_FALSE(decoder.next());
  CHECK(decoder.has_partial());
  decoder.feed("6");
  CHECK(next_error(decoder) == DecodeError::message_too_long);
  decoder.feed("}\0{}\0"s);
  CHECK(next_error(decoder) == DecodeError::message_too_long);
}

TEST_CASE("a message of exactly the limit passes") {
  Decoder decoder({.message_bytes = 8});
  decoder.feed("{\"a\":12}\0"s);
  auto message = decoder.next();
  REQUIRE(message);
  CHECK(*message);
}

TEST_CASE("descriptors belong to the message that holds the last byte of their read") {
  Decoder decoder({});
  decoder.feed("{\"n\":1}\0{\"n\""s, some_fds(2));
  auto first = decoder.next();
  REQUIRE(first);
  CHECK((*first)->fds.empty());
  decoder.feed(":2}\0"s);
  auto second = decoder.next();
  REQUIRE(second);
  CHECK((*second)->fds.size() == 2);
}

TEST_CASE("descriptors are bounded, and after a refusal they are the receiver's to close") {
  Decoder decoder({.fds = 2});
  auto fds = some_fds(3);
  const int raw = fds[0].get();
  decoder.feed("{", std::move(fds));
  CHECK(next_error(decoder) == DecodeError::too_many_descriptors);
  decoder.feed("}", some_fds(1));
  CHECK(decoder.abandon().size() == 4);
  CHECK(::fcntl(raw, F_GETFD) == -1);
  CHECK(decoder.abandon().empty());
  CHECK(next_error(decoder) == DecodeError::too_many_descriptors);
}

TEST_CASE("the decoder says what has come before it is taken") {
  Decoder decoder({.message_bytes = 8});
  decoder.feed("{}");
  CHECK_FALSE(decoder.has_next());
  CHECK(decoder.buffered() == 2);
  decoder.feed("\0{"s);
  CHECK(decoder.has_next());
  REQUIRE(decoder.next());
  CHECK_FALSE(decoder.has_next());
  CHECK(decoder.buffered() == 1);
  decoder.feed("         ");
  CHECK(decoder.has_next());  // too long already
}

TEST_CASE("descriptors trickled in with one message are counted together") {
  Decoder decoder({.fds = 2});
  decoder.feed("{", some_fds(1));
  decoder.feed(" ", some_fds(1));
  CHECK_FALSE(decoder.next());
  decoder.feed(" ", some_fds(1));
  CHECK(next_error(decoder) == DecodeError::too_many_descriptors);
}

TEST_CASE("descriptors that the receiver lost are an error") {
  Decoder decoder({});
  decoder.feed("{}\0"s, {}, true);
  CHECK(next_error(decoder) == DecodeError::too_many_descriptors);
}

TEST_CASE("encoding ends with NUL and is always valid UTF-8") {
  CHECK(encode_message({{"a", 1}}) == "{\"a\":1}\0"s);
  CHECK(encode_message({{"a", "\xff"}}) == "{\"a\":\"\xef\xbf\xbd\"}\0"s);
}
