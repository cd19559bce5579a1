// SPDX-License-Identifier: GPL-2.0-only
#include "sdk/src/runtime/frames/this_runner.hpp"

#include <memory>

namespace {
constinit morpheus::detail::runner no_runner;
}

__thread morpheus::detail::runner* morpheus::detail::here = &no_runner;

namespace morpheus::sdk {
namespace {

struct Owned {
  detail::runner runner;
  ~Owned() {
    // Frames that are released later, by destructors of other thread-local objects, go the slow
    // way.
    detail::here = &no_runner;
    runner.frames.give_back();
  }
};

}  // namespace

detail::runner& ThisRunner::none() { return no_runner; }

detail::runner& ThisRunner::make() {
  static thread_local std::unique_ptr<Owned> owned;
  if (!owned) owned = std::make_unique<Owned>();
  detail::here = &owned->runner;
  return owned->runner;
}

}  // namespace morpheus::sdk
