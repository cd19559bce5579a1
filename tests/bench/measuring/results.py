# SPDX-License-Identifier: GPL-2.0-only
"""What every benchmark prints with --json: one object, as tests/bench/results.schema.json has it. The
benchmarks written in C++ print the same by measuring/results.hpp."""
import json
import os
import platform
import statistics
import subprocess
import time

# no two figures of a run have the same
KEY = ("part", "name", "subject", "variant")


def at_most(bound):
    return {"at_most": bound, "of": "median"}


def at_least(bound):
    return {"at_least": bound, "of": "median"}


def figure(part, name, subject, variant, unit, values, goal=None):
    """The record of these values, one for each round."""
    record = {"part": part, "name": name, "subject": subject, "variant": variant, "unit": unit,
              "median": statistics.median(values), "min": min(values), "max": max(values), "n": len(values)}
    if goal:
        median = record["median"]
        record |= {"goal": goal, "met": median <= goal["at_most"] if "at_most" in goal else median >= goal["at_least"]}
    return record


def key_of(record):
    return tuple(record[field] for field in KEY)


def number(value):
    """Three digits, and all of what is larger than that."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def commit_of(root):
    """The commit of a source tree, or "unknown"."""
    try:
        return subprocess.run([os.path.join(root, "tests/bench/commit"), root], stdout=subprocess.PIPE, text=True,
                              check=True).stdout.strip()
    except OSError:  # in a virtual machine there is no source tree
        return "unknown"


def compiler_of(build):
    """What a build directory, or a directory within one, compiles C++ with; "unknown" if it is none."""
    try:
        with open(os.path.join(build, "meson-info/intro-compilers.json"), encoding="utf-8") as file:
            compiler = json.load(file)["host"]["cpp"]
        with open(os.path.join(build, "meson-info/intro-buildoptions.json"), encoding="utf-8") as file:
            optimization = next(o["value"] for o in json.load(file) if o["name"] == "optimization")
        return f"{compiler['id']} {compiler['version']} -O{optimization}"
    except FileNotFoundError:
        parent = os.path.dirname(os.path.abspath(build))
        return "unknown" if parent == build else compiler_of(parent)


def _value_in(path, key, otherwise):
    """What follows the first `key` at the beginning of a line of a file."""
    try:
        with open(path, encoding="utf-8") as file:
            return next((line[len(key):].strip().strip('"') for line in file if line.startswith(key)), otherwise)
    except OSError:
        return otherwise


def machine(build):
    cpu = _value_in("/proc/cpuinfo", "model name\t: ", "unknown")
    return {"cpu": cpu, "cpus": os.cpu_count(), "kernel": platform.release(),
            "distribution": _value_in("/etc/os-release", "PRETTY_NAME=", "none"),
            "emulated": cpu.startswith("QEMU TCG CPU"), "compiler": compiler_of(build)}


def results(benchmark, root, build, arguments, figures, skipped=()):
    """The object. `arguments`: {option in force: value}; `skipped`: what could not be measured and why."""
    return {"benchmark": benchmark, "commit": commit_of(root), "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "machine": machine(build), "arguments": arguments, "figures": list(figures), "skipped": list(skipped)}
