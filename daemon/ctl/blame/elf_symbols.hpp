// SPDX-License-Identifier: GPL-2.0-only
// Functions and source lines of one ELF file, by elfutils: from its symbol tables, its debug
// information, and separate debug information that is installed under its build id. The file may be
// a stranger's: use it only in run_apart().
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "daemon/ctl/blame/place.hpp"

struct Dwfl;
struct Dwfl_Module;

namespace morpheus::ctl {

/// In hexadecimal; nothing if the file has none or is no ELF file.
[[nodiscard]] std::optional<std::string> build_id_of(int fd);

class ElfSymbols {
 public:
  /// `fd` is borrowed for this call only. `name` is shown as the module. Nothing if elfutils cannot
  /// read the file.
  [[nodiscard]] static std::optional<ElfSymbols> open(int fd, const std::string& name);

  /// What is at an offset in the file, the innermost of inlined functions first. Always at least
  /// one place, which may know the module only.
  [[nodiscard]] Places at(std::uint64_t offset, bool is_caller) const;

 private:
  struct End {
    void operator()(Dwfl* dwfl) const;
  };
  ElfSymbols(std::unique_ptr<Dwfl, End> dwfl, Dwfl_Module* module, std::string name)
      : dwfl_(std::move(dwfl)), module_(module), name_(std::move(name)) {}
  [[nodiscard]] std::optional<std::uint64_t> address_of(std::uint64_t offset) const;
  [[nodiscard]] Place line_at(std::uint64_t address) const;
  void add_inlined(Places& places, std::uint64_t address) const;

  std::unique_ptr<Dwfl, End> dwfl_;
  Dwfl_Module* module_;
  std::string name_;
};

}  // namespace morpheus::ctl
