// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/blame/group_paths.hpp"

#include <sys/stat.h>

#include <filesystem>

namespace morpheus::ctl {

void GroupPaths::read() {
  namespace fs = std::filesystem;
  constexpr std::size_t kMost = 100'000;
  auto& paths = paths_.emplace();
  const auto note = [&](const std::string& directory) {
    struct stat about{};
    if (::stat(directory.c_str(), &about) == 0)
      paths[about.st_ino] = directory.size() > root_.size() ? directory.substr(root_.size()) : "/";
  };
  note(root_);
  std::error_code error;
  fs::recursive_directory_iterator at(root_, fs::directory_options::skip_permission_denied, error);
  for (; !error && at != fs::recursive_directory_iterator() && paths.size() < kMost;
       at.increment(error))
    if (at->is_directory(error) && !at->is_symlink(error)) note(at->path().string());
}

std::string GroupPaths::path_of(std::uint64_t id) {
  if (!paths_) read();
  const auto found = paths_->find(id);
  return found == paths_->end() ? "" : found->second;
}

}  // namespace morpheus::ctl
