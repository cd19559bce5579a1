// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/blame/apart.hpp"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <exception>

#include "proto/unique_fd.hpp"

namespace morpheus::ctl {
namespace {

using Clock = std::chrono::steady_clock;
constexpr uid_t kNoUser = 65534;

void set_limit(__rlimit_resource what, rlim_t most) {
  const rlimit set{most, most};
  (void)::setrlimit(what, &set);
}

[[noreturn]] void be_child(int out, const std::function<std::string()>& work,
                           const ApartLimits& limits) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::signal(signal, SIG_DFL);
  set_limit(RLIMIT_CORE, 0);
#ifndef __SANITIZE_ADDRESS__  // whose shadow is larger than any memory
  set_limit(RLIMIT_AS, limits.memory_bytes);
#endif
  set_limit(RLIMIT_CPU, static_cast<rlim_t>(limits.time.count()));
  ::unsetenv("DEBUGINFOD_URLS");  // elfutils would ask the network
  try {
    const std::string result = work();
    for (std::size_t done = 0; done < result.size();) {
      const auto written = ::write(out, result.data() + done, result.size() - done);
      if (written <= 0) std::_Exit(1);
      done += static_cast<std::size_t>(written);
    }
    std::_Exit(0);
  } catch (const std::exception&) {
    std::_Exit(1);
  }
}

// Reads to the end; false if the time is over or it is too much.
bool read_result(int from, std::string& into, const ApartLimits& limits) {
  const auto end = Clock::now() + limits.time;
  char buffer[65536];
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count();
    pollfd waiting{from, POLLIN, 0};
    const int ready = left <= 0 ? 0 : ::poll(&waiting, 1, static_cast<int>(left));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    const auto got = ::read(from, buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got == 0) return true;
    if (got < 0 || into.size() + static_cast<std::size_t>(got) > limits.result_bytes) return false;
    into.append(buffer, static_cast<std::size_t>(got));
  }
}

}  // namespace

Result<std::string> run_apart(const std::function<std::string()>& work, const ApartLimits& limits) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("make a pipe");
  UniqueFd in(ends[0]), out(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return fail_errno("fork");
  if (child == 0) {
    in.reset();
    be_child(out.get(), work, limits);
  }
  out.reset();
  std::string result;
  const bool is_whole = read_result(in.get(), result, limits);
  if (!is_whole) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!is_whole) return fail("took too long, or said too much");
  if (WIFSIGNALED(status)) return fail("was ended by signal " + std::to_string(WTERMSIG(status)));
  if (WEXITSTATUS(status) != 0) return fail("failed");
  return result;
}

void drop_privileges() {
  if (::geteuid() != 0) return;
  if (::setgroups(0, nullptr) != 0 || ::setresgid(kNoUser, kNoUser, kNoUser) != 0 ||
      ::setresuid(kNoUser, kNoUser, kNoUser) != 0)
    std::_Exit(1);
}

}  // namespace morpheus::ctl
