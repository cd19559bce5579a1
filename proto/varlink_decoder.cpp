// SPDX-License-Identifier: GPL-2.0-only
#include "proto/varlink_decoder.hpp"

#include <iterator>

namespace morpheus::varlink {
namespace {

// Whether brackets outside strings nest deeper than allowed. Checked before parsing, so that a
// hostile message costs one pass and no memory.
bool nests_deeper(std::string_view text, std::size_t max_depth) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > max_depth) return true;
    } else if ((c == '}' || c == ']') && depth > 0) {
      --depth;
    }
  }
  return false;
}

// The length of the UTF-8 sequence that starts with `lead`; 0 if none does (RFC 3629).
std::size_t sequence_length(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return 2;
  if ((lead & 0xf0) == 0xe0) return 3;
  if (lead >= 0xf0 && lead <= 0xf4) return 4;
  return 0;
}

// Excludes overlong forms, surrogates and everything above U+10FFFF.
bool second_byte_fits(unsigned char lead, unsigned char second) {
  switch (lead) {
    case 0xe0:
      return second >= 0xa0;
    case 0xed:
      return second <= 0x9f;
    case 0xf0:
      return second >= 0x90;
    case 0xf4:
      return second <= 0x8f;
    default:
      return true;
  }
}

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = sequence_length(lead);
    if (length == 0 || length > text.size() - i) return false;
    for (std::size_t k = 1; k < length; ++k)
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return false;
    if (length > 1 && !second_byte_fits(lead, static_cast<unsigned char>(text[i + 1])))
      return false;
    i += length;
  }
  return true;
}

}  // namespace

std::string_view name(DecodeError error) {
  switch (error) {
    case DecodeError::message_too_long:
      return "message_too_long";
    case DecodeError::too_many_descriptors:
      return "too_many_descriptors";
    case DecodeError::invalid_utf8:
      return "invalid_utf8";
    case DecodeError::invalid_json:
      return "invalid_json";
    case DecodeError::too_deep:
      return "too_deep";
    case DecodeError::not_an_object:
      return "not_an_object";
  }
  return "unknown";
}

tl::expected<Json, DecodeError> parse_message(std::string_view text, std::size_t max_depth) {
  if (!is_utf8(text)) return tl::unexpected(DecodeError::invalid_utf8);
  if (nests_deeper(text, max_depth)) return tl::unexpected(DecodeError::too_deep);
  Json json = parse_json(text);
  if (json.is_discarded()) return tl::unexpected(DecodeError::invalid_json);
  if (!json.is_object()) return tl::unexpected(DecodeError::not_an_object);
  return json;
}

std::string encode_message(const Json& message) {
  std::string bytes = json_text(message);
  bytes.push_back('\0');
  return bytes;
}

void Decoder::feed(std::string_view bytes, FdList fds, bool descriptors_lost) {
  if (error_) {
    batches_.push_back({0, std::move(fds)});  // for abandon()
    return;
  }
  if (start_ > 0) {
    buffer_.erase(0, start_);
    base_ += start_;
    scanned_ -= start_;
    start_ = 0;
  }
  buffer_.append(bytes);
  if (descriptors_lost) error_ = DecodeError::too_many_descriptors;
  if (fds.empty() || bytes.empty()) return;
  waiting_fds_ += fds.size();
  batches_.push_back({base_ + buffer_.size() - 1, std::move(fds)});
  if (waiting_fds_ > limits_.fds) error_ = DecodeError::too_many_descriptors;
}

std::optional<tl::expected<Message, DecodeError>> Decoder::next() {
  if (error_) return broken(*error_);
  const std::size_t nul = buffer_.find('\0', scanned_);
  const std::size_t length = (nul == std::string::npos ? buffer_.size() : nul) - start_;
  if (length > limits_.message_bytes) return broken(DecodeError::message_too_long);
  if (nul == std::string::npos) {
    scanned_ = buffer_.size();
    return std::nullopt;
  }
  auto json = parse_message(std::string_view(buffer_).substr(start_, length), limits_.depth);
  if (!json) return broken(json.error());
  Message message{std::move(*json), {}};
  take_batches(base_ + nul, message.fds);
  start_ = scanned_ = nul + 1;
  return message;
}

bool Decoder::has_next() const {
  return error_ || buffered() > limits_.message_bytes ||
         buffer_.find('\0', scanned_) != std::string::npos;
}

FdList Decoder::abandon() {
  FdList all;
  for (auto& batch : batches_)
    all.insert(all.end(), std::move_iterator(batch.fds.begin()),
               std::move_iterator(batch.fds.end()));
  batches_.clear();
  waiting_fds_ = 0;
  return all;
}

tl::expected<Message, DecodeError> Decoder::broken(DecodeError error) {
  error_ = error;
  buffer_.clear();
  start_ = scanned_ = 0;
  return tl::unexpected(error);
}

void Decoder::take_batches(std::uint64_t end, FdList& into) {
  while (!batches_.empty() && batches_.front().at <= end) {
    FdList& fds = batches_.front().fds;
    waiting_fds_ -= fds.size();
    into.insert(into.end(), std::move_iterator(fds.begin()), std::move_iterator(fds.end()));
    batches_.pop_front();
  }
}

}  // namespace morpheus::varlink
