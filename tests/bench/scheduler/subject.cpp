// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bench/scheduler/subject.hpp"

#include <unistd.h>

#include <ctime>
#include <fstream>
#include <stdexcept>

#include "tests/bench/measuring/results.hpp"

namespace morpheus::bench {
namespace {

std::string first_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::string scheduler_in_charge() {
  return first_line("/sys/kernel/sched_ext/state") == "enabled"
             ? first_line("/sys/kernel/sched_ext/root/ops")
             : std::string("none");
}

}  // namespace

Host::Host()
    : has_sched_ext_(::access("/sys/kernel/sched_ext/state", R_OK) == 0),
      is_emulated_(bench::is_emulated()),
      peers_(has_sched_ext_) {
  start_daemon();
}

void Host::start_daemon() {
  if (daemon_) return;
  daemon_.emplace(varlink::Json{{"throttle",
                                 {{"cgroups", {std::string("/") + kThrottledGroup}},
                                  {"percent", kPenaltyPercent},
                                  {"penalty_ms", 600'000}}}});
}

void Host::use(Subject subject) {
  start_daemon();
  if (subject != Subject::fifo) peers_.detach_fifo();
  daemon_->set_mode(subject == Subject::enforced ? "enforced" : "observer");
  if (subject == Subject::fifo) peers_.attach_fifo();
  subject_ = subject;
  expect_in_charge();
}

void Host::use_alone(Subject subject) {
  if (has_hints(subject)) return use(subject);
  daemon_.reset();
  if (subject == Subject::fifo)
    peers_.attach_fifo();
  else
    peers_.detach_fifo();
  subject_ = subject;
  expect_in_charge();
}

bool Host::is_in_charge() const {
  const std::string expected = subject_ == Subject::fifo       ? "fifo"
                               : subject_ == Subject::enforced ? "morpheus"
                                                               : "none";
  return !has_sched_ext_ || scheduler_in_charge() == expected;
}

void Host::expect_in_charge() const {
  if (!is_in_charge())
    throw std::runtime_error(std::string(name(subject_)) +
                             ": the sched_ext scheduler in charge is " + scheduler_in_charge());
}

unsigned Host::cpus() { return static_cast<unsigned>(::sysconf(_SC_NPROCESSORS_ONLN)); }
unsigned Host::crowded_cpu() { return cpus() - 1; }

double Host::tick_ms() {
  timespec tick{};
  ::clock_getres(CLOCK_MONOTONIC_COARSE, &tick);
  return static_cast<double>(tick.tv_nsec) / 1e6;
}

const std::string& Host::socket() const {
  static const std::string kNowhere = "/nonexistent/morpheusd.sock";
  return has_hints(subject_) ? daemon_->socket() : kNowhere;
}

DaemonUnderTest& Host::daemon() {
  start_daemon();
  return *daemon_;
}

void Host::set_tunables_ms(double slice, double grace, double hold_cap, double hint_lead) {
  const auto ns = [](double ms) { return static_cast<std::int64_t>(ms * 1e6); };
  daemon().set_tunables({{"slice_ns", ns(slice)},
                         {"grace_ns", ns(grace)},
                         {"hold_cap_ns", ns(hold_cap)},
                         {"hint_lead_ns", ns(hint_lead)}});
}

}  // namespace morpheus::bench
