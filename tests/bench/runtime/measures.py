# SPDX-License-Identifier: GPL-2.0-only
"""The measures: each with its variants, the quantities that its programs print, and the goals of
Morpheus. The figures of a measure have the names of its quantities."""
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Quantity:
    printed: str  # the word that the program prints before the value
    name: str
    unit: str
    goals: dict = field(default_factory=dict)  # variant: at most so much


@dataclass(frozen=True)
class Measure:
    name: str
    what: str
    variants: dict  # name: how many CPUs it is bound to
    quantities: tuple
    tool: str = ""  # counted under this program instead of timed; its package has the same name
    hogs: tuple = ()  # variants beside which two other processes keep the CPU busy
    whole: bool = False  # always at full length: the watch falls asleep only after a while
    shares: tuple = ()  # the same quantities with several threads, as shares of those with one
    of_floor: tuple = ()  # the same quantities as multiples of the floor's on one thread

    def share_of_one(self, variant):
        """The quantities that show how well the work is spread; none on one thread."""
        return self.shares if variant not in ("1", "one-thread") else ()


def _share(printed, name, goals=None):
    return (Quantity(printed, name + "-of-one-thread", "%", goals or {}),)


def measures(cpus):
    """All measures, on a machine with so many CPUs."""
    everywhere = {str(n): n for n in sorted({1, 2, cpus})}
    return [
        Measure("yield", "a task lets the others run; as many as the variant says take turns on one thread",
                {"1": 1, "100": 1, "10000": 1},
                (Quantity("yield", "yield", "ns", {"1": 6, "100": 6, "10000": 6}),)),
        Measure("spawn-join", "trivial tasks, spawned and joined in batches of 1,000, on so many threads",
                {"1": 1, "2": 2}, (Quantity("task", "spawn-join", "ns", {"1": 20, "2": 60}),), shares=_share("task", "spawn-join")),
        Measure("fork-join", "fib(32) with a fork and a join in every call, on so many threads (slow subjects: a smaller fib)",
                everywhere, (Quantity("call", "fork-join", "ns", {"1": 12, "2": 7}),), shares=_share("call", "fork-join"),
                # goals of a machine whose floor took 6.7 ns
                of_floor=(Quantity("call", "fork-join-of-floor", "times", {"1": 12 / 6.7, "2": 7 / 6.7}),)),
        Measure("ping-pong", "a message between two tasks: of one thread, of two threads at once, to a thread that sleeps",
                {"one-thread": 1, "two-threads": 2, "asleep": 2},
                (Quantity("message", "ping-pong", "ns", {"one-thread": 20, "two-threads": 1000, "asleep": 26_000}),)),
        Measure("timers", "so many tasks sleep 1 to 100 ms (100000: 10 ms to 1 s) again and again on one thread",
                {"10000": 1, "100000": 1},
                (Quantity("p50", "timers-lateness-p50", "us", {"10000": 60, "100000": 60}),
                 Quantity("p99", "timers-lateness-p99", "us"),
                 Quantity("cpu", "timers-cpu", "us", {"10000": 2, "100000": 2}))),
        Measure("memory", "resident memory, page tables included, for each of so many tasks that wait for one event",
                {"1000000": 1}, (Quantity("bytes", "memory", "bytes", {"1000000": 112}),)),
        Measure("checkpoint", "what a conditional safe point adds to a loop of about 20 instructions, in a plain function "
                "and in a coroutine body", {"plain": 1, "coroutine": 1},
                (Quantity("added", "checkpoint", "ns", {"coroutine": 0.35}),
                 Quantity("share", "checkpoint-share", "%", {"plain": 1}))),
        Measure("checkpoint-loop", "the instructions that the safe point adds, counted by callgrind", {"plain": 1, "coroutine": 1},
                (Quantity("instructions", "checkpoint-instructions", "instructions", {"plain": 3}),), tool="valgrind"),
        Measure("hog", "how late a task is that is due every millisecond beside one that hogs the only thread for "
                "20 ms again and again: with a yield every 50 us; so with two other busy processes on that CPU; without "
                "any safe point", {"safe-points": 1, "two-hogs": 1, "no-safe-points": 1},
                (Quantity("p50", "hog-lateness-p50", "us"),
                 Quantity("p99", "hog-lateness-p99", "us", {"safe-points": 95, "two-hogs": 800, "no-safe-points": 10_000})),
                hogs=("two-hogs",)),
        Measure("idle", "CPU time in a second of two threads that have long had nothing to do", {"second": 2},
                (Quantity("cpu", "idle-cpu", "us", {"second": 100}),), whole=True),
        Measure("wake", "system calls of a foreign thread that wakes a task of a sleeping runtime, counted by strace",
                {"sleeping": 2},
                (Quantity("futexes", "wake-futexes", "calls", {"sleeping": 1}),
                 Quantity("calls", "wake-system-calls", "calls", {"sleeping": 1})), tool="strace"),
        Measure("scaling", "tasks of 10 us each on so many threads", everywhere,
                (Quantity("task", "scaling", "ns", {v: 10_000 * 1.05 / n for v, n in everywhere.items()}),),
                shares=_share("task", "scaling", {v: 100 * 1.05 / n for v, n in everywhere.items() if n > 1})),
    ]
