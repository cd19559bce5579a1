# SPDX-License-Identifier: GPL-2.0-only
"""A latency probe beside CPU-bound asyncio workers on one CPU: alone with the kernel, yielding always, and with Morpheus."""
import asyncio
import ctypes
import mmap
import os
import signal
import time

import daemon_process
import results

import morpheus

WORKERS = 8
UNIT_US = 50
# By mode: in an emulated machine all of Python is slow, and a probe that needs half of the CPU for itself
# would not measure latency.
PROBE_PERIOD_NS = {"observer": 1_000_000, "enforced": 10_000_000}
ROUND_S = {"observer": 1.0, "enforced": 8.0}
PR_SET_TIMERSLACK = 29
PR_SET_PDEATHSIG = 1


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


def units_of(workers):
    return sum(worker.units for worker in workers)


def probe(seconds, period_ns, workers):
    """Wakes up once a period; each time how late, in us, and how many units the workers did since it fell asleep.

    Periods that were slept through are left out. Units do not grow while a host keeps an emulated machine waiting.
    """
    late, passed, due = [], [], time.monotonic_ns()
    end = due + int(seconds * 1e9)
    while due < end:
        due += period_ns
        before = units_of(workers)
        time.sleep(max(0, due - time.monotonic_ns()) / 1e9)
        now = time.monotonic_ns()
        passed.append(units_of(workers) - before)
        late.append((now - due) / 1000)
        due += (now - due) // period_ns * period_ns
    return late, passed


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def probe_round(workers, mode):
    before = units_of(workers)
    for worker in workers:
        worker.signal(signal.SIGCONT)
    time.sleep(0.1)
    start = time.monotonic()
    late, passed = probe(ROUND_S[mode], PROBE_PERIOD_NS[mode], workers)
    for worker in workers:
        worker.signal(signal.SIGSTOP)
    units = (units_of(workers) - before) / (time.monotonic() - start + 0.1)
    return late, passed, units


def measure_probe(records, rounds, steps, mode):
    allowed = os.sched_getaffinity(0)
    cpu = max(allowed)
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
                    late, passed, units = probe_round(teams[variant], mode)
                    records.add("probe", "lateness, p50", variant, mode, "us", percentile(late, 0.5))
                    records.add("probe", "lateness, p99", variant, mode, "us", percentile(late, 0.99))
                    records.add("probe", "units done while it sleeps, p99", variant, mode, "count", percentile(passed, 0.99))
                    records.add("probe", "work", variant, mode, "units/s", units)
            for counter in ("hints", "acknowledged", "withdrawn", "lost"):
                total = sum(worker[counter] for worker in daemon.workers())
                records.add("probe", counter, "morpheus", mode, "count", total)
        finally:
            os.sched_setaffinity(0, allowed)
            for worker in everyone:
                worker.end()
    late = {variant: ("probe", "lateness, p99", variant, mode) for variant in variants}
    records.ratio(("probe", "p99, times less late than alone", "morpheus", mode), late["kernel alone"], late["morpheus"],
                  results.at_least(5))
    for variant in variants[1:]:
        records.ratio(("probe", "work, of alone", variant, mode), ("probe", "work", variant, mode),
                      ("probe", "work", "kernel alone", mode), None)
