#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Plays every measure of ./dev bench runtime once, with little work, with the subjects that need no
further package, and holds the figures to what the tables of the benchmark promise. Its times mean
nothing; the values that it compares lie far apart.

usage: runtime_bench_test.py SOURCE_ROOT PROGRAMS
"""
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile

SUBJECTS = ("floor", "morpheus", "asio", "asyncio")


def play(main, programs, asked, subjects=SUBJECTS, work="0.002", rounds="1"):
    with tempfile.TemporaryDirectory() as directory:
        command = [main, "--build-dir", directory, "--programs", programs, "--rounds", rounds, "--work", work, "--json",
                   "--subject", ",".join(subjects), "--measure", ",".join(asked)]
        return subprocess.run(command, capture_output=True, text=True, timeout=280)


def expected(asked, all_subjects, cpus):
    """(name, subject, variant, unit) of every figure that there must be."""
    return {(quantity.name, subject.name, variant, quantity.unit)
            for measure in asked for variant, need in measure.variants.items() if need <= cpus
            for subject in all_subjects if subject.name in SUBJECTS and not subject.left_out_of(measure.name, variant)
            for quantity in measure.quantities + measure.of_floor + shares_of_one(measure, variant, subject)}


def shares_of_one(measure, variant, subject):
    return () if subject.left_out_of(measure.name, "1") else measure.share_of_one(variant)


def wrong_records(records, wanted):
    found = [(r["name"], r["subject"], r["variant"], r["unit"]) for r in records]
    yield from (f"no record of {' '.join(key)}" for key in sorted(wanted - set(found)))
    yield from (f"a record of {' '.join(key)}" for key in sorted(set(found) - wanted))
    if len(found) != len(set(found)):
        yield "two records of the same"
    for r in records:
        if r["n"] != 1 or not math.isfinite(r["median"]) or not r["min"] <= r["median"] <= r["max"]:
            yield f"{r} makes no sense"


def wrong_values(records):
    """A program that measured something else than its neighbours would be far off."""
    value = {(r["name"], r["subject"], r["variant"]): r["median"] for r in records}
    for measure, variant in (("yield", "100"), ("spawn-join", "1"), ("fork-join", "1")):
        if not 0 < value[measure, "floor", variant] < value[measure, "asyncio", variant] / 5:
            yield f"{measure}: the floor is not far below asyncio"
    if value["fork-join-of-floor", "floor", "1"] != 1:
        yield "fork-join: the floor is not as fast as itself"
    if not 8 < value["memory", "floor", "1000000"] < value["memory", "asyncio", "1000000"]:
        yield "memory: the floor is not below asyncio"


def wrong_futexes(main, programs):
    """One futex wakes a sleeping worker. A loaded machine may add some to a round, hardly to all of
    them."""
    done = play(main, programs, ["wake"], subjects=["morpheus"], work="0.2", rounds="3")
    least = [r["min"] for r in json.loads(done.stdout)["figures"] if r["name"] == "wake-futexes"] if done.stdout else []
    if len(least) != 1 or not 0 < least[0] <= 1.1:
        yield f"waking a runtime took {least} futexes {done.stderr}"


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 64
    bench = os.path.join(sys.argv[1], "tests/bench/runtime")
    sys.path.insert(0, bench)
    from measures import measures
    from subjects import subjects
    cpus = len(os.sched_getaffinity(0))
    asked = [measure for measure in measures(cpus) if not measure.tool or shutil.which(measure.tool)]
    done = play(os.path.join(bench, "main.py"), sys.argv[2], [measure.name for measure in asked])
    if done.returncode != 0:
        print(f"status {done.returncode}\n{done.stderr}")
        return 1
    records = json.loads(done.stdout)["figures"]
    wrong = list(wrong_records(records, expected(asked, subjects(None), cpus))) or list(wrong_values(records))
    if not wrong and cpus > 1 and shutil.which("strace"):
        wrong += wrong_futexes(os.path.join(bench, "main.py"), sys.argv[2])
    for statement in wrong:
        print(statement)
    print(f"{len(records)} records, {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
