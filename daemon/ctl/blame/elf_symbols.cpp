// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/blame/elf_symbols.hpp"

#include <cxxabi.h>
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>
#include <utility>

namespace morpheus::ctl {
namespace {

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};

struct ElfEnd {
  void operator()(Elf* elf) const { elf_end(elf); }
};

// Only what lies under its build id in /usr/lib/debug: nothing beside the file, whose place its
// owner chose, and nothing from the network.
Dwfl_Callbacks callbacks() {
  Dwfl_Callbacks made{};
  made.find_elf = dwfl_build_id_find_elf;
  made.find_debuginfo = dwfl_build_id_find_debuginfo;
  made.section_address = dwfl_offline_section_address;
  return made;
}

std::string demangled(const char* name) {
  constexpr std::size_t kLongest = 4096;
  std::string_view given(name);
  if (given.size() > kLongest) return printable(given);
  int status = 0;
  const std::unique_ptr<char, Free> plain(abi::__cxa_demangle(name, nullptr, nullptr, &status));
  return printable(short_name(status == 0 && plain ? plain.get() : name));
}

std::string die_name(Dwarf_Die* die) {
  Dwarf_Attribute attribute;
  for (const unsigned which : {unsigned{DW_AT_linkage_name}, unsigned{DW_AT_MIPS_linkage_name}})
    if (dwarf_attr_integrate(die, which, &attribute) != nullptr)
      if (const char* name = dwarf_formstring(&attribute)) return demangled(name);
  const char* name = dwarf_diename(die);
  return name == nullptr ? "" : printable(name) + "()";
}

// Where an inlined function was called.
void set_call_site(Place& place, Dwarf_Die* inlined, Dwarf_Die* unit) {
  Dwarf_Attribute attribute;
  Dwarf_Word line = 0, file = 0;
  if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &attribute), &line) != 0) return;
  Dwarf_Files* files = nullptr;
  std::size_t count = 0;
  if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &attribute), &file) != 0 ||
      dwarf_getsrcfiles(unit, &files, &count) != 0 || file >= count)
    return;
  if (const char* path = dwarf_filesrc(files, file, nullptr, nullptr)) {
    place.file = printable(path);
    place.line = line;
  }
}

}  // namespace

void ElfSymbols::End::operator()(Dwfl* dwfl) const { dwfl_end(dwfl); }

std::optional<std::string> build_id_of(int fd) {
  constexpr ssize_t kLongest = 64;
  elf_version(EV_CURRENT);
  const std::unique_ptr<Elf, ElfEnd> elf(elf_begin(fd, ELF_C_READ_MMAP, nullptr));
  const void* id = nullptr;
  const ssize_t size = elf ? dwelf_elf_gnu_build_id(elf.get(), &id) : 0;
  if (size <= 0 || size > kLongest) return std::nullopt;
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (ssize_t i = 0; i < size; ++i) {
    const auto byte = static_cast<const unsigned char*>(id)[i];
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::optional<ElfSymbols> ElfSymbols::open(int fd, const std::string& name) {
  static const Dwfl_Callbacks kCallbacks = callbacks();
  std::unique_ptr<Dwfl, End> dwfl(dwfl_begin(&kCallbacks));
  if (!dwfl) return std::nullopt;
  const int own = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);  // the library closes it, if it takes it
  dwfl_report_begin(dwfl.get());
  Dwfl_Module* module = dwfl_report_elf(dwfl.get(), name.c_str(), name.c_str(), own, 0, true);
  dwfl_report_end(dwfl.get(), nullptr, nullptr);
  if (module == nullptr) {
    ::close(own);
    return std::nullopt;
  }
  return ElfSymbols(std::move(dwfl), module, name);
}

// Where the segment that holds the offset is loaded, before any relocation.
std::optional<std::uint64_t> ElfSymbols::address_of(std::uint64_t offset) const {
  GElf_Addr bias = 0;
  Elf* elf = dwfl_module_getelf(module_, &bias);
  std::size_t count = 0;
  if (elf == nullptr || elf_getphdrnum(elf, &count) != 0) return std::nullopt;
  for (std::size_t i = 0; i < count; ++i) {
    GElf_Phdr memory;
    const GElf_Phdr* header = gelf_getphdr(elf, static_cast<int>(i), &memory);
    if (header == nullptr || header->p_type != PT_LOAD) continue;
    if (offset >= header->p_offset && offset - header->p_offset < header->p_filesz)
      return offset - header->p_offset + header->p_vaddr + bias;
  }
  return std::nullopt;
}

Place ElfSymbols::line_at(std::uint64_t address) const {
  Place place{.function = {}, .file = {}, .module = name_, .line = 0};
  GElf_Off inside = 0;
  GElf_Sym symbol;
  const char* name =
      dwfl_module_addrinfo(module_, address, &inside, &symbol, nullptr, nullptr, nullptr);
  if (name != nullptr) place.function = demangled(name);
  Dwfl_Line* line = dwfl_module_getsrc(module_, address);
  int number = 0;
  const char* file =
      line == nullptr ? nullptr : dwfl_lineinfo(line, nullptr, &number, nullptr, nullptr, nullptr);
  if (file != nullptr && number > 0) {
    place.file = printable(file);
    place.line = static_cast<std::uint64_t>(number);
  }
  return place;
}

// The place has the innermost line and the outermost function. Each inlined function takes the line
// with it, and leaves the one of its call.
void ElfSymbols::add_inlined(Places& places, std::uint64_t address) const {
  Dwarf_Addr bias = 0;
  Dwarf_Die* unit = dwfl_module_addrdie(module_, address, &bias);
  Dwarf_Die* scopes = nullptr;
  const int count = unit == nullptr ? 0 : dwarf_getscopes(unit, address - bias, &scopes);
  const std::unique_ptr<Dwarf_Die, Free> owned(scopes);
  for (int i = 0; i < count; ++i) {
    if (dwarf_tag(&scopes[i]) == DW_TAG_subprogram) {
      if (auto name = die_name(&scopes[i]); !name.empty() && !places.back().is_known())
        places.back().function = std::move(name);
      return;
    }
    if (dwarf_tag(&scopes[i]) != DW_TAG_inlined_subroutine) continue;
    Place outer = places.back();
    places.back().function = die_name(&scopes[i]);
    set_call_site(outer, &scopes[i], unit);
    places.push_back(std::move(outer));
  }
}

Places ElfSymbols::at(std::uint64_t offset, bool is_caller) const {
  const auto address = address_of(is_caller && offset > 0 ? offset - 1 : offset);
  if (!address) return {{.function = {}, .file = {}, .module = name_, .line = 0}};
  Places places{line_at(*address)};
  add_inlined(places, *address);
  return places;
}

}  // namespace morpheus::ctl
