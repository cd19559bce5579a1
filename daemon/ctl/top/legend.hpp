// SPDX-License-Identifier: GPL-2.0-only
// What top's columns mean, for its help page and for --help.
#pragma once

namespace morpheus::ctl {

inline constexpr const char* kTopColumns =
    R"(Columns, the rates per second and the shares of the time since the last update:
  WORKER   its number, as in morpheusctl workers
  PID, TID of its process, and of its thread
  PROCESS  the name that it attached with, and the thread's where there is room
  DOING    running, waiting (for a CPU), asleep, or critical (in a critical section
           and not asleep); or a state other than RUNNING
  %CPU     on a CPU
  %WAIT    ready to run, without a CPU
  %KEPT    threads waited that it was asked to make room for; red from 1 on
  HINTS    it was asked to yield
  ACKED    it acknowledged that
  LOST     it let the deadline pass, too late or never
  ESCAL    the CPU was taken from it
  CPU      where it ran last
  CGROUP   its control group
A narrow terminal shows fewer columns. A group of workers has the sums.

)";

}  // namespace morpheus::ctl
