#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What the Python package costs, and what it is worth to a thread that shares a CPU with asyncio workers.

Every measure takes its variants in turn, round by round, so that whatever else the machine does hits all.
"""
import argparse
import asyncio
import ctypes
import json
import mmap
import os
import signal
import statistics
import subprocess
import sys
import time
from itertools import repeat

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.setdefault("MORPHEUS_BUILD_DIR", os.path.dirname(os.path.dirname(HERE)))
sys.path.insert(0, os.path.join(BUILD, "sdk/python"))

import daemon_process  # noqa: E402  # beside this file

import morpheus  # noqa: E402
from morpheus import _core  # noqa: E402

WORKERS = 4
UNIT_US = 50
PROBE_PERIOD_NS = 1_000_000
ROUND_S = {"observer": 1.0, "enforced": 4.0}  # by mode: an emulated machine is slow
PR_SET_TIMERSLACK = 29
PR_SET_PDEATHSIG = 1
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
    yield f"{'measure':<12} {'subject':<40} {'variant':<22} {'median':>11} {'min':>11} {'max':>11}  unit"
    for r in records:
        unit, goal = r["unit"], ""
        if r["measure"] == "ratio":
            least, most = GOALS[r["subject"].partition(" (")[0]]
            goal = f"at least {least}" if least is not None else f"at most {most}"
            unit = ""
        yield (f"{r['measure']:<12} {r['subject']:<40} {r['variant']:<22} {r['median']:>11.4g} {r['min']:>11.4g} "
               f"{r['max']:>11.4g}  {unit or goal}")


def progress(text):
    print(text, file=sys.stderr, flush=True)


# --- calls -------------------------------------------------------------------------------------------------


def ns_per_call(function, calls):
    start = time.perf_counter_ns()
    for _ in repeat(None, calls):
        function()
    return (time.perf_counter_ns() - start) / calls


def ns_per_turn(calls):
    start = time.perf_counter_ns()
    for _ in repeat(None, calls):
        pass
    return (time.perf_counter_ns() - start) / calls


async def ns_per_await(function, argument, calls):
    start = time.perf_counter_ns()
    for _ in repeat(None, calls):
        await function(*argument)
    return (time.perf_counter_ns() - start) / calls


def measure_calls(records, rounds, calls):
    progress("calls ...")
    for _ in range(rounds):
        for name, function in (("checkpoint", _core.checkpoint), ("empty call", _core._empty_call)):
            # what the loop around it costs is not the call's
            records.add("call", name, "no hint", "ns", ns_per_call(function, calls) - ns_per_turn(calls))
    records.ratio("checkpoint / empty call", ("call", "checkpoint", "no hint"), ("call", "empty call", "no hint"))


def measure_awaits(records, rounds, calls):
    progress("awaits ...")

    async def main():
        for _ in range(rounds):
            records.add("await", "acheckpoint", "no hint", "ns", await ns_per_await(morpheus.acheckpoint, (), calls))
            records.add("await", "asyncio.sleep(0)", "no hint", "ns",
                        await ns_per_await(asyncio.sleep, (0,), calls // 10))

    asyncio.run(main())
    records.ratio("asyncio.sleep(0) / acheckpoint", ("await", "asyncio.sleep(0)", "no hint"),
                  ("await", "acheckpoint", "no hint"))


# --- a CPU-bound asyncio job -------------------------------------------------------------------------------


def work(steps):
    total = 0
    for number in range(steps):
        total += number
    return total


def steps_of_unit():
    """How much work takes UNIT_US: by the fastest trial, which nothing disturbed."""
    best = min(_timed(work, 2000) for _ in range(200))
    return max(1, int(2000 * UNIT_US * 1000 / best))


def _timed(function, argument):
    start = time.perf_counter_ns()
    function(argument)
    return time.perf_counter_ns() - start


async def job(units, steps):
    """A callback of UNIT_US each: the loop is between callbacks as often."""
    for _ in range(units):
        work(steps)
        await asyncio.sleep(0)


def run_job(run, units, steps):
    start = time.perf_counter()
    run(job(units, steps))
    return units / (time.perf_counter() - start)


def measure_throughput(records, rounds, steps, units):
    progress("throughput ...")
    variants = (("without", asyncio.run), ("with safe points", morpheus.run),
                ("with blame", lambda main: morpheus.run(main, blame=True)))
    for _ in range(rounds):
        for variant, run in variants:
            records.add("throughput", "asyncio job", variant, "units/s", run_job(run, units, steps))
    records.ratio("throughput with safe points / without", ("throughput", "asyncio job", "with safe points"),
                  ("throughput", "asyncio job", "without"))
    records.ratio("throughput with safe points / without (and blame)", ("throughput", "asyncio job", "with blame"),
                  ("throughput", "asyncio job", "without"))


# --- a probe beside workers --------------------------------------------------------------------------------


class WorkerProcess:
    """One worker of a variant, stopped but in its variant's rounds."""

    def __init__(self, variant, cpu, steps, socket):
        self._units = mmap.mmap(-1, mmap.PAGESIZE)
        self.pid = os.fork()
        if self.pid == 0:
            try:
                ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
                os.sched_setaffinity(0, {cpu})
                self._work(variant, steps, socket)
            finally:
                os._exit(1)

    def _work(self, variant, steps, socket):
        counter = memoryview(self._units).cast("Q")

        async def main():
            while True:
                work(steps)
                counter[0] += 1
                if variant == "yield always":
                    os.sched_yield()
                await asyncio.sleep(0)

        if variant == "morpheus":
            morpheus.attach(socket=socket, register=False)
            morpheus.run(main())
        else:
            asyncio.run(main())

    @property
    def units(self):
        return memoryview(self._units).cast("Q")[0]

    def signal(self, number):
        os.kill(self.pid, number)

    def end(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def probe(seconds):
    """Wakes up once a millisecond; how late each time, in us. Periods that were slept through are left out."""
    late, due = [], time.monotonic_ns()
    end = due + int(seconds * 1e9)
    while due < end:
        due += PROBE_PERIOD_NS
        time.sleep(max(0, due - time.monotonic_ns()) / 1e9)
        now = time.monotonic_ns()
        late.append((now - due) / 1000)
        due += (now - due) // PROBE_PERIOD_NS * PROBE_PERIOD_NS
    return late


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def probe_round(workers, seconds):
    before = sum(w.units for w in workers)
    for worker in workers:
        worker.signal(signal.SIGCONT)
    time.sleep(0.1)
    start = time.monotonic()
    late = probe(seconds)
    for worker in workers:
        worker.signal(signal.SIGSTOP)
    units = (sum(w.units for w in workers) - before) / (time.monotonic() - start + 0.1)
    return late, units


def measure_probe(records, rounds, steps, mode):
    progress(f"probe, {mode} ...")
    cpu = max(os.sched_getaffinity(0))
    subject = f"probe beside {WORKERS} workers"
    variants = ("kernel alone", "yield always", "morpheus")
    everyone = []
    # raises if the daemon cannot start, having said why
    with daemon_process.running_daemon(backend="bpf") as daemon:
        ctypes.CDLL(None).prctl(PR_SET_TIMERSLACK, 1)
        os.sched_setaffinity(0, {cpu})
        try:
            teams = {}
            for variant in variants:
                teams[variant] = [WorkerProcess(variant, cpu, steps, daemon.socket) for _ in range(WORKERS)]
                everyone += teams[variant]
            wanted = {worker.pid for worker in teams["morpheus"]}
            if not daemon_process.eventually(lambda: wanted <= {w["pid"] for w in daemon.workers()}, 120):
                raise RuntimeError("the workers did not register")
            daemon_process.eventually(lambda: all(worker.units for worker in everyone), 120)
            for worker in everyone:
                worker.signal(signal.SIGSTOP)
            for _ in range(rounds):
                for variant in variants:
                    # the other two are the kernel's own scheduler
                    daemon.call("SetMode", mode=mode if variant == "morpheus" else "observer")
                    late, units = probe_round(teams[variant], ROUND_S[mode])
                    records.add("probe p50", subject, f"{variant}, {mode}", "us", percentile(late, 0.5))
                    records.add("probe p99", subject, f"{variant}, {mode}", "us", percentile(late, 0.99))
                    records.add("work", subject, f"{variant}, {mode}", "units/s", units)
            for counter in ("hints", "acks", "withdrawn", "lost"):
                total = sum(worker[counter] for worker in daemon.workers())
                records.add(counter, subject, f"morpheus, {mode}", "1", total)
        finally:
            for worker in everyone:
                worker.end()
    records.ratio(f"probe p99, kernel alone / morpheus ({mode})", ("probe p99", subject, f"kernel alone, {mode}"),
                  ("probe p99", subject, f"morpheus, {mode}"))


# --- the program -------------------------------------------------------------------------------------------


def in_machine(options):
    """The probe under Enforced mode, in a virtual machine with a stock kernel; its records."""
    progress("probe, enforced, in the virtual machine ...")
    stdlib = os.path.dirname(os.__file__)
    added = [os.path.realpath(__file__), os.path.join(HERE, "daemon_process.py"), os.path.join(BUILD, "sdk/python"),
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
        try:
            others.extend(function(*arguments) or ())
        except (RuntimeError, OSError) as error:
            failures += 1
            progress(f"python: {part}: {error}")

    def cost():
        morpheus.attach()
        measure_calls(records, options.rounds, 1_000_000)
        measure_awaits(records, options.rounds, 300_000)
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
