// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/top/screen.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "daemon/ctl/console/console.hpp"

namespace morpheus::ctl {
namespace {

using Clock = std::chrono::steady_clock;

volatile sig_atomic_t stop_wanted = 0;
volatile sig_atomic_t continued = 0;
volatile sig_atomic_t resized = 0;

void note_job_control(int signal) {
  if (signal == SIGTSTP) stop_wanted = 1;
  if (signal == SIGCONT) continued = 1;
  if (signal == SIGWINCH) resized = 1;
}

bool has_signals() {
  return stop_wanted != 0 || continued != 0 || resized != 0 || was_interrupted();
}

/// False at the end of the terminal.
bool read_more(std::string& input) {
  char part[256];
  const auto size = ::read(STDIN_FILENO, part, sizeof part);
  if (size <= 0) return false;
  input.append(part, static_cast<std::size_t>(size));
  return true;
}

/// An escape sequence has begun, or the operator has pressed Escape.
bool is_unfinished(std::string_view input) {
  const auto escape = input.rfind('\033');
  if (escape == std::string_view::npos) return false;
  const auto rest = input.substr(escape + 1);
  return rest.empty() || rest == "O" ||
         (rest[0] == '[' && rest.find_first_not_of("0123456789;", 1) == std::string_view::npos);
}

/// The end of the terminal is noticed by the next picture.
void put(const char* sequence) {
  std::fputs(sequence, stdout);
  std::fflush(stdout);
}

}  // namespace

bool Screen::is_possible() {
  const char* set = std::getenv("TERM");
  const std::string_view kind = set == nullptr ? "" : set;
  return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1 && !kind.empty() &&
         kind != "dumb";
}

Screen::Screen() {
  ::tcgetattr(STDIN_FILENO, &before_);
  take();
  struct sigaction action{};
  action.sa_handler = note_job_control;  // without SA_RESTART: a wait for a key ends at once
  for (const int signal : {SIGTSTP, SIGCONT, SIGWINCH}) ::sigaction(signal, &action, nullptr);
}

Screen::~Screen() {
  for (const int signal : {SIGTSTP, SIGCONT, SIGWINCH}) ::signal(signal, SIG_DFL);
  give_back();
}

bool Screen::attend_signals() {
  if (stop_wanted != 0) {
    stop_wanted = 0;
    give_back();
    ::raise(SIGSTOP);
  }
  const bool again = continued != 0 || resized != 0;
  // the shell had the terminal meanwhile, and may have changed it
  if (continued != 0) take();
  continued = 0;
  resized = 0;
  return again;
}

std::optional<std::string> Screen::wait_for_input(Clock::time_point end) {
  const auto left =
      std::max(std::chrono::nanoseconds(0), std::chrono::nanoseconds(end - Clock::now()));
  const timespec timeout{left.count() / 1'000'000'000, left.count() % 1'000'000'000};
  pollfd keyboard{STDIN_FILENO, POLLIN, 0};
  sigset_t all, before;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, &before);
  const bool is_there = !has_signals() && ::ppoll(&keyboard, 1, &timeout, &before) > 0;
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  std::string input;
  if (!is_there) return input;
  constexpr int kWithinSequenceMs = 50;  // a key may come in two parts over a network
  do {
    if (!read_more(input)) return std::nullopt;
  } while (is_unfinished(input) && ::poll(&keyboard, 1, kWithinSequenceMs) > 0);
  return input;
}

void Screen::fit(TopView& view) {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return;
  view.columns = size.ws_col;
  view.lines = std::max<std::size_t>(size.ws_row, 5) - 1;
}

/// In one write, and each line is cleared only behind its end, so nothing flickers.
void Screen::draw(const std::vector<std::string>& picture) {
  std::string out = "\033[H";
  for (const auto& line : picture) out += line + "\033[K\r\n";
  print(out + "\033[J");
}

void Screen::take() const {
  termios raw = before_;
  raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  raw.c_cc[VMIN] = 0;
  raw.c_cc[VTIME] = 0;
  ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
  put("\033[?1049h\033[?25l");
}

void Screen::give_back() const {
  put("\033[?25h\033[?1049l");
  ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
}

}  // namespace morpheus::ctl
