#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What the Python package costs, and what it is worth to a thread that shares a CPU with asyncio workers.

Every measure takes its variants in turn, round by round, so that whatever else the machine does hits all.
"""
import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from itertools import repeat

HERE = os.path.dirname(os.path.abspath(__file__))
BESIDE = ("daemon_process.py", "python_probe.py", "results.py")  # what is imported from there
BUILD = os.environ.setdefault("MORPHEUS_BUILD_DIR", os.path.dirname(os.path.dirname(HERE)))
sys.path.insert(0, os.path.join(BUILD, "sdk/python"))

import results  # noqa: E402  # beside this file
from python_probe import measure_probe, steps_of_unit, work  # noqa: E402  # beside this file

import morpheus  # noqa: E402
from morpheus import _core  # noqa: E402


class Records:
    """The figures: for each part, name, subject, variant and unit the values of all rounds."""

    def __init__(self):
        self._values, self._goals = {}, {}

    def add(self, part, name, subject, variant, unit, value):
        self._values.setdefault((part, name, subject, variant, unit), []).append(value)

    def ratio(self, ratio, over, under, goal):
        """A figure, round by round, of two others; all three as (part, name, subject, variant)."""
        find = {key[:4]: values for key, values in self._values.items()}
        for a, b in zip(find[over], find[under]):
            self.add(*ratio, "times", a / b)
        self._goals[ratio] = goal

    def as_list(self):
        return [results.figure(*key, values, self._goals.get(key[:4])) for key, values in self._values.items()]


def goal_text(goal, met):
    words = "at most" if "at_most" in goal else "at least"
    return f"{words} {goal.get('at_most', goal.get('at_least'))}: {'met' if met else 'MISSED'}"


def table(records):
    yield f"{'part':<11} {'name':<36} {'subject':<17} {'variant':<9} {'median':>10} {'min':>10} {'max':>10}  unit"
    for r in records:
        goal = f"  {goal_text(r['goal'], r['met'])}" if "goal" in r else ""
        yield (f"{r['part']:<11} {r['name']:<36} {r['subject']:<17} {r['variant']:<9} {r['median']:>10.4g} {r['min']:>10.4g} "
               f"{r['max']:>10.4g}  {r['unit']}{goal}")


def progress(text):
    print(text, file=sys.stderr, flush=True)


# --- calls: in CPU time, which others that use the machine do not lengthen ----------------------------------


def ns_per_call(function, calls):
    start = time.thread_time_ns()
    for _ in repeat(None, calls):
        function()
    return (time.thread_time_ns() - start) / calls


def ns_per_turn(calls):
    start = time.thread_time_ns()
    for _ in repeat(None, calls):
        pass
    return (time.thread_time_ns() - start) / calls


async def ns_per_await(function, argument, calls):
    start = time.thread_time_ns()
    for _ in repeat(None, calls):
        await function(*argument)
    return (time.thread_time_ns() - start) / calls


def measure_calls(records, rounds, calls):
    progress("calls ...")
    for _ in range(rounds):
        for name, function in (("checkpoint", _core.checkpoint), ("empty call", _core._empty_call)):
            # what the loop around it costs is not the call's
            records.add("call", "time", name, "no hint", "ns of CPU", ns_per_call(function, calls) - ns_per_turn(calls))
    records.ratio(("call", "of an empty call", "checkpoint", "no hint"), ("call", "time", "checkpoint", "no hint"),
                  ("call", "time", "empty call", "no hint"), results.at_most(1.1))


def measure_awaits(records, rounds, calls):
    progress("awaits ...")

    async def main():
        for _ in range(rounds):
            records.add("await", "time", "acheckpoint", "no hint", "ns of CPU",
                        await ns_per_await(morpheus.acheckpoint, (), calls))
            records.add("await", "time", "asyncio.sleep(0)", "no hint", "ns of CPU",
                        await ns_per_await(asyncio.sleep, (0,), calls // 10))

    asyncio.run(main())
    records.ratio(("await", "asyncio.sleep(0) takes as long as", "acheckpoint", "no hint"),
                  ("await", "time", "asyncio.sleep(0)", "no hint"), ("await", "time", "acheckpoint", "no hint"),
                  results.at_least(20))


async def cpu_ns_per_turn(turns):
    start = time.thread_time_ns()
    for _ in repeat(None, turns):
        await asyncio.sleep(0)
    return (time.thread_time_ns() - start) / turns


def run_on(factory, main):
    """asyncio.run() with a loop of that kind."""
    loop = factory()
    try:
        return loop.run_until_complete(main)
    finally:
        loop.close()


def measure_turns(records, rounds, turns):
    """An empty callback, and the loop's turn around it."""
    progress("turns of the loop ...")
    factories = {"asyncio": asyncio.new_event_loop}
    with contextlib.suppress(ImportError):
        import uvloop

        factories["uvloop"] = uvloop.new_event_loop
    for _ in range(rounds):
        for name, factory in factories.items():
            for variant, instrumented in (("without", factory), ("with safe points", _instrumented(factory, None)),
                                          ("with blame", _instrumented(factory, True))):
                records.add("turn", "time of an empty one", variant, name, "ns of CPU", run_on(instrumented, cpu_ns_per_turn(turns)))


