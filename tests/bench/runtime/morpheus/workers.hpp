// SPDX-License-Identifier: GPL-2.0-only
// The schedulers of the measures.
#pragma once

#include <morpheus/scheduler.hpp>
#include <morpheus/scope.hpp>
#include <string>

#include "../pinned_threads.hpp"

namespace bench {

inline unsigned number(std::string_view text) {
  return static_cast<unsigned>(std::stoul(std::string(text)));
}

inline morpheus::scheduler_options workers(unsigned count) {
  morpheus::scheduler_options options;
  options.workers = count;
  return options;
}

/// One worker on the index-th of the program's CPUs.
inline morpheus::scheduler_options workers_on(std::size_t index) {
  auto options = workers(1);
  options.cpus = {cpu_at(index)};
  return options;
}

}  // namespace bench
