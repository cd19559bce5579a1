// SPDX-License-Identifier: GPL-2.0-only
// Varlink framing, both ways. A message is one JSON object followed by one NUL byte:
//
//   | {"method":"io.morpheus.Worker.Register","parameters":{"pidfd":0}} | 00 |
//
// Descriptors travel beside the bytes; "pidfd":0 names the first that came with this message.
// The decoder takes bytes as they come from the socket; size, depth and descriptors are bounded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "proto/json.hpp"
#include "proto/unique_fd.hpp"

namespace morpheus::varlink {

using morpheus::Json;

enum class DecodeError {
  message_too_long,      ///< no NUL within the limit
  too_many_descriptors,  ///< with one message, or lost by the receiver
  invalid_utf8,
  invalid_json,
  too_deep,
  not_an_object,
};

/// The error's name, e.g. "message_too_long".
[[nodiscard]] std::string_view name(DecodeError error);

struct Limits {
  std::size_t message_bytes = std::size_t{256} << 10;  ///< without the NUL
  std::size_t depth = 32;                              ///< nested objects and arrays
  std::size_t fds = 16;                                ///< descriptors with one message
};

struct Message {
  Json json;  ///< always an object
  FdList fds;
};

/// Parses one message without its NUL. Pure.
[[nodiscard]] tl::expected<Json, DecodeError> parse_message(std::string_view text,
                                                            std::size_t max_depth);

/// The bytes of one message, with its NUL. In strings that are not UTF-8 (a process may have any
/// name) U+FFFD replaces each bad byte.
[[nodiscard]] std::string encode_message(const Json& message);

/// Cuts a byte stream into messages. An error is final, because the stream can no longer be
/// trusted: next() then always returns it.
class Decoder {
 public:
  explicit Decoder(Limits limits) : limits_(limits) {}

  /// Takes the result of one read, with `descriptors_lost` as receive_some() reports it.
  void feed(std::string_view bytes, FdList fds = {}, bool descriptors_lost = false);

  /// The next whole message; nothing if it needs more bytes.
  [[nodiscard]] std::optional<tl::expected<Message, DecodeError>> next();

  /// Whether it holds part of a message.
  [[nodiscard]] bool has_partial() const { return start_ < buffer_.size(); }
  /// Whether next() would return something.
  [[nodiscard]] bool has_next() const;
  /// Bytes that next() has not taken yet.
  [[nodiscard]] std::size_t buffered() const { return buffer_.size() - start_; }

  /// Descriptors that next() has not taken, also after an error: for a receiver that chooses where
  /// it closes a peer's descriptors.
  [[nodiscard]] FdList abandon();

 private:
  struct Batch {
    std::uint64_t at;  // the stream position of the last byte read with these descriptors
    FdList fds;
  };
  tl::expected<Message, DecodeError> broken(DecodeError error);
  void take_batches(std::uint64_t end, FdList& into);

  Limits limits_;
  std::string buffer_;
  std::size_t start_ = 0;    // where the next message starts in buffer_
  std::size_t scanned_ = 0;  // buffer_ has no NUL before this
  std::uint64_t base_ = 0;   // the stream position of buffer_[0]
  std::deque<Batch> batches_;
  std::size_t waiting_fds_ = 0;
  std::optional<DecodeError> error_;
};

}  // namespace morpheus::varlink
