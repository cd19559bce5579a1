// SPDX-License-Identifier: GPL-2.0-only
// One Varlink call as the services see it: parameters that are checked before use, an answer or a
// named error. Nothing here knows about sockets.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "daemon/config/object_reader.hpp"
#include "daemon/rights/peer.hpp"
#include "proto/json.hpp"
#include "proto/result.hpp"
#include "proto/unique_fd.hpp"

namespace morpheus::daemon {

struct Client;
class Subscription;

/// A connection as the services see it. Lasts as long as the connection.
struct Caller {
  Peer peer;
  Client* client = nullptr;  ///< after Attach; owned by Clients
  std::shared_ptr<Subscription> subscription;
};

struct Call {
  std::string method;  ///< with its interface
  Json parameters = Json::object();
  FdList fds;
  bool more = false;
  bool oneway = false;  ///< the caller wants no reply, not even an error
};

struct Answer {
  Json parameters = Json::object();
  FdList fds;              ///< sent along; parameters name them by index
  bool continues = false;  ///< further replies come from the caller's subscription

  /// Writes a long list piece by piece, so that other users have their turns in between: appends
  /// the next piece of the parameters' text, and returns whether there is more. Replaces
  /// `parameters`.
  std::function<bool(std::string& text)> write_more{};
};

struct CallFault {
  std::string name;  ///< of the Varlink error, with its interface
  Json parameters = Json::object();
};

using Outcome = tl::expected<Answer, CallFault>;

[[nodiscard]] inline auto fault(std::string_view name, Json parameters = Json::object()) {
  return tl::unexpected<CallFault>(CallFault{std::string(name), std::move(parameters)});
}

[[nodiscard]] inline auto quota_fault(std::string_view name, const Quota& quota) {
  return fault(name, {{"what", quota.name}, {"limit", quota.limit}});
}

[[nodiscard]] inline auto invalid_parameter(const WrongMember& wrong) {
  return fault("org.varlink.service.InvalidParameter", {{"parameter", wrong.key}});
}

/// The most bytes of a name that a caller gives: a worker's, a library's, a mode's.
inline constexpr std::size_t kLongestName = 64;

/// Reads the call's parameters. null is the same as absent. `call` outlives the reader.
[[nodiscard]] inline ObjectReader parameters_of(const Call& call) {
  return {call.parameters, ObjectReader::Null::is_absent};
}

}  // namespace morpheus::daemon
