# SPDX-License-Identifier: GPL-2.0-only
"""Runs the programs of the subjects, bound to CPUs, and reads what they print."""
import contextlib
import os
import subprocess
import sys

import counting

RUN_SECONDS = 180


class Failed(Exception):
    """Why a run gave no values."""


def bind_to(cpus):
    return lambda: os.sched_setaffinity(0, cpus)


def run(command, cpus):
    """Standard output of a program bound to these CPUs."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=RUN_SECONDS,
                              preexec_fn=bind_to(cpus))
    except subprocess.TimeoutExpired as failure:
        raise Failed(f"was not done after {RUN_SECONDS} s") from failure
    except OSError as failure:
        raise Failed(str(failure)) from failure
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        raise Failed(f"ended with status {done.returncode}{': ' + lines[-1] if lines else ''}")
    return done.stdout


@contextlib.contextmanager
def busy(cpus, count):
    """Keeps these CPUs busy with so many other processes."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"], preexec_fn=bind_to(cpus)) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def play(program, measure, variant, cpus, work):
    """{printed word: value} of one run."""
    if measure.tool == "valgrind":
        return counting.instructions(lambda command: run(command, cpus), program, measure, variant)
    if measure.tool == "strace":
        return counting.system_calls(lambda command: run(command, cpus), program, measure, variant, work)
    with busy(cpus, 2 if variant in measure.hogs else 0):
        printed = run([*program, measure.name, variant, str(1.0 if measure.whole else work)], cpus)
    try:
        return {word: float(value) for word, value in (line.split() for line in printed.splitlines())}
    except ValueError as failure:
        raise Failed(f"printed {printed!r}") from failure