def _instrumented(factory, blame):
    return lambda: morpheus.instrument(factory(), blame=blame)


# --- a CPU-bound asyncio job -------------------------------------------------------------------------------


async def job(units, steps):
    """A callback of UNIT_US each: the loop is between callbacks as often."""
    for _ in range(units):
        work(steps)
        await asyncio.sleep(0)


def run_job(run, units, steps):
    """Units a second, and units a second of CPU."""
    start, cpu = time.perf_counter(), time.process_time()
    run(job(units, steps))
    return units / (time.perf_counter() - start), units / (time.process_time() - cpu)


def measure_throughput(records, rounds, steps, units):
    progress("throughput ...")
    variants = (("without", asyncio.run), ("with safe points", morpheus.run),
                ("with blame", lambda main: morpheus.run(main, blame=True)))
    for _ in range(rounds):
        for variant, run in variants:
            by_wall, by_cpu = run_job(run, units, steps)
            records.add("throughput", "work", variant, "by the clock", "units/s", by_wall)
            records.add("throughput", "work", variant, "by CPU time", "units/s", by_cpu)
    for clock in ("by the clock", "by CPU time"):
        for variant in ("with safe points", "with blame"):
            records.ratio(("throughput", "of that without", variant, clock), ("throughput", "work", variant, clock),
                          ("throughput", "work", "without", clock), results.at_least(0.97))


# --- the program -------------------------------------------------------------------------------------------


def in_machine(options):
    """The part enforced in a virtual machine with a stock kernel: what it prints with --json."""
    stdlib = os.path.dirname(os.__file__)
    added = [os.path.realpath(__file__), *(os.path.join(HERE, name) for name in BESIDE), os.path.join(BUILD, "sdk/python"),
             sys.executable, stdlib]
    command = [os.path.join(options.root, "tests/vm/run"), "--timeout", "580"]
    for path in added:
        command += ["--add", path]
    command += ["--", f"/build/tests/bench/{os.path.basename(__file__)}", "--part", "enforced", "--rounds",
                str(options.rounds), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "MORPHEUS_BUILD_DIR": BUILD})
    if done.returncode != 0:
        raise RuntimeError(f"the machine ended with status {done.returncode}")
    found = json.loads(done.stdout)
    # what the machine cannot know
    found["commit"], found["machine"]["compiler"] = results.commit_of(options.root), results.compiler_of(BUILD)
    return found


def parse():
    parser = argparse.ArgumentParser(prog="./dev bench python", description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one object instead of the table")
    parser.add_argument("--rounds", type=int, default=7, help="of each measure (default %(default)s)")
    parser.add_argument("--part", choices=("cost", "observer", "enforced", "vm"), default="cost",
                        help="cost: calls and throughput (the default); observer: the probe beside workers in Observer mode, "
                        "as root; enforced: that under Enforced mode; vm: enforced in a virtual machine")
    parser.add_argument("--root", default="@SOURCE_ROOT@", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    return options


def measure_cost(records, rounds, steps):
    morpheus.attach()
    measure_calls(records, rounds, 1_000_000)
    measure_awaits(records, rounds, 300_000)
    measure_turns(records, rounds, 20_000)
    measure_throughput(records, rounds, steps, 10_000)
    morpheus.detach()


def here(options):
    """A part on this machine: what it prints with --json."""
    records = Records()
    steps = steps_of_unit()
    if options.part == "cost":
        measure_cost(records, options.rounds, steps)
    else:
        measure_probe(records, options.rounds, steps, options.part)
    arguments = {"part": options.part, "rounds": options.rounds}
    return results.results("python", options.root, BUILD, arguments, records.as_list())


def main():
    options = parse()
    progress(f"{options.part} ...")
    try:
        found = in_machine(options) if options.part == "vm" else here(options)
    except (RuntimeError, OSError) as error:
        progress(f"python: {options.part}: {error}")
        return 70
    print(json.dumps(found) if options.json else "\n".join(table(found["figures"])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
