// SPDX-License-Identifier: GPL-2.0-only
// Fuzzes the Varlink decoder: bytes in chunks of any size, as a socket may deliver them. The first
// byte of the input is the size of the chunks.
#include <cstdlib>

#include "proto/varlink_decoder.hpp"
#include "tests/fuzz/target.hpp"

using namespace morpheus;

namespace {

std::size_t depth_of(const Json& json) {
  std::size_t deepest = 0;
  if (json.is_structured())
    for (const auto& part : json) deepest = std::max(deepest, depth_of(part));
  return deepest + (json.is_structured() ? 1 : 0);
}

void check(const varlink::Message& message, const varlink::Limits& limits) {
  require(message.json.is_object());
  require(depth_of(message.json) <= limits.depth);
  // a decoded message encodes to the same bytes each time
  const auto bytes = varlink::encode_message(message.json);
  const auto again =
      varlink::parse_message(std::string_view(bytes).substr(0, bytes.size() - 1), limits.depth);
  require(again && varlink::encode_message(*again) == bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t chunk = 1u + *data;
  std::string_view rest(reinterpret_cast<const char*>(data + 1), size - 1);
  const varlink::Limits limits{.message_bytes = 4096, .depth = 8, .fds = 2};
  varlink::Decoder decoder(limits);
  bool broken = false;
  while (!rest.empty()) {
    decoder.feed(rest.substr(0, chunk));
    rest.remove_prefix(std::min(chunk, rest.size()));
    while (decoder.has_next()) {
      const auto next = decoder.next();
      require(next.has_value());
      require(!broken || !*next);  // after an error the stream is never trusted again
      broken = broken || !*next;
      if (broken) break;
      check(**next, limits);
    }
    require(broken || !decoder.next());
    require(decoder.buffered() <= limits.message_bytes);
  }
  return 0;
}
