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
import statistics
import subprocess
import sys
import time
from itertools import repeat

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.setdefault("MORPHEUS_BUILD_DIR", os.path.dirname(os.path.dirname(HERE)))
sys.path.insert(0, os.path.join(BUILD, "sdk/python"))

from python_probe import measure_probe, steps_of_unit, work  # noqa: E402  # beside this file

import morpheus  # noqa: E402
from morpheus import _core  # noqa: E402

GOALS = {  # of the ratios, as (least, most)
    "checkpoint / empty call": (None, 1.10),
    "asyncio.sleep(0) / acheckpoint": (20, None),
    "throughput with safe points / without": (0.97, None),
    "probe p99, kernel alone / morpheus": (5, None),
}


class Records:
    """The figures: for each measure, subject and variant the values of all rounds."""

    def __init__(self):
        self._values = {}

    def add(self, measure, subject, variant, unit, value):
        self._values.setdefault((measure, subject, variant, unit), []).append(value)

    def ratio(self, subject, over, under):
        """Of two variants' (measure, subject, variant), round by round."""
        find = {key[:3]: values for key, values in self._values.items()}
        for a, b in zip(find[over], find[under]):
            self.add("ratio", subject, "all", "1", a / b)

    def as_list(self):
        return [
            {"measure": measure, "subject": subject, "variant": variant, "unit": unit,
             "median": statistics.median(values), "min": min(values), "max": max(values), "n": len(values)}
            for (measure, subject, variant, unit), values in self._values.items()
        ]


def table(records):
    yield f"{'measure':<12} {'subject':<52} {'variant':<22} {'median':>11} {'min':>11} {'max':>11}  unit"
    for r in records:
        unit, goal = r["unit"], ""
        if r["measure"] == "ratio":
            least, most = GOALS[r["subject"].partition(" (")[0]]
            goal = f"at least {least}" if least is not None else f"at most {most}"
            unit = ""
        yield (f"{r['measure']:<12} {r['subject']:<52} {r['variant']:<22} {r['median']:>11.4g} {r['min']:>11.4g} "
               f"{r['max']:>11.4g}  {unit or goal}")


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
            records.add("call", name, "no hint", "ns of CPU", ns_per_call(function, calls) - ns_per_turn(calls))
    records.ratio("checkpoint / empty call", ("call", "checkpoint", "no hint"), ("call", "empty call", "no hint"))


def measure_awaits(records, rounds, calls):
    progress("awaits ...")

    async def main():
        for _ in range(rounds):
            records.add("await", "acheckpoint", "no hint", "ns of CPU", await ns_per_await(morpheus.acheckpoint, (), calls))
            records.add("await", "asyncio.sleep(0)", "no hint", "ns of CPU",
                        await ns_per_await(asyncio.sleep, (0,), calls // 10))

    asyncio.run(main())
    records.ratio("asyncio.sleep(0) / acheckpoint", ("await", "asyncio.sleep(0)", "no hint"),
                  ("await", "acheckpoint", "no hint"))


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
                records.add("turn", name, variant, "ns of CPU", run_on(instrumented, cpu_ns_per_turn(turns)))


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
            records.add("throughput", "asyncio job", variant, "units/s", by_wall)
            records.add("CPU work", "asyncio job", variant, "units/s of CPU", by_cpu)
    for measure, clock in (("throughput", "wall"), ("CPU work", "CPU")):
        for variant in ("with safe points", "with blame"):
            records.ratio(f"throughput with safe points / without ({clock}{', blame' * (variant == 'with blame')})",
                          (measure, "asyncio job", variant), (measure, "asyncio job", "without"))


# --- the program -------------------------------------------------------------------------------------------


def in_machine(options):
    """The probe under Enforced mode, in a virtual machine with a stock kernel; its records."""
    stdlib = os.path.dirname(os.__file__)
    added = [os.path.realpath(__file__), os.path.join(HERE, "daemon_process.py"),
             os.path.join(HERE, "python_probe.py"), os.path.join(BUILD, "sdk/python"),
             sys.executable, stdlib]
    command = [os.path.join(options.root, "tests/vm/run"), "--timeout", "580"]
    for path in added:
        command += ["--add", path]
    command += ["--", f"/build/tests/bench/{os.path.basename(__file__)}", "--part", "enforced", "--rounds",
                str(options.rounds), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "MORPHEUS_BUILD_DIR": BUILD})
    if done.returncode != 0:
        raise RuntimeError(f"the machine ended with status {done.returncode}")
    return json.loads(done.stdout)


def parse():
    parser = argparse.ArgumentParser(prog="./dev bench python", description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one array of records instead of the table")
    parser.add_argument("--rounds", type=int, default=7, help="of each measure (default %(default)s)")
    parser.add_argument("--part", choices=("all", "cost", "observer", "vm", "enforced"), default="all",
                        help="cost: calls and throughput; observer: the probe on this machine (needs root); vm: the probe "
                        "under Enforced mode in a virtual machine; enforced: that, on this machine; default: the first three")
    parser.add_argument("--root", default="@SOURCE_ROOT@", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    return options


def main():
    options = parse()
    records = Records()
    steps = steps_of_unit()
    others, failures = [], 0

    def attempt(part, function, *arguments):
        nonlocal failures
        if options.part not in (part, "all") or (part == "enforced" and options.part == "all"):
            return
        progress(f"{part} ...")
        try:
            others.extend(function(*arguments) or ())
        except (RuntimeError, OSError) as error:
            failures += 1
            progress(f"python: {part}: {error}")

    def cost():
        morpheus.attach()
        measure_calls(records, options.rounds, 1_000_000)
        measure_awaits(records, options.rounds, 300_000)
        measure_turns(records, options.rounds, 20_000)
        measure_throughput(records, options.rounds, steps, 10_000)
        morpheus.detach()

    attempt("cost", cost)
    attempt("observer", measure_probe, records, options.rounds, steps, "observer")
    attempt("enforced", measure_probe, records, options.rounds, steps, "enforced")
    attempt("vm", in_machine, options)
    everything = records.as_list() + others
    if options.json:
        print(json.dumps(everything))
    else:
        print("\n".join(table(everything)))
    return 70 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
