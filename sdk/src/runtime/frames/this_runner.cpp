// SPDX-License-Identifier: GPL-2.0-only
#include "sdk/src/runtime/frames/this_runner.hpp"

#include "sdk/src/sync/per_thread.hpp"

namespace {
constinit morpheus::detail::runner no_runner;
}

__thread morpheus::detail::runner* morpheus::detail::here = &no_runner;

namespace morpheus::sdk {
namespace {

struct Owned {
  detail::runner runner;
  ~Owned() {
    // Frames that are released later, as other keys' objects end, go the slow way.
    detail::here = &no_runner;
    runner.frames.give_back();
  }
};

}  // namespace

detail::runner& ThisRunner::none() { return no_runner; }

detail::runner& ThisRunner::make() {
  static const PerThread<Owned> runners;
  detail::here = &runners.get().runner;
  return *detail::here;
}

}  // namespace morpheus::sdk
