// SPDX-License-Identifier: GPL-2.0-only
#include "tests/programs/control_group.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace morpheus::test {
namespace {

using namespace std::chrono_literals;
constexpr auto kEndLimit = 60s;

}  // namespace

bool ControlGroup::can_be_made() {
  return ::access("/sys/fs/cgroup/cgroup.controllers", R_OK) == 0;
}

ControlGroup::ControlGroup(const std::string& name) : path_("/sys/fs/cgroup/" + name) {
  if (::mkdir(path_.c_str(), 0755) != 0)
    throw std::runtime_error("cannot make the control group " + path_);
}

ControlGroup::~ControlGroup() {
  const auto limit = std::chrono::steady_clock::now() + kEndLimit;
  while (::rmdir(path_.c_str()) != 0 && std::chrono::steady_clock::now() < limit)
    std::this_thread::sleep_for(2ms);
}

void ControlGroup::give_to(uid_t user) const {
  if (::chown(path_.c_str(), user, static_cast<gid_t>(-1)) != 0)
    throw std::runtime_error("cannot give away " + path_);
}

void ControlGroup::write(const std::string& file, const std::string& text) const {
  std::ofstream out(path_ + "/" + file);
  out << text << std::flush;
  if (!out) throw std::runtime_error("cannot write " + text + " to " + path_ + "/" + file);
}

std::string ControlGroup::read(const std::string& file) const {
  std::stringstream text;
  text << std::ifstream(path_ + "/" + file).rdbuf();
  return text.str();
}

}  // namespace morpheus::test
