#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Runs one benchmark with as little work as there can be, and holds what it prints with --json to
tests/bench/results.schema.json; its figures mean nothing. Skipped where the machine lacks what the benchmark needs.

usage: results_test.py SOURCE_ROOT BUILD_ROOT NAME
"""
import json
import os
import subprocess
import sys
import tempfile

SECONDS = 200
SKIPPED = 77
MISSED_A_GOAL = 1


def commands(source, build, scratch):
    """{benchmark: (command, whether it loads BPF)}."""
    bench = os.path.join(build, "tests/bench")
    return {
        "contention": ([f"{bench}/contention", "--seconds", "1", "--workers", "2"], True),
        "python": ([f"{bench}/python", "--part", "cost", "--rounds", "1"], False),
        "runtime": ([os.path.join(source, "tests/bench/runtime/main.py"), "--build-dir", scratch, "--programs", f"{bench}/runtime",
                     "--rounds", "1", "--work", "0.002", "--measure", "yield:1,fork-join:1", "--subject", "floor,morpheus"], False),
        "scheduler": ([f"{bench}/scheduler", "--part", "lock", "--rounds", "1", "--seconds", "0.2"], True),
        "service": ([f"{bench}/service", "--backend", "fake", "--clients", "3", "--workers", "2", "--kills", "1",
                     "--bad-inputs", "1", "--seconds", "1"], False),
        "tunables": ([f"{bench}/tunables", "--values", "1000", "--seconds", "1", "--workers", "2"], True),
    }


def faults_of_files(source, build, paths):
    """{path: what the schema says against it}."""
    done = subprocess.run([os.path.join(build, "tests/programs/schema_check"), os.path.join(source, "tests/bench/results.schema.json"),
                           *paths], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"schema_check ended with {done.returncode}")
    faults = {path: [] for path in paths}
    for line in done.stdout.splitlines():
        path, _, fault = line.partition(": ")
        faults[path].append(fault)
    return faults


def with_renamed_fields(results):
    """{description: the results with this one field renamed}: each must break the schema."""
    places = {"": lambda r: r, "machine": lambda r: r["machine"], "figures": lambda r: r["figures"][-1]}
    for place, find in places.items():
        for name in find(results):
            copy = json.loads(json.dumps(results))
            find(copy)[name + "_"] = find(copy).pop(name)
            yield f"{place} {name}".strip(), copy


def wrong_schema(source, build, results, scratch):
    documents = {"the results": results, **dict(with_renamed_fields(results))}
    paths = {}
    for number, (name, document) in enumerate(documents.items()):
        paths[name] = os.path.join(scratch, f"{number}.json")
        with open(paths[name], "w", encoding="utf-8") as file:
            json.dump(document, file)
    faults = faults_of_files(source, build, list(paths.values()))
    yield from faults[paths.pop("the results")]
    yield from (f"the schema accepts a renamed {name}" for name, path in paths.items() if not faults[path])


def wrong_figures(results, name):
    """What no schema can say."""
    if results["benchmark"] != name:
        yield f"calls itself {results['benchmark']}"
    keys = [tuple(figure[field] for field in ("part", "name", "subject", "variant")) for figure in results["figures"]]
    yield from (f"two figures of {' '.join(key)}" for key in {key for key in keys if keys.count(key) > 1})
    for figure in results["figures"]:
        if not figure["min"] <= figure["median"] <= figure["max"]:
            yield f"{figure}: the median is not between the least and the most"
        goal, judged = figure.get("goal"), figure["median"]
        if not goal:
            continue
        if goal["of"] == "worst":
            judged = figure["max"] if "at_most" in goal else figure["min"]
        if figure["met"] != (judged <= goal["at_most"] if "at_most" in goal else judged >= goal["at_least"]):
            yield f"{figure}: the goal is judged wrongly"


def can_load_bpf(build):
    return subprocess.run([os.path.join(build, "tests/bench/contention"), "--probe-native"], capture_output=True,
                          check=False).returncode == 0


def main():
    if len(sys.argv) != 4:
        print(__doc__, file=sys.stderr)
        return 64
    source, build, name = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), sys.argv[3]
    with tempfile.TemporaryDirectory() as scratch:
        command, needs_bpf = commands(source, build, scratch)[name]
        if needs_bpf and not can_load_bpf(build):
            print(f"{name}: BPF cannot be used on this machine")
            return SKIPPED
        done = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=SECONDS, check=False)
        if done.returncode not in (0, MISSED_A_GOAL):
            print(f"{name}: status {done.returncode}: {done.stderr}")
            return SKIPPED if done.returncode == SKIPPED else 1
        results = json.loads(done.stdout)
        wrong = list(wrong_schema(source, build, results, scratch)) or list(wrong_figures(results, name))
    for statement in wrong:
        print(f"{name}: {statement}")
    print(f"{name}: {len(results['figures'])} figures, {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
