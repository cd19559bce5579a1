# SPDX-License-Identifier: GPL-2.0-only
"""The part coverage: which lines and branches of daemon/, sdk/ and proto/ the native tests reach. There is no least
figure: the report is a list to read. docs/testing.md says how.
"""
from __future__ import annotations

import json
import os
import subprocess

from jobs import Job, Settings, kernel_native, native_jobs
from results import FAIL, PASS, Result

_ROOMS = ("daemon", "sdk", "proto")
# Threads count in the same counters, and what ends by a signal has counted for nothing: the tests end daemons gently.
_OPTIONS = ("-Db_coverage=true", "-Doptimization=0", "-Dwerror=false",
            *(f"-D{language}_args=-fprofile-update=atomic" for language in ("c", "cpp")))
_ENVIRONMENT = {"MORPHEUS_COVERAGE": "1"}
# They run nothing of these rooms, or try the build.
_LEFT_OUT = {"unit sim_tests", "unit policy_tests", "unit (meson)"}
_SCRIPTS_LEFT_OUT = ("install", "package", "runtime benchmark", "documents", "examples")


def coverage_jobs(settings):
    yield Job("coverage", 900, lambda: run_coverage(settings))


def run_coverage(settings):
    build = Settings(root=settings.root, build=f"{settings.build}-coverage")
    log = settings.log("coverage build")
    if not _build(build, log):
        return [Result(FAIL, "coverage", f"does not build (log: {log})")]
    failed = _run_tests(build)
    report = settings.built("coverage")
    log = settings.log("coverage report")
    if not _write_report(build, report, log):
        return [Result(FAIL, "coverage", f"no report was made (log: {log})")]
    with open(os.path.join(report, "coverage.json"), encoding="utf-8") as file:
        summary = summarise(json.load(file)["files"])
    with open(os.path.join(report, "summary.txt"), "w", encoding="utf-8") as file:
        file.write(summary)
    print(summary)
    for result in failed:
        print(f"  failed while it was counted: {result.label}: {result.test}")
    return [Result(PASS, "coverage", f"the report is in {report}")]


def _build(build, log_path):
    os.makedirs(build.built("logs"), exist_ok=True)
    with open(log_path, "w", encoding="utf-8") as log:
        def succeeds(*command):
            return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False).returncode == 0
        if not os.path.exists(build.built("build.ninja")):
            if not succeeds("meson", "setup", build.build, build.root, *_OPTIONS):
                return False
        return succeeds("ninja", "-C", build.build)


def _run_tests(build):
    """Runs what there is; returns what failed, which is told but not counted: here the tests run slowly."""
    for directory, _, files in os.walk(build.build):
        for name in files:
            if name.endswith(".gcda"):
                os.remove(os.path.join(directory, name))
    os.environ.update(_ENVIRONMENT, MORPHEUS_BUILD_DIR=build.build)
    jobs = [*native_jobs(build, "unit"), *native_jobs(build, "integration", without=_SCRIPTS_LEFT_OUT), kernel_native(build)]
    return [result for job in jobs if job.label not in _LEFT_OUT for result in job.run() if result.word == FAIL]


def _write_report(build, report, log):
    os.makedirs(report, exist_ok=True)
    with open(log, "w", encoding="utf-8") as output:
        return subprocess.run(
            ["gcovr", "-j", "2", "--root", build.root, *(f"--filter={build.path(room)}/" for room in _ROOMS),
             "--exclude-throw-branches", "--exclude-unreachable-branches",
             "--html-details", os.path.join(report, "index.html"), "--json", os.path.join(report, "coverage.json"),
             "--xml", os.path.join(report, "cobertura.xml"), "--txt", os.path.join(report, "files.txt"), build.build],
            cwd=build.root, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False).returncode == 0


def summarise(files):
    """The figures of each room, and what was not reached: files of which no line ran, and functions."""
    rooms, never, functions = {}, [], []
    for file in files:
        counts = rooms.setdefault(os.path.dirname(file["file"]), [0, 0, 0, 0])
        lines = [line for line in file["lines"] if not line.get("gcovr/noncode")]
        branches = [branch for line in lines for branch in line["branches"]]
        reached = sum(line["count"] > 0 for line in lines)
        for i, number in enumerate((reached, len(lines), sum(b["count"] > 0 for b in branches), len(branches))):
            counts[i] += number
        if lines and not reached:
            never.append(file["file"])
        else:
            functions += unreached_functions(file["file"], file.get("functions", ()))
    text = [f"{'room':30} {'lines':>16} {'branches':>16}"]
    for room, counts in sorted(rooms.items()):
        text.append(f"{room:30} {_share(*counts[:2]):>16} {_share(*counts[2:]):>16}")
    total = [sum(column) for column in zip(*rooms.values())]
    text += [f"{'all':30} {_share(*total[:2]):>16} {_share(*total[2:]):>16}", "", "files of which nothing ran:"]
    text += [f"  {name}" for name in sorted(never)]
    text += ["functions that were not called:", *(f"  {name}" for name in sorted(functions))]
    return "\n".join(text) + "\n"


def unreached_functions(file, functions):
    """A template is a function for each of its instances: reached if one of them is."""
    calls = {}
    for each in functions:
        calls[each["lineno"]] = max(calls.get(each["lineno"], (0, ""))[0], each["execution_count"]), each["name"]
    return [f"{file}:{line}: {name}" for line, (count, name) in calls.items() if count == 0]


def _share(part, whole):
    return f"{part}/{whole} {100 * part / whole:4.0f} %" if whole else "-"
