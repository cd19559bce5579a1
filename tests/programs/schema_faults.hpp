// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <string>
#include <vector>

#include "proto/json.hpp"

namespace morpheus::test {

/// What a JSON Schema (draft 7) says against a document, a line each. Throws std::runtime_error if
/// the schema is none.
[[nodiscard]] std::vector<std::string> faults_by_schema(const Json& schema, const Json& document);

}  // namespace morpheus::test
