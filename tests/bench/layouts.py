# SPDX-License-Identifier: GPL-2.0-only
"""What the tables of the pages show: see tables.py. A figure is described by the fields of
results.schema.json."""
from tables import Sentence, Table

IN_MS = {"scale": 1e-3, "unit": "ms"}
IN_US = {"scale": 1e-3, "unit": "us"}
IN_PERCENT = {"scale": 100, "unit": "%"}


def figure(part, name, variant="", **more):
    return {"part": part, "name": name, "variant": variant, **more}


def subjects(*names):
    """Columns that are called as their subjects."""
    return {name: {"subject": name} for name in names}


RUNTIME = Table(
    {"file": "runtime"},
    {"Morpheus": {"subject": "morpheus"}, "floor": {"subject": "floor"}, "oneTBB": {"subject": "tbb"},
     "Tokio": {"subject": "tokio"}, "Go": {"subject": "go"}, "Asio": {"subject": "asio"}, "Fiber": {"subject": "fiber"},
     "asyncio": {"subject": "asyncio"}},
    {"yield, 1 task": figure("yield", "yield", "1"),
     "yield, 100 tasks": figure("yield", "yield", "100"),
     "yield, 10,000 tasks": figure("yield", "yield", "10000"),
     "spawn and join": figure("spawn-join", "spawn-join", "1"),
     "the same on two threads": figure("spawn-join", "spawn-join", "2"),
     "fork and join, one call": figure("fork-join", "fork-join", "1"),
     "the same, times the floor": figure("fork-join", "fork-join-of-floor", "1"),
     "the same on two threads, one call": figure("fork-join", "fork-join", "2"),
     "the same, times the floor on one": figure("fork-join", "fork-join-of-floor", "2"),
     "message on one thread": figure("ping-pong", "ping-pong", "one-thread"),
     "message between two threads": figure("ping-pong", "ping-pong", "two-threads"),
     "message to a sleeping thread": figure("ping-pong", "ping-pong", "asleep", **IN_US),
     "memory of a waiting task": figure("memory", "memory", "1000000"),
     "10,000 timers, lateness p50": figure("timers", "timers-lateness-p50", "10000"),
     "10,000 timers, CPU a sleep": figure("timers", "timers-cpu", "10000"),
     "100,000 timers, lateness p50": figure("timers", "timers-lateness-p50", "100000"),
     "100,000 timers, CPU a sleep": figure("timers", "timers-cpu", "100000"),
     "safe point in a function": figure("checkpoint-loop", "checkpoint-instructions", "plain"),
     "safe point in a coroutine body": figure("checkpoint-loop", "checkpoint-instructions", "coroutine"),
     "the same, time": figure("checkpoint", "checkpoint", "coroutine"),
     "task beside a hog with safe points, p99": figure("hog", "hog-lateness-p99", "safe-points"),
     "task beside a hog without safe points, p99": figure("hog", "hog-lateness-p99", "no-safe-points", **IN_MS),
     "task beside two other hogs on that CPU, p99": figure("hog", "hog-lateness-p99", "two-hogs", **IN_MS),
     "waking a sleeping runtime, system": figure("wake", "wake-system-calls", "sleeping"),
     "CPU of an idle second": figure("idle", "idle-cpu", "second"),
     "10 us of work on two threads, of the time on one": figure("scaling", "scaling-of-one-thread", "2")},
    goals="Morpheus", spread=("Morpheus",))

