// SPDX-License-Identifier: GPL-2.0-only
// Holds JSON files against a JSON Schema, for tests written in Python.
//
// usage: schema_check SCHEMA FILE...
//
// Prints what is wrong, a line each. Exit status 0 if nothing is, 1 if something is, 64 usage, 70 a
// file cannot be read.
#include <exception>
#include <fstream>
#include <iostream>
#include <stdexcept>

#include "tests/programs/schema_faults.hpp"

namespace {

morpheus::Json parsed(const char* path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error(std::string("cannot open ") + path);
  return morpheus::Json::parse(file);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: schema_check SCHEMA FILE...\n";
    return 64;
  }
  try {
    const auto schema = parsed(argv[1]);
    bool is_good = true;
    for (int i = 2; i < argc; ++i)
      for (const auto& fault : morpheus::test::faults_by_schema(schema, parsed(argv[i]))) {
        std::cout << argv[i] << ": " << fault << '\n';
        is_good = false;
      }
    return is_good ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << "schema_check: " << error.what() << '\n';
    return 70;
  }
}
