// SPDX-License-Identifier: GPL-2.0-only
// The tasks that exist, found in the memory of frames, and their names. What diagnosis.hpp declares
// about tasks is defined here.
#pragma once

#include <morpheus/diagnosis.hpp>

namespace morpheus::sdk {

/// What the memory of a frame shows. It may end or change at any time: each pointer is checked
/// before it is followed.
[[nodiscard]] task_info describe_task(const detail::job* frame);

}  // namespace morpheus::sdk
