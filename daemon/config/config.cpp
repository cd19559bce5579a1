// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/config/config.hpp"

#include <sys/un.h>

#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "daemon/config/metrics_address.hpp"
#include "daemon/config/names.hpp"
#include "daemon/config/object_reader.hpp"
#include "proto/json.hpp"

namespace morpheus::daemon {
namespace {

struct LimitField {
  const char* name;
  std::uint32_t ConfigLimits::* field;
  std::uint32_t least, most;
};

constexpr std::uint32_t kMost = 1u << 30;
constexpr std::array kLimitFields{
    LimitField{"connections", &ConfigLimits::connections, 1, 1u << 20},
    LimitField{"connections_per_uid", &ConfigLimits::connections_per_uid, 1, 1u << 20},
    LimitField{"workers", &ConfigLimits::workers, 1, MORPHEUS_MAX_WORKERS - 1},
    LimitField{"workers_per_uid", &ConfigLimits::workers_per_uid, 1, MORPHEUS_MAX_WORKERS - 1},
    LimitField{"workers_per_client", &ConfigLimits::workers_per_client, 1,
               MORPHEUS_MAX_WORKERS - 1},
    LimitField{"memory_kib", &ConfigLimits::memory_kib, 8, kMost},
    LimitField{"memory_kib_per_uid", &ConfigLimits::memory_kib_per_uid, 8, kMost},
    LimitField{"requests", &ConfigLimits::requests, 1, kMost},
    LimitField{"requests_per_uid", &ConfigLimits::requests_per_uid, 1, kMost},
    LimitField{"subscribers", &ConfigLimits::subscribers, 1, kMost},
    LimitField{"subscribers_per_uid", &ConfigLimits::subscribers_per_uid, 1, kMost},
    LimitField{"message_bytes", &ConfigLimits::message_bytes, 1024, kMost},
    LimitField{"message_depth", &ConfigLimits::message_depth, 4, 1000},
    LimitField{"message_fds", &ConfigLimits::message_fds, 1, 253},
    LimitField{"unclosed_per_uid", &ConfigLimits::unclosed_per_uid, 1, kMost},
    LimitField{"requests_per_turn", &ConfigLimits::requests_per_turn, 1, kMost},
    LimitField{"output_bytes", &ConfigLimits::output_bytes, 64 * 1024, kMost},
    LimitField{"subscriber_events", &ConfigLimits::subscriber_events, 1, kMost},
    LimitField{"stall_timeout_ms", &ConfigLimits::stall_timeout_ms, 1, kMost},
    LimitField{"idle_timeout_ms", &ConfigLimits::idle_timeout_ms, 1, kMost},
    LimitField{"scheduler_restarts", &ConfigLimits::scheduler_restarts, 0, 1000},
    LimitField{"scheduler_backoff_ms", &ConfigLimits::scheduler_backoff_ms, 1, 60'000},
};

void read_limits(ObjectReader& reader, ConfigLimits& limits) {
  for (const auto& f : kLimitFields) reader.read(f.name, limits.*f.field, f.least, f.most);
}

void read_canary(ObjectReader& reader, ConfigCanary& canary) {
  reader.read("starved_ms", canary.starved_ms, 0, 60'000);
  reader.read("refuse_s", canary.refuse_s, 0, 86'400);
}

void read_tunables(ObjectReader& reader, morpheus_tunables& tunables) {
  for (const auto& f : kTunableFields) reader.read(f.name, tunables.*f.field, f.least, f.most);
  if (const auto checked = check_tunables(tunables); !checked)
    reader.refuse("", checked.error().what);
}

void read_cgroups(ObjectReader& reader, std::vector<std::string>& into) {
  const Json* value = reader.find("cgroups");
  if (value == nullptr) return;
  constexpr const char* kWhat = "must be a list of paths such as \"/system.slice/app.service\"";
  if (!value->is_array()) return reader.refuse("cgroups", kWhat);
  for (const auto& entry : *value) {
    const auto path = entry.is_string() ? entry.get<std::string>() : "";
    if (path.size() < 2 || path.front() != '/' || path.back() == '/' ||
        path.find("..") != std::string::npos)
      return reader.refuse("cgroups", kWhat);
    into.push_back(path);
  }
}

void read_throttle(ObjectReader& reader, ConfigThrottle& throttle) {
  read_cgroups(reader, throttle.cgroups);
  reader.read("percent", throttle.percent, 1, std::uint64_t{100} * MORPHEUS_MAX_CPUS);
  reader.read("penalty_ms", throttle.penalty_ms, 1, 600'000);
}

void read_socket(ObjectReader& reader, std::string& socket) {
  reader.read("socket", socket);
  if (const auto checked = check_socket_path(socket); !checked)
    reader.refuse("socket", checked.error().what);
}

void read_socket_mode(ObjectReader& reader, std::uint32_t& mode) {
  const auto text = reader.string("socket_mode");
  if (!text) return;
  std::uint32_t value = 0;
  const char* const end = text->data() + text->size();
  const auto parsed = std::from_chars(text->data(), end, value, 8);
  if (parsed.ec != std::errc{} || parsed.ptr != end || value > 0777)
    return reader.refuse("socket_mode", "must be an octal string such as \"0666\"");
  mode = value;
}

template <typename Choice, typename From>
void read_choice(ObjectReader& reader, const char* key, Choice& choice, From from,
                 const char* rule) {
  const auto name = reader.string(key);
  if (!name) return;
  if (const auto known = from(*name))
    choice = *known;
  else
    reader.refuse(key, rule);
}

void read_choices(ObjectReader& reader, Config& config) {
  read_choice(reader, "mode", config.mode, mode_from, "must be \"observer\" or \"enforced\"");
  read_choice(reader, "scope", config.scope, scope_from, "must be \"all\" or \"workers\"");
  static const std::set<std::string> kLevels{"trace", "debug", "info", "warn", "error", "off"};
  reader.read("log_level", config.log_level);
  if (!kLevels.contains(config.log_level))
    reader.refuse("log_level", "must be one of trace, debug, info, warn, error, off");
}

}  // namespace

Result<void> check_socket_path(const std::string& path) {
  constexpr auto kMostBytes = sizeof(sockaddr_un::sun_path) - 1;
  if (path.empty() || path.size() > kMostBytes || path.find('\0') != std::string::npos)
    return fail("must be a path of 1 to " + std::to_string(kMostBytes) + " bytes");
  return {};
}

Result<Config> parse_config(std::string_view text) {
  if (const auto wrong = json_fault(text, JsonComments::ignored); !wrong.empty())
    return fail("the file " + wrong);
  const Json parsed = parse_json(text, JsonComments::ignored);
  Config config;
  ObjectReader reader(parsed, ObjectReader::Null::is_wrong);
  read_socket(reader, config.socket);
  reader.read("attach_group", config.attach_group);
  reader.read("read_group", config.read_group);
  config.admin_group_is_chosen = reader.find("admin_group") != nullptr;
  reader.read("admin_group", config.admin_group);
  reader.read("metrics", config.metrics);
  if (!config.metrics.empty())
    if (const auto address = parse_metrics_address(config.metrics); !address)
      reader.refuse("metrics", address.error().what);
  read_socket_mode(reader, config.socket_mode);
  read_choices(reader, config);
  reader.read_object("tunables", [&](auto& inner) { read_tunables(inner, config.tunables); });
  reader.read_object("throttle", [&](auto& inner) { read_throttle(inner, config.throttle); });
  reader.read_object("limits", [&](auto& inner) { read_limits(inner, config.limits); });
  reader.read_object("canary", [&](auto& inner) { read_canary(inner, config.canary); });
  if (const auto read = reader.result(); !read) return tl::unexpected(read.error());
  return config;
}

Result<Config> load_config(const std::string& path, bool required) {
  std::error_code unknown;  // opening reports what matters
  const auto kind = std::filesystem::status(path, unknown).type();
  if (kind == std::filesystem::file_type::not_found && !required) return Config{};
  if (kind == std::filesystem::file_type::directory) return fail(path + ": is a directory");
  // a pipe or a device could hold up the daemon for ever
  if (std::filesystem::exists(std::filesystem::file_status(kind)) &&
      kind != std::filesystem::file_type::regular)
    return fail(path + ": is not a regular file");
  std::ifstream file(path);
  if (!file) return fail_errno("open " + path);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  auto config = parse_config(text);
  if (!config) return fail(path + ": " + config.error().text());
  return config;
}

}  // namespace morpheus::daemon