SCHEDULER = Table(
    {"file": "scheduler"},
    subjects("kernel", "fifo", "observer", "enforced"),
    {"safe points passed before the probe ran, p99": figure("latency", "safe points passed before the probe ran, p99"),
     "the same, p99.9": figure("latency", "the same, p99.9"),
     "CPU lost inside 10^6 critical sections, own class": figure("latency", "CPU lost inside 10^6 critical sections, own class"),
     "the same to real-time threads": figure("latency", "the same to real-time and deadline threads"),
     "the same to the stopper": figure("latency", "the same to the stopper"),
     "probe, wakeup to run, p99": figure("latency", "probe, wakeup to run, p99"),
     "the same, times better than the kernel": figure("latency", "p99, times better than the kernel"),
     "wait for a lock held in critical sections, p99": figure("lock", "wait for it, p99"),
     "wait for the lock, times better than the kernel": figure("lock", "p99, times better than the kernel"),
     "stints of a deaf worker over by the first tick after slice + grace":
         figure("starvation", "of these, over by the first tick after slice + grace"),
     "share of its rival": figure("starvation", "share of its rival"),
     "share of a bound thread beside unbound ones, of its fair one":
         figure("starvation", "share of a thread bound to one CPU, of its fair one"),
     "opportunities to kick a worker without consent":
         figure("starvation", "opportunities to escalate a worker without consent"),
     "kicks of workers without consent": figure("starvation", "kicks of workers without consent"),
     "kicks of the one beside them that consented": figure("starvation", "kicks of the one beside them that consented"),
     **{f"share beside a worker that {what}": figure("liar", f"{what}: honest one's share of both")
        for what in ("acknowledges and goes on", "acknowledges hints to come", "claims a critical section for ever",
                     "flips its consent")},
     "equal workers, farthest off": figure("shares", "4 equal workers, farthest from a quarter"),
     "nice 0, 3, 6, farthest off": figure("shares", "nice 0, 3, 6 (weights 1024:526:272), farthest from its share"),
     "`cpu.weight` 400, 200, 100, farthest off": figure("shares", "cpu.weight 400, 200, 100, farthest from its share"),
     "`cpu.max` of 35 %, off": figure("throttle", "cpu.max of 35 %: off by"),
     "throttling penalty of 20 %, off": figure("throttle", "CGROUP_THROTTLE penalty of 20 %: off by"),
     "hybrid penalty of 20 %, off": figure("throttle", "HYBRID penalty of 20 %: off by"),
     "a runtime's task beside hogs, late by, p99": figure("hog", "how late, p99"),
     "the same for a thread of its own": figure("hog", "how late a thread of its own is, p99"),
     "work lost to a safe point every 50 us": figure("checkpoint", "work lost to a safe point every 50 us"),
     "the same beside a probe": figure("checkpoint", "work lost to a safe point every 50 us, beside a probe"),
     "callbacks, all of one context switch": figure("cost", "no workers, all callbacks"),
     "callbacks, times the FIFO's": figure("cost", "no workers, times the FIFO's"),
     "callbacks with workers, all of one context switch": figure("cost", "workers, all callbacks"),
     "callbacks with workers, times the FIFO's": figure("cost", "workers, times the FIFO's")},
    goals="enforced", spread=("observer", "enforced"))

THROUGHPUT = Table(
    {"file": "scheduler-throughput", "part": "throughput", "unit": "times"},
    {"observer, % longer": {"subject": "observer", "suffix": ", longer than the kernel"},
     "enforced, % longer": {"subject": "enforced", "suffix": ", longer than the kernel"},
     **{f"{subject}, late, ms, {quantile}": {"subject": subject, "suffix": f", interactive thread late, {quantile}", "scale": 1e-3}
        for subject in ("kernel", "observer", "enforced") for quantile in ("p50", "p99")}},
    {name: {"name": name} for load in ("hackbench", "compilers", "stress-ng") for name in (load, f"{load} beside kernel threads")},
    goals="enforced, % longer", spread=("observer, % longer", "enforced, % longer"))

PROBE_ROWS = {f"probe lateness, {quantile}": figure("probe", f"lateness, {quantile}") for quantile in ("p50", "p99", "p99.9")}
LOAD_ROWS = {"yields": figure("workers", "yields"), "work, of alone": figure("workers", "work, of alone")}
HINT_ROWS = {f"decision to acknowledgement, {quantile}": figure("hints", f"decision to acknowledgement, {quantile}")
             for quantile in ("p50", "p99")}
WITNESS_ROWS = {name: figure("workers", name)
                for name in ("CPU lost inside critical sections", "safe points passed before the probe ran, p99",
                             "safe points passed before the probe ran, p99.9")}


def contention(file, *rows):
    return Table({"file": file}, subjects("alone", "naive", "morpheus"), {label: row for part in rows for label, row in part.items()})


