// SPDX-License-Identifier: GPL-2.0-only
// The schedulers of the measures.
#pragma once

#include <morpheus/scheduler.hpp>
#include <morpheus/scope.hpp>
#include <string>

#include "../subject.hpp"

namespace bench {

inline unsigned number(std::string_view text) {
  return static_cast<unsigned>(std::stoul(std::string(text)));
}

inline morpheus::scheduler_options workers(unsigned count) {
  morpheus::scheduler_options options;
  options.workers = count;
  return options;
}

}  // namespace bench
