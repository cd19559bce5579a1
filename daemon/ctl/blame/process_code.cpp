// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/blame/process_code.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <utility>

namespace morpheus::ctl {
namespace {

constexpr std::size_t kMostMappings = 4096;
constexpr std::size_t kMostFiles = 512;
constexpr std::size_t kMostBytes = std::size_t{64} << 20;  // of maps, and of a perf map
constexpr off_t kLargestFile = off_t{8} << 30;

// A regular file only: a pipe or a device would make the reader wait.
UniqueFd open_file(const std::string& path, int flags = 0) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags));
  struct stat about{};
  if (!fd || ::fstat(fd.get(), &about) != 0 || !S_ISREG(about.st_mode) ||
      about.st_size > kLargestFile)
    return {};
  return fd;
}

std::string read_text(int fd) {
  std::string text;
  char buffer[65536];
  for (ssize_t got = 0; text.size() < kMostBytes && (got = ::read(fd, buffer, sizeof(buffer))) > 0;)
    text.append(buffer, static_cast<std::size_t>(got));
  return text;
}

bool take_hex(std::string_view& line, std::uint64_t& into) {
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), into, 16);
  line.remove_prefix(static_cast<std::size_t>(end - line.data()));
  return error == std::errc{};
}

std::string_view take_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  const auto word = line.substr(0, line.find(' '));
  line.remove_prefix(word.size());
  return word;
}

// "START-END PERMS OFFSET DEVICE INODE   PATH"
std::optional<CodeMapping> parse_mapping(std::string_view line) {
  CodeMapping mapping;
  if (!take_hex(line, mapping.start) || !line.starts_with('-')) return std::nullopt;
  line.remove_prefix(1);
  if (!take_hex(line, mapping.end)) return std::nullopt;
  const auto rights = take_word(line);
  if (rights.find('x') == std::string_view::npos) return std::nullopt;
  auto offset = take_word(line);
  (void)take_word(line);
  const auto inode = take_word(line);
  if (!take_hex(offset, mapping.offset)) return std::nullopt;
  std::from_chars(inode.data(), inode.data() + inode.size(), mapping.inode);
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  constexpr std::string_view kDeleted = " (deleted)";
  if (line.ends_with(kDeleted)) line.remove_suffix(kDeleted.size());
  mapping.path = line;
  return mapping;
}

std::string hex_number(std::uint64_t number) {
  char text[17];
  return {text, std::to_chars(text, text + sizeof(text), number, 16).ptr};
}

// The process's own number in the innermost namespace, by which it names its perf map.
std::string own_number(const std::string& directory) {
  const UniqueFd status = open_file(directory + "/status");
  const std::string text = status ? read_text(status.get()) : "";
  const auto line = text.find("\nNSpid:");
  if (line == std::string::npos) return {};
  const auto end = text.find('\n', line + 1);
  const auto last = text.find_last_of("\t ", end);
  return text.substr(last + 1, end - last - 1);
}

}  // namespace

std::vector<CodeMapping> parse_code_mappings(std::string_view maps) {
  std::vector<CodeMapping> mappings;
  while (!maps.empty() && mappings.size() < kMostMappings) {
    const auto line = maps.substr(0, maps.find('\n'));
    maps.remove_prefix(std::min(maps.size(), line.size() + 1));
    if (auto mapping = parse_mapping(line)) mappings.push_back(std::move(*mapping));
  }
  return mappings;
}

ProcessCode::ProcessCode(pid_t pid, uid_t uid) : directory_("/proc/" + std::to_string(pid)) {
  errno = 0;
  const UniqueFd maps(::open((directory_ + "/maps").c_str(), O_RDONLY | O_CLOEXEC));
  const std::string text = maps ? read_text(maps.get()) : "";
  unreadable_ = text.empty() ? (errno == 0 ? ENOENT : errno) : 0;
  mappings_ = parse_code_mappings(text);
  open_files();
  open_perf_map(uid);
}

// By the mapping itself where that is permitted: it leads to the very file, also where it is
// deleted or lies in a container. Else by its path, as the process sees it; the build id says later
// whether it is the same file.
void ProcessCode::open_files() {
  for (const auto& mapping : mappings_) {
    if (!mapping.path.starts_with('/') || files_.size() >= kMostFiles) continue;
    const std::pair key(mapping.path, mapping.inode);
    if (files_.contains(key)) continue;
    File file;
    file.path = mapping.path;
    file.fd = open_file(directory_ + "/map_files/" + hex_number(mapping.start) + "-" +
                        hex_number(mapping.end));
    if (!file.fd) file.fd = open_file(directory_ + "/root" + mapping.path);
    if (file.fd) files_.emplace(key, std::move(file));
  }
}

void ProcessCode::open_perf_map(uid_t uid) {
  const auto number = own_number(directory_);
  if (number.empty()) return;
  auto file = open_file(directory_ + "/root/tmp/perf-" + number + ".map", O_NOFOLLOW);
  struct stat about{};
  // anyone may make a file of that name in /tmp
  if (file && ::fstat(file.get(), &about) == 0 && about.st_uid == uid)
    perf_map_file_ = std::move(file);
}

void ProcessCode::identify() {
  for (auto& [key, file] : files_) file.build_id = build_id_of(file.fd.get()).value_or("");
  if (perf_map_file_) perf_map_ = PerfMap::parse(read_text(perf_map_file_.get()));
}

Places ProcessCode::at_offset(File& file, std::uint64_t offset, bool is_caller) {
  if (!std::exchange(file.was_tried, true))
    file.symbols = ElfSymbols::open(file.fd.get(), printable(file_name(file.path)));
  if (file.symbols) return file.symbols->at(offset, is_caller);
  return {{.function = {}, .file = {}, .module = printable(file_name(file.path)), .line = 0}};
}

Places ProcessCode::at_address(std::uint64_t address, bool is_caller) {
  const auto inside = is_caller && address > 0 ? address - 1 : address;
  if (auto place = perf_map_.find(inside)) return {std::move(*place)};
  const auto mapping = std::ranges::find_if(
      mappings_, [&](const CodeMapping& m) { return inside >= m.start && inside < m.end; });
  if (mapping == mappings_.end()) return {Place{}};
  const auto file = files_.find({mapping->path, mapping->inode});
  if (file != files_.end())
    return at_offset(file->second, address - mapping->start + mapping->offset, is_caller);
  const std::string name(file_name(mapping->path));
  return {{.function = {}, .file = {}, .module = printable(name), .line = 0}};
}

Places ProcessCode::at(const Frame& frame) {
  if (frame.build_id.empty()) return at_address(frame.at, frame.is_caller);
  const auto found = std::ranges::find_if(
      files_, [&](const auto& entry) { return entry.second.build_id == frame.build_id; });
  return found == files_.end() ? Places(1) : at_offset(found->second, frame.at, frame.is_caller);
}

}  // namespace morpheus::ctl