SERVICE = Table(
    {"file": "service", "subject": "morpheusd"}, {"morpheusd": {}},
    {"registrations, all clients at once": figure("crowd", "registrations, all clients at once"),
     "memory (RSS) without clients": figure("crowd", "memory, without clients", scale=1 / 1024, unit="MiB"),
     "memory with all clients": figure("crowd", "memory, with all clients", scale=1 / 1024, unit="MiB"),
     "memory at its most": figure("crowd", "memory, at its most", scale=1 / 1024, unit="MiB"),
     "CPU while all are idle": figure("crowd", "CPU while all are idle"),
     "until the last worker of a killed client is gone": figure("killed clients", "until the last worker of a client is gone"),
     "the same for a client of 1,000 workers": figure("killed clients", "until the last of 1,000 workers of a client is gone"),
     "bad inputs not survived": figure("bad inputs", "not survived"),
     "on a CPU in the storm": figure("storm", "the daemon's time on a CPU in the storm"),
     "waiting for a CPU in the storm": figure("storm", "the daemon's time waiting for a CPU in the storm")},
    goals="morpheusd", spread=("morpheusd",))

CALLS = Table(
    {"file": "service", "part": "storm", "subject": "morpheusd"},
    {variant: {"variant": variant} for variant in ("in quiet", "storm on another daemon", "storm on this daemon")},
    {f"another user's call, {quantile}": {"name": f"another user's call, {quantile}"} for quantile in ("p50", "p99", "max")})

PYTHON = Table(
    {"file": "python-cost"}, {"median": {}},
    {"`checkpoint()`": figure("call", "time", "no hint", subject="checkpoint"),
     "an empty C call": figure("call", "time", "no hint", subject="empty call"),
     "`checkpoint()`, times an empty call": figure("call", "of an empty call", "no hint", subject="checkpoint"),
     "`await acheckpoint()`": figure("await", "time", "no hint", subject="acheckpoint"),
     "`await asyncio.sleep(0)`": figure("await", "time", "no hint", subject="asyncio.sleep(0)"),
     "the latter, times the former": figure("await", "asyncio.sleep(0) takes as long as", "no hint", subject="acheckpoint"),
     **{f"an empty turn of {loop}'s loop, {subject}": figure("turn", "time of an empty one", loop, subject=subject)
        for loop in ("asyncio", "uvloop") for subject in ("without", "with safe points", "with blame")},
     **{f"work of a CPU-bound asyncio job {subject}, {clock}, of that without": figure("throughput", "of that without", clock, subject=subject)
        for subject in ("with safe points", "with blame") for clock in ("by the clock", "by CPU time")}},
    goals="median", spread=("median",))


def python_probe(file, mode):
    return Table(
        {"file": file, "part": "probe", "variant": mode}, subjects("kernel alone", "yield always", "morpheus"),
        {"probe lateness, p50": {"name": "lateness, p50"}, "probe lateness, p99": {"name": "lateness, p99"},
         "p99, times less late than alone": {"name": "p99, times less late than alone"},
         "work, of alone": {"name": "work, of alone", **IN_PERCENT}},
        goals="morpheus", spread=("kernel alone", "yield always", "morpheus"))


CLAIM = Sentence(
    "A thread that wakes a thousand times a second beside eight computing ones on its CPU has a p99 lateness of {alone} us under "
    "the kernel alone and of **{ours} us** with Morpheus, which needs {yields} yields where yielding always takes {naive} "
    "([docs/benchmarks.md](docs/benchmarks.md)).",
    {"file": "contention-8"},
    {"alone": figure("probe", "lateness, p99", subject="alone"), "ours": figure("probe", "lateness, p99", subject="morpheus"),
     "yields": figure("workers", "yields", subject="morpheus"), "naive": figure("workers", "yields", subject="naive")})

LAYOUTS = {
    "claim": CLAIM,
    "demo": contention("contention-8", {name: PROBE_ROWS[name] for name in list(PROBE_ROWS)[:2]}, LOAD_ROWS, HINT_ROWS),
    "runtime": RUNTIME,
    "scheduler": SCHEDULER,
    "throughput": THROUGHPUT,
    "contention-8": contention("contention-8", PROBE_ROWS, LOAD_ROWS, HINT_ROWS),
    "contention-4": contention("contention-4", PROBE_ROWS, LOAD_ROWS, HINT_ROWS),
    "contention-enforced": contention("contention-enforced", LOAD_ROWS, WITNESS_ROWS),
    "service": SERVICE,
    "calls": CALLS,
    "python": PYTHON,
    "python-observer": python_probe("python-observer", "observer"),
    "python-enforced": python_probe("python-enforced", "enforced"),
}
