// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/config/metrics_address.hpp"

#include <arpa/inet.h>

#include <charconv>

namespace morpheus::daemon {
namespace {

bool is_loopback(const std::string& host, bool in_brackets, bool& is_address) {
  in_addr four{};
  in6_addr six{};
  if (!in_brackets && ::inet_pton(AF_INET, host.c_str(), &four) == 1) {
    is_address = true;
    return (ntohl(four.s_addr) >> 24) == 127;
  }
  is_address = in_brackets && ::inet_pton(AF_INET6, host.c_str(), &six) == 1;
  return is_address && IN6_IS_ADDR_LOOPBACK(&six);
}

}  // namespace

Result<MetricsAddress> parse_metrics_address(const std::string& text) {
  const auto colon = text.rfind(':');
  MetricsAddress at;
  at.host = text.substr(0, colon);
  const bool in_brackets = at.host.size() > 2 && at.host.front() == '[' && at.host.back() == ']';
  if (in_brackets) at.host = at.host.substr(1, at.host.size() - 2);
  bool is_address = false;
  const bool loopback = is_loopback(at.host, in_brackets, is_address);
  const char* end = text.data() + text.size();
  const char* digits = colon == std::string::npos ? end : text.data() + colon + 1;
  const auto parsed = std::from_chars(digits, end, at.port);
  if (!is_address || parsed.ec != std::errc{} || parsed.ptr != end)
    return fail("must be ADDRESS:PORT, such as 127.0.0.1:9464 or [::1]:9464");
  if (!loopback)
    return fail(
        "must be a loopback address, 127.0.0.1 or [::1]; to let other hosts scrape it, put a proxy "
        "in front of it");
  return at;
}

}  // namespace morpheus::daemon
