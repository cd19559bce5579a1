# SPDX-License-Identifier: GPL-2.0-only
"""Counts what a program does instead of timing it: instructions under callgrind, system calls under
strace. Two runs that differ only in how much they do are compared, so that the cost of starting and
ending drops out."""
import re
import tempfile

ROUNDS = 1_000_000  # of measure checkpoint-loop, for work 1
WAKES = 1000  # of measure wake, for work 1
SLEEPS = ("nanosleep", "clock_nanosleep")


def _collected(run, program, measure, variant, work):
    with tempfile.NamedTemporaryFile() as out:
        run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out.name}", *program, measure.name, variant, str(work)])
        return int(re.search(r"^(?:totals|summary): (\d+)", out.read().decode(), re.M)[1])


def instructions(run, program, measure, variant):
    """Instructions that a safe point adds to a round of the loop."""
    def per_round(name):
        less, more = (_collected(run, program, measure, name, work) for work in (0.1, 0.2))
        return (more - less) / (0.1 * ROUNDS)

    return {"instructions": per_round(variant) - per_round(variant + "-bare")}


def _calls_of_main(run, program, measure, variant, work):
    """Names of the system calls that the main thread made, without those that only sleep."""
    with tempfile.NamedTemporaryFile("r") as out:
        run(["strace", "-f", "-o", out.name, *program, measure.name, variant, str(work)])
        lines = [line.split(None, 1) for line in out]
    main = lines[0][0]
    names = (re.match(r"(\w+)\(", call) for thread, call in lines if thread == main)
    return [name[1] for name in names if name and name[1] not in SLEEPS]


def system_calls(run, program, measure, variant, work):
    """System calls, and futexes among them, each time that the main thread wakes the runtime."""
    less, more = (_calls_of_main(run, program, measure, variant, part * work) for part in (0.2, 0.4))
    wakes = 0.2 * work * WAKES
    return {"calls": (len(more) - len(less)) / wakes,
            "futexes": (more.count("futex") - less.count("futex")) / wakes}
