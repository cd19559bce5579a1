// SPDX-License-Identifier: GPL-2.0-only
// morpheusctl: reads the command line and carries it out.
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <string>

#include "daemon/ctl/command_line.hpp"
#include "daemon/ctl/console/console.hpp"
#include "daemon/ctl/run.hpp"

using namespace morpheus::ctl;

namespace {

bool wants_colour() {
  const auto set_to = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value != nullptr ? value : "");
  };
  const auto terminal = set_to("TERM");
  return set_to("NO_COLOR").empty() && !terminal.empty() && terminal != "dumb" &&
         ::isatty(STDOUT_FILENO) == 1;
}

}  // namespace

int main(int argc, char** argv) {
  auto parsed = parse_command_line(argc, argv);
  try {
    if (const auto* ended = std::get_if<Ended>(&parsed)) {
      print(ended->text);
      return static_cast<int>(ended->status);
    }
    Request& request = std::get<Request>(parsed);
    request.colour = wants_colour();
    return static_cast<int>(run(request));
  } catch (const CannotPrint& error) {
    return static_cast<int>(complain(error.what(), ExitStatus::error));
  } catch (const std::exception& error) {  // a reply with unexpected types
    std::cerr << "morpheusctl: cannot read the reply (has morpheusd another version?): "
              << error.what() << '\n';
    return static_cast<int>(ExitStatus::error);
  }
}
