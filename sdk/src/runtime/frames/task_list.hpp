// SPDX-License-Identifier: GPL-2.0-only
// The tasks that exist, found in the memory of frames, and their names.
#pragma once

#include <morpheus/diagnosis.hpp>

namespace morpheus::sdk {

/// What can be told of a frame, which may go or change at any time: everything is checked before it
/// is followed.
[[nodiscard]] task_info describe_task(const detail::job* frame);

}  // namespace morpheus::sdk
