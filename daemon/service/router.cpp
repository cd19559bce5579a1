// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/service/router.hpp"

#include <cassert>

#include "proto/interfaces.hpp"

namespace morpheus::daemon {
namespace {

constexpr std::size_t kLongestInterface = 256;

std::string_view interface_of(std::string_view method) {
  const auto dot = method.rfind('.');
  return dot == std::string_view::npos ? std::string_view() : method.substr(0, dot);
}

bool is_flag(const Json& message, const char* name, bool& value) {
  const auto it = message.find(name);
  if (it == message.end() || it->is_null()) return true;
  if (!it->is_boolean()) return false;
  value = it->get<bool>();
  return true;
}

}  // namespace

std::optional<Call> parse_call(Json message) {
  Call call;
  if (!is_flag(message, "more", call.more) || !is_flag(message, "oneway", call.oneway))
    return std::nullopt;
  if (call.more && call.oneway) return std::nullopt;
  const auto method = message.find("method");
  if (method == message.end() || !method->is_string()) return std::nullopt;
  call.method = method->get<std::string>();
  if (const auto it = message.find("parameters"); it != message.end() && !it->is_null()) {
    if (!it->is_object()) return std::nullopt;
    call.parameters = std::move(*it);
  }
  return call;
}

Router::Router() {
  add_interface("org.varlink.service", varlink::kServiceInterface);
  add_method("org.varlink.service.GetInfo", [this](Call& call, Caller&) { return get_info(call); });
  add_method("org.varlink.service.GetInterfaceDescription",
             [this](Call& call, Caller&) { return get_interface_description(call); });
}

void Router::add_interface(std::string name, std::string_view description) {
  interfaces_.emplace(std::move(name), description);
}

void Router::add_method(std::string name, Method method) {
  assert(interfaces_.contains(interface_of(name)));
  methods_.emplace(std::move(name), std::move(method));
}

Outcome Router::call(Call& call, Caller& caller) const {
  if (const auto it = methods_.find(call.method); it != methods_.end())
    return it->second(call, caller);
  const std::string_view name = interface_of(call.method);
  if (!interfaces_.contains(name))
    return fault("org.varlink.service.InterfaceNotFound", {{"interface", name}});
  return fault("org.varlink.service.MethodNotFound", {{"method", call.method}});
}

Outcome Router::get_info(Call& call) const {
  if (const auto wrong = parameters_of(call).wrong()) return invalid_parameter(*wrong);
  Json names = Json::array();
  for (const auto& [name, description] : interfaces_) names.push_back(name);
  return Answer{{{"vendor", "Morpheus"},
                 {"product", "morpheusd"},
                 {"version", MORPHEUS_PROJECT_VERSION},
                 {"url", ""},
                 {"interfaces", std::move(names)}},
                {},
                false};
}

Outcome Router::get_interface_description(Call& call) const {
  auto parameters = parameters_of(call);
  const std::string name = parameters.required_string("interface", kLongestInterface);
  if (const auto wrong = parameters.wrong()) return invalid_parameter(*wrong);
  const auto it = interfaces_.find(name);
  if (it == interfaces_.end())
    return fault("org.varlink.service.InterfaceNotFound", {{"interface", name}});
  return Answer{{{"description", it->second}}, {}, false};
}

}  // namespace morpheus::daemon
