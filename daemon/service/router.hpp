// SPDX-License-Identifier: GPL-2.0-only
// Finds the method that a call names, and answers org.varlink.service itself.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "daemon/service/call.hpp"

namespace morpheus::daemon {

class Router {
 public:
  using Method = std::function<Outcome(Call&, Caller&)>;

  Router();
  /// Offers an interface; `description` is the text of its .varlink file and outlives the router.
  void add_interface(std::string name, std::string_view description);
  /// `name` is the full name, in an interface that was added.
  void add_method(std::string name, Method method);

  /// Never throws and never blocks.
  [[nodiscard]] Outcome call(Call& call, Caller& caller) const;

 private:
  [[nodiscard]] Outcome get_info(Call& call) const;
  [[nodiscard]] Outcome get_interface_description(Call& call) const;

  std::map<std::string, std::string_view, std::less<>> interfaces_;
  std::map<std::string, Method, std::less<>> methods_;
};

/// Reads a message as a call, without its descriptors; nothing if it is no call. Pure.
[[nodiscard]] std::optional<Call> parse_call(Json message);

}  // namespace morpheus::daemon
