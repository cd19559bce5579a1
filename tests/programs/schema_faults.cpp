// SPDX-License-Identifier: GPL-2.0-only
#include "tests/programs/schema_faults.hpp"

#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

namespace morpheus::test {

std::vector<std::string> faults_by_schema(const Json& schema, const Json& document) {
  using valijson::adapters::NlohmannJsonAdapter;
  valijson::Schema parsed;
  valijson::SchemaParser().populateSchema(NlohmannJsonAdapter(schema), parsed);
  valijson::ValidationResults results;
  std::vector<std::string> faults;
  if (valijson::Validator().validate(parsed, NlohmannJsonAdapter(document), &results))
    return faults;
  for (valijson::ValidationResults::Error error; results.popError(error);) {
    std::string where;
    for (const auto& step : error.context) where += step;
    faults.push_back(where + ": " + error.description);
  }
  return faults;
}

}  // namespace morpheus::test
