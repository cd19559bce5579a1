// SPDX-License-Identifier: GPL-2.0-only
#include <morpheus/error.h>

namespace {

struct Described {
  int error;
  const char* name;
  const char* text;
};

constexpr Described kErrors[] = {
    {MORPHEUS_OK, "MORPHEUS_OK", "success"},
    {MORPHEUS_ERR_INVALID, "MORPHEUS_ERR_INVALID", "an argument is out of range"},
    {MORPHEUS_ERR_ALREADY, "MORPHEUS_ERR_ALREADY", "attached or registered already"},
    {MORPHEUS_ERR_NOT_ATTACHED, "MORPHEUS_ERR_NOT_ATTACHED", "the process is not attached"},
    {MORPHEUS_ERR_NOT_REGISTERED, "MORPHEUS_ERR_NOT_REGISTERED",
     "the calling thread is not registered"},
    {MORPHEUS_ERR_STATE, "MORPHEUS_ERR_STATE", "the worker cannot go to that state from its own"},
    {MORPHEUS_ERR_CRITICAL, "MORPHEUS_ERR_CRITICAL", "not possible inside a critical section"},
    {MORPHEUS_ERR_BUSY, "MORPHEUS_ERR_BUSY", "threads of the process are still registered"},
    {MORPHEUS_ERR_NO_MEMORY, "MORPHEUS_ERR_NO_MEMORY", "not enough memory or address space"},
    {MORPHEUS_ERR_SYSTEM, "MORPHEUS_ERR_SYSTEM", "a thread or a descriptor could not be made"},
};

constexpr Described kUnknown{1, "MORPHEUS_ERR_UNKNOWN", "unknown error"};

const Described& describe(int error) {
  for (const Described& known : kErrors) {
    if (known.error == error) return known;
  }
  return kUnknown;
}

}  // namespace

const char* morpheus_error_name(int error) noexcept { return describe(error).name; }

const char* morpheus_error_text(int error) noexcept { return describe(error).text; }
