// SPDX-License-Identifier: GPL-2.0-only
// The runtimes of the measures.
#pragma once

#include <morpheus/runtime.hpp>
#include <morpheus/scope.hpp>
#include <string>

#include "../pinned_threads.hpp"

namespace bench {

inline unsigned number(std::string_view text) {
  return static_cast<unsigned>(std::stoul(std::string(text)));
}

inline morpheus::runtime_options threads(unsigned count) {
  morpheus::runtime_options options;
  options.threads = count;
  return options;
}

/// One thread on the index-th of the program's CPUs.
inline morpheus::runtime_options thread_on(std::size_t index) {
  auto options = threads(1);
  options.cpus = {cpu_at(index)};
  return options;
}

}  // namespace bench
