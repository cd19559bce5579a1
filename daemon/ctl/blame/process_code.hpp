// SPDX-License-Identifier: GPL-2.0-only
// The code of one process: its mapped files, by build id, and what it made at run time. All of it
// is the process's own word.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/ctl/blame/elf_symbols.hpp"
#include "daemon/ctl/blame/perf_map.hpp"
#include "proto/unique_fd.hpp"

namespace morpheus::ctl {

/// One executable mapping, from /proc/PID/maps.
struct CodeMapping {
  std::uint64_t start = 0, end = 0, offset = 0, inode = 0;
  std::string path;  ///< as the process sees it, without " (deleted)"; "[vdso]"; empty: no file
};

/// The executable ones. Pure.
[[nodiscard]] std::vector<CodeMapping> parse_code_mappings(std::string_view maps);

/// Use it in run_apart() only.
class ProcessCode {
 public:
  /// Opens what there is to read, with the caller's rights. A perf map must be owned by `uid`.
  ProcessCode(pid_t pid, uid_t uid);
  /// After drop_privileges(): finds out which file has which build id.
  void identify();
  /// At least one place, which may be empty.
  [[nodiscard]] Places at(const Frame& frame);
  /// Why the process's mappings cannot be read: an errno, 0 if they can.
  [[nodiscard]] int unreadable() const { return unreadable_; }

 private:
  struct File {
    UniqueFd fd;
    std::string path, build_id;
    std::optional<ElfSymbols> symbols;
    bool was_tried = false;
  };
  void open_files();
  void open_perf_map(uid_t uid);
  [[nodiscard]] Places at_offset(File& file, std::uint64_t offset, bool is_caller);
  [[nodiscard]] Places at_address(std::uint64_t address, bool is_caller);

  std::string directory_;  // /proc/PID
  int unreadable_ = 0;
  std::vector<CodeMapping> mappings_;
  std::map<std::pair<std::string, std::uint64_t>, File> files_;  // by path and inode
  UniqueFd perf_map_file_;
  PerfMap perf_map_;
};

}  // namespace morpheus::ctl
