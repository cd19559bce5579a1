// SPDX-License-Identifier: GPL-2.0-only
// One Varlink call as the services see it: parameters that are checked before use, an answer or a
// named error. Nothing here knows about sockets.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "daemon/rights/peer.hpp"
#include "proto/json.hpp"
#include "proto/result.hpp"
#include "proto/unique_fd.hpp"

namespace morpheus::daemon {

struct Client;
class Subscription;

/// What a connection is to the services. Kept by the connection for as long as it lasts.
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

  /// A long list, written piece by piece so that others have their turn in between. Appends the
  /// next piece of the parameters' text, and says whether there is more. Takes the place of
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

[[nodiscard]] inline auto invalid_parameter(std::string_view parameter) {
  return fault("org.varlink.service.InvalidParameter", {{"parameter", parameter}});
}

/// Reads parameters and remembers the first that was wrong. null is the same as absent.
class Parameters {
 public:
  explicit Parameters(const Json& object) : object_(object) {}

  /// A whole number from 0 to `most`.
  [[nodiscard]] std::optional<std::uint64_t> optional_number(const char* name, std::uint64_t most);
  [[nodiscard]] std::uint64_t number(const char* name, std::uint64_t most);
  /// A string of at most `most` bytes.
  [[nodiscard]] std::optional<std::string> optional_string(const char* name, std::size_t most);
  [[nodiscard]] std::string string(const char* name, std::size_t most);

  [[nodiscard]] std::optional<bool> optional_bool(const char* name);

  void refuse(const char* name) {
    if (!wrong_) wrong_ = name;
  }
  /// The first wrong parameter; one that was never asked for is wrong too.
  [[nodiscard]] std::optional<std::string> wrong() const;

 private:
  const Json* find(const char* name);
  const Json& object_;
  std::vector<std::string_view> known_;
  std::optional<std::string> wrong_;
};

}  // namespace morpheus::daemon
