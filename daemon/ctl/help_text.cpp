// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/help_text.hpp"

#include <algorithm>
#include <iterator>

#include "daemon/ctl/top/legend.hpp"

namespace morpheus::ctl {
namespace {

struct Text {
  std::string_view command, columns, examples;
};

constexpr std::string_view kStatuses = R"(Exit status:
  0   ok
  1   error, also of output that cannot be written; one line on stderr says what to do
  2   wrong usage
  3   morpheusd is not running, or has ended meanwhile
  4   degraded: Enforced mode was chosen and is not in force
  77  this kernel cannot do what was asked

)";

constexpr std::string_view kClientsColumns = R"(Columns:
  WORKERS   registered threads
  CAPACITY  how many it has room for in its shared memory
  NAME      the name that it attached with

)";

constexpr std::string_view kWorkersColumns = R"(Columns, counted since the thread registered:
  HINTS      it was asked to yield, and how that ended:
  ACKED      it acknowledged
  WITHDRAWN  the waiting thread had got a CPU
  LOST       the deadline passed before; a lost hint may still be acknowledged
  ESCALATED  the CPU was taken from it
  BLOCKED    that was due, and a condition stopped it; --json has the reasons
  POLICY     what it consented to

)";

constexpr std::string_view kEventsColumns = R"(Columns:
  TIME     of day, in the local time zone
  TYPE     HINT, ACKNOWLEDGED, WITHDRAWN (the waiter got a CPU), LOST (the deadline
           passed), ESCALATED, BLOCKED (by the condition under REASON), OVERRUN (of the
           hold cap), EXIT (of the thread), THROTTLED, UNTHROTTLED
  PROCESS  the name that it attached with, and the thread's
  SEQ      the hint's number
  TOOK     since the decision to hint; for a throttle, how long it lasts

)";

constexpr std::string_view kBlameColumns =
    R"(A worker is to blame if it was asked to yield while a thread waited, and went on:
  LATE     it let the hint's deadline pass (the grace)
  REMOVED  it lost the CPU with the hint open for longer than the hint lead
  HELD     a critical section outlasted its slice
  BLOCKED  an escalation was due and could not be
Waits are whole waits, until the thread got a CPU. Root and the admin group see all
processes; other users see their own.

)";

constexpr std::string_view kTunables = R"(Tunables, with defaults and bounds (docs/tuning.md):
  slice      5 ms    100 us to 1 s   how long a thread runs when others wait for its CPU
  grace      10 ms   100 us to 10 s  from a hint to its deadline
  hold_cap   100 ms  1 ms to 2 s     how long the end of a slice may be deferred, in all
  hint_lead  1 ms    0 to 1 s        how long before the end of a slice its hint comes
  min_run    0       0 to 1 s        how long a worker runs before a hint for a waiter

)";

// The first is morpheusctl's own. An explanation follows after two blanks.
constexpr Text kTexts[] = {
    {"", kStatuses, R"(
  morpheusctl doctor                 what works on this host, and what to do about the rest
  morpheusctl status                 is it running, and what is it doing?
  morpheusctl top                    which worker is in the way?
  morpheusctl blame                  who keeps threads waiting, and where in its code?
  morpheusctl events --follow        what is happening now, until Ctrl-C
  morpheusctl trace --seconds 5 -o t.json    record it for https://ui.perfetto.dev
  morpheusctl report -o report.html          all of that as one page for a browser
  morpheusctl mode enforced          attach the scheduler (root or the admin group)
  morpheusctl tunables set slice=4ms grace=8ms
  morpheusctl workers --json | jq '.workers[] | select(.lost > 0)')"},
    {"status", {}, R"(
  morpheusctl status                 mode, scheduler, hints, latency, pressure
  morpheusctl status --json | jq .counters)"},
    {"last-exit", {}, R"(
  morpheusctl last-exit              why and when
  morpheusctl last-exit --json | jq -r .dump    the kernel's view of all CPUs then)"},
    {"clients", kClientsColumns, R"(
  morpheusctl clients
  morpheusctl clients --json | jq '.clients[] | select(.workers > 0) | .name')"},
    {"workers", kWorkersColumns, R"(
  morpheusctl workers
  morpheusctl workers --json | jq '.workers[] | select(.lost > 0) | {tid, blocked}')"},
    {"stats", {}, R"(
  morpheusctl stats
  morpheusctl stats --json | jq .hints_by_reason)"},
    {"metrics", {}, R"(
  morpheusctl metrics
  morpheusctl metrics | grep morpheus_hints_total)"},
    {"top", kTopColumns, R"(
  morpheusctl top                    until q; ? explains keys
  morpheusctl top --sort kept        the worker in the way first
  morpheusctl top -n 3 -d 0.5 | cat  three pictures, half a second apart
  morpheusctl top --json | jq '.workers[] | select(.kept_pct > 1) | .name')"},
    {"mode", {}, R"(
  morpheusctl mode                   show it
  morpheusctl mode enforced          attach the scheduler (root or the admin group)
  morpheusctl mode observer          back to hints only)"},
    {"tunables", kTunables, R"(
  morpheusctl tunables
  morpheusctl tunables set slice=4ms grace=8ms    both or none (root or the admin group))"},
    {"events", kEventsColumns, R"(
  morpheusctl events --count 20 --timeout 2    20 of them, or what comes within 2 s
  morpheusctl events --follow --type LOST --type BLOCKED
  morpheusctl events --timeout 1 --json | jq '.events[] | .process')"},
    {"blame", kBlameColumns, R"(
  morpheusctl blame                          look for 5 s, then say who and where
  morpheusctl blame --seconds 1 --pid 1234   only one process, for a shorter time
  morpheusctl blame --seconds 2 --svg > blame.svg        open it in a browser
  morpheusctl blame --seconds 2 --folded > folded.txt    for flame graph tools
  morpheusctl blame --seconds 2 --json | jq '.workers[0].stacks[0].places[0]')"},
    {"trace", {}, R"(
  morpheusctl trace --seconds 5 -o t.json    open it at https://ui.perfetto.dev
  morpheusctl trace --seconds 1 -o - | gzip > t.json.gz)"},
    {"report", {}, R"(
  morpheusctl report --seconds 10 -o report.html    open it in a browser, attach it to a ticket)"},
    {"doctor", {}, R"(
  morpheusctl doctor                 also without a daemon)"},
    {"dump", {}, R"(
  morpheusctl dump -o dump.json      attach it to a bug report
  morpheusctl dump | jq .doctor)"},
    {"completion", {}, R"(
  morpheusctl completion bash > morpheusctl.bash    then: source morpheusctl.bash)"},
};

}  // namespace

std::string help_below(std::string_view command) {
  const auto* found = std::ranges::find(kTexts, command, &Text::command);
  const auto& text = found == std::end(kTexts) ? kTexts[0] : *found;
  return std::string(text.columns) + "Examples:" + std::string(text.examples);
}

}  // namespace morpheus::ctl
