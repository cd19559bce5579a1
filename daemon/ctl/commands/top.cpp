// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/commands/top.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>

#include "daemon/ctl/commands/top_picture.hpp"
#include "daemon/ctl/console/console.hpp"
#include "daemon/ctl/console/reply.hpp"
#include "proto/monotonic_clock.hpp"

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

/// Takes the terminal: an alternate screen, keys without Enter. Gives it back at the end, and while
/// the operator has stopped the program (Ctrl-Z).
class Screen {
 public:
  Screen() {
    ::tcgetattr(STDIN_FILENO, &before_);
    take();
    struct sigaction action{};
    action.sa_handler = note_job_control;  // without SA_RESTART: a wait for a key ends at once
    for (const int signal : {SIGTSTP, SIGCONT, SIGWINCH}) ::sigaction(signal, &action, nullptr);
  }
  ~Screen() {
    for (const int signal : {SIGTSTP, SIGCONT, SIGWINCH}) ::signal(signal, SIG_DFL);
    give_back();
  }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  [[nodiscard]] static bool has_signals() {
    return stop_wanted != 0 || continued != 0 || resized != 0 || was_interrupted();
  }

  /// Stops, if the operator wants that, until he continues; true if the picture has to be drawn
  /// again.
  [[nodiscard]] bool attend_signals() {
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

  static void fit(TopView& view) {
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return;
    view.columns = size.ws_col;
    view.lines = std::max<std::size_t>(size.ws_row, 5) - 1;
  }

  /// In one write, and each line is cleared only behind its end, so nothing flickers.
  static void draw(const std::vector<std::string>& picture) {
    std::string out = "\033[H";
    for (const auto& line : picture) out += line + "\033[K\r\n";
    print(out + "\033[J");
  }

 private:
  void take() const {
    termios raw = before_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    put("\033[?1049h\033[?25l");
  }
  void give_back() const {
    put("\033[?25h\033[?1049l");
    ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }
  /// The end of the terminal is noticed by the next picture.
  static void put(const char* sequence) {
    std::fputs(sequence, stdout);
    std::fflush(stdout);
  }

  termios before_{};
};

/// One that can move its cursor.
bool is_terminal() {
  const char* kind = std::getenv("TERM");
  return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1 && kind != nullptr &&
         std::string_view(kind) != "dumb";
}

tl::expected<Look, varlink::CallError> look(varlink::Client& client) {
  Look look;
  const auto take = [&](const char* method, const char* key,
                        Json& into) -> tl::expected<void, varlink::CallError> {
    auto reply = control(client, method);
    if (!reply) return tl::unexpected(reply.error());
    into =
        key == nullptr ? std::move(reply->parameters) : reply->parameters.value(key, Json::array());
    return {};
  };
  if (auto got = take("GetStatus", nullptr, look.status); !got) return tl::unexpected(got.error());
  if (auto got = take("ListClients", "clients", look.clients); !got)
    return tl::unexpected(got.error());
  if (auto got = take("ListWorkers", "workers", look.workers); !got)
    return tl::unexpected(got.error());
  look.time_ns = monotonic_ns();
  return look;
}

enum class Pressed : std::uint8_t { nothing, sort, quit };

/// Waits until `end`, or until a signal that came since the last look at them.
bool is_key_there(Clock::time_point end) {
  const auto left =
      std::max(std::chrono::nanoseconds(0), std::chrono::nanoseconds(end - Clock::now()));
  const timespec timeout{left.count() / 1'000'000'000, left.count() % 1'000'000'000};
  pollfd keyboard{STDIN_FILENO, POLLIN, 0};
  sigset_t all, before;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, &before);
  const bool is_there = !Screen::has_signals() && ::ppoll(&keyboard, 1, &timeout, &before) > 0;
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  return is_there;
}

/// Waits for a key until `end`. The end of the terminal counts as quit.
Pressed wait_for_key(Clock::time_point end, TopView& view) {
  if (!is_key_there(end)) return Pressed::nothing;
  char key = 0;
  if (::read(STDIN_FILENO, &key, 1) <= 0 || key == 'q') return Pressed::quit;
  const auto* chosen = std::ranges::find(kSortKeys, key, &SortKey::key);
  if (chosen == std::end(kSortKeys)) return Pressed::nothing;
  view.sort = chosen->column;
  return Pressed::sort;
}

Json to_json(const TopRow& row) {
  return {{"worker_id", row.worker_id},
          {"pid", row.pid},
          {"tid", row.tid},
          {"name", row.name},
          {"state", row.state},
          {"cpu", row.cpu_number},
          {"cpu_pct", row.cpu},
          {"wait_pct", row.wait},
          {"hints_per_s", row.hints},
          {"acknowledged_per_s", row.acknowledged},
          {"lost_per_s", row.lost},
          {"escalations_per_s", row.escalated}};
}

Clock::duration interval_of(const Request& request) {
  return std::chrono::duration_cast<Clock::duration>(
      std::chrono::duration<double>(request.interval_s));
}

/// Runs until the operator quits. Returns a failure, to be printed on the shell's own screen.
std::optional<varlink::CallError> show_live(varlink::Client& client, const Request& request,
                                            Look before) {
  TopView view{.sort = request.sort, .keys = true};
  const Palette palette{request.colour};
  Screen screen;
  Look now = before;
  for (std::uint64_t shown = 0; !was_interrupted();) {
    Screen::fit(view);
    Screen::draw(top_picture(before, now, view, palette));
    if (request.iterations != 0 && shown++ == request.iterations) break;
    const auto end = Clock::now() + interval_of(request);
    while (Clock::now() < end && !was_interrupted()) {
      const auto pressed = wait_for_key(end, view);
      if (pressed == Pressed::quit) return std::nullopt;
      if (!screen.attend_signals() && pressed != Pressed::sort) continue;
      Screen::fit(view);
      Screen::draw(top_picture(before, now, view, palette));
    }
    auto next = look(client);
    if (!next) return next.error();
    before = std::exchange(now, std::move(*next));
  }
  return std::nullopt;
}

void sleep_until(Clock::time_point end) {
  while (!was_interrupted() && Clock::now() < end) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count();
    (void)::poll(nullptr, 0, static_cast<int>(std::max<long>(0, left)));
  }
}

ExitStatus show_plain(varlink::Client& client, const Request& request, Look before) {
  const TopView view{.sort = request.sort};
  const auto pictures = std::max<std::uint64_t>(1, request.iterations);
  for (std::uint64_t shown = 0; shown < pictures; ++shown) {
    sleep_until(Clock::now() + interval_of(request));
    if (was_interrupted()) break;
    auto now = look(client);
    if (!now) return call_failed(now.error());
    if (request.json) {
      Json rows = Json::array();
      for (const auto& row : top_rows(before, *now, request.sort)) rows.push_back(to_json(row));
      print_json({{"workers", std::move(rows)}, {"interval_ns", now->time_ns - before.time_ns}});
    } else {
      std::string out = shown == 0 ? "" : "\n";
      for (const auto& line : top_picture(before, *now, view, Palette{request.colour}))
        out += line + "\n";
      print(out);
    }
    before = std::move(*now);
  }
  return ExitStatus::ok;
}

}  // namespace

ExitStatus show_top(varlink::Client& client, const Request& request) {
  end_on_signals();
  auto first = look(client);
  if (!first) return call_failed(first.error());
  if (request.json || !is_terminal()) return show_plain(client, request, std::move(*first));
  const auto failed = show_live(client, request, std::move(*first));
  return failed ? call_failed(*failed) : ExitStatus::ok;
}

}  // namespace morpheus::ctl
