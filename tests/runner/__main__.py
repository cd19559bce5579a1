# SPDX-License-Identifier: GPL-2.0-only
"""Runs the tests and counts them one by one. Started by ./dev test."""
from __future__ import annotations

import argparse
import concurrent.futures
import glob
import os
import platform
import signal
import subprocess
import sys
import time

import programs
from coverage import coverage_jobs
from jobs import ALL_KERNELS, ALL_PARTS, OWN_BUILD, PARTS, USUAL_KERNELS, USUAL_PARTS, Settings, jobs_of, share_out
from mutants import mutant_jobs
from results import FAIL, SKIP, CannotJoin, Result, Run, join, what_failed
from sources import commit_of
from summary import close

USAGE_ERROR = 64
AT_ONCE = 2  # of those that use one core

_JOBS_OF = {"coverage": coverage_jobs, "mutants": mutant_jobs}  # parts of other files than jobs.py

HELP = """
usage: ./dev test [--all | PART...] [--kernels "K K"|all|none] [--repeat N [--shuffle]] [--part N/M]
       ./dev test --join FILE...

Builds and runs the tests, and ends with the line "N passed, N failed, N skipped"; the exit status is 1 if a test
failed. Without PART it runs the first four parts, with --all all of them but the last:

  unit         functions and classes, the scheduler in the simulator, the style of the code
  integration  the real programs, without root
  fuzz         each fuzz target for five seconds (./dev fuzz runs them for long)
  kernel       on this kernel as far as it can, and whole in virtual machines with other kernels
  sanitize     built again with AddressSanitizer, UndefinedBehaviorSanitizer and ThreadSanitizer
  compilers    built again with clang, without a warning, and its unit tests
  cpython      CPython's own tests with and without python3 -m morpheus
  system       the Debian packages in a virtual machine with systemd: install, use, crash, upgrade, remove
  fresh        the README's commands, the packages and the wheel on Debian 12 and 13 with nothing installed; as root
  documents    the commands of README and docs/ that build and measure, in a copy of this tree
  coverage     which lines and branches the native tests reach: a report in BUILD/coverage, built for it
  mutants      each promise of docs/guarantees.md broken in a copy of this tree: a test must notice (an hour)

  --kernels    the kernels of the virtual machines: newest, second, a series such as 6.18, all, or none
               (default: newest second; with --all: all, from 6.12 on)
  --repeat N   run everything N times, to find tests that fail now and then
  --shuffle    with --repeat: run the tests of each program in another order each time
  --part N/M   run share N of M, so that M machines can divide the work; BUILD/logs/results.json holds the results
  --join FILE  read such files, one for each share, and close as one run would

Logs are in BUILD/logs.
"""


def usage_error(message):
    print(f"dev: {message}; see ./dev test --help", file=sys.stderr)
    sys.exit(USAGE_ERROR)


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        usage_error(message)


def parse(arguments):
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--help", "-h", action="store_true")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--kernels")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--shuffle", action="store_true")
    parser.add_argument("--part")
    parser.add_argument("--join", nargs="+")
    parser.add_argument("parts", nargs="*")
    options = parser.parse_args(arguments)
    for part in options.parts:
        if part not in PARTS:
            usage_error(f"no part {part} (there are: {', '.join(PARTS)})")
    if options.all and options.parts:
        usage_error("--all and a part exclude each other")
    if options.repeat < 1:
        usage_error("--repeat needs a number from 1 on")
    if options.part is not None:
        options.part = _share(options.part)
    return options


def _share(text):
    number, slash, count = text.partition("/")
    if not (slash and number.isdigit() and count.isdigit() and 1 <= int(number) <= int(count)):
        usage_error(f"--part needs N/M, as in 2/3, not {text}")
    return int(number), int(count)


class Report:
    """Prints what happens, and collects it."""

    def __init__(self, settings, run):
        self._settings = settings
        self._run = run
        self._failures = []

    def result(self, result):
        print(f"  {result.word} {result.label}: {result.test}", flush=True)

    def job(self, job, results, seconds):
        failed = sum(result.word == FAIL for result in results)
        skipped = sum(result.word == SKIP for result in results)
        labels = {result.label for result in results}  # a virtual machine's has its kernel's version
        label = labels.pop() if len(labels) == 1 else job.label
        print(f"{label}: {len(results)} tests in {seconds:.0f} s, {failed} failed, {skipped} skipped", flush=True)
        self._run.results += results
        self._run.jobs[label] = self._run.jobs.get(label, 0.0) + seconds
        if failed:
            self._note_failure({result.label for result in results if result.word == FAIL})

    def _note_failure(self, labels):
        for label in sorted(labels):
            log = self._settings.log(label)
            if os.path.exists(log):
                with open(log, encoding="utf-8", errors="replace") as file:
                    self._failures.append(f"\n=== {label} (log: {log})\n{what_failed(file.read())}")

    def close(self):
        """Failures come last, where a log that is cut in the middle still shows them."""
        close(self._run, self._failures)


def play(jobs, report):
    """Runs the jobs that use all cores one after the other, and then the others two at a time."""
    def timed(job):
        started = time.monotonic()
        try:
            results = job.run()
        except (OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
            # one job that cannot run must not keep the others from being counted
            results = [Result(FAIL, job.label, f"cannot be run: {error!r}")]
        return job, results, time.monotonic() - started

    for job in jobs:
        if not job.uses_one_core:
            report.job(*timed(job))
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        side_by_side = [pool.submit(timed, job) for job in jobs if job.uses_one_core]
        for done in concurrent.futures.as_completed(side_by_side):
            report.job(*done.result())


def prepare(settings, parts):
    """Builds everything, and installs what single parts need. Its own messages say what went wrong."""
    dev = os.path.join(settings.root, "dev")
    steps = [[dev, "setup" if OWN_BUILD.issuperset(parts) else "build"]]
    needed = {"fuzz": "fuzz", "system": "system", "fresh": "system", "coverage": "coverage"}
    steps += [[dev, "setup", "--for", purpose] for purpose in sorted({needed[part] for part in parts if part in needed})]
    for step in steps:
        ended = subprocess.run(step, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False)
        if ended.returncode != 0:
            sys.exit(ended.returncode)


def run_tests(options):
    build = os.environ["MORPHEUS_BUILD_DIR"]
    settings = Settings(root=os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), build=build)
    settings.shuffle = options.shuffle
    settings.kernels = ALL_KERNELS if options.all else USUAL_KERNELS
    if options.kernels:
        settings.kernels = {"all": ALL_KERNELS, "none": ()}.get(options.kernels, tuple(options.kernels.split()))
    settings.crashes = 100 if options.all else settings.crashes
    os.environ["MORPHEUS_CRASHES"] = str(settings.crashes)
    os.makedirs(os.path.join(build, "logs"), exist_ok=True)
    parts = ALL_PARTS if options.all else options.parts or USUAL_PARTS
    prepare(settings, parts)
    run = Run(commit_of(settings.root), f"{platform.node()}, {platform.release()}, {os.cpu_count()} CPUs",
              selection=" ".join([*parts, "on", *settings.kernels]))
    jobs = [job for part in parts for job in _JOBS_OF.get(part, lambda s, part=part: jobs_of(s, part))(settings)]
    if options.part:
        run.share = "{}/{}".format(*options.part)
        jobs = share_out(jobs, *options.part)
    report = Report(settings, run)
    settings.on_result = report.result
    for _ in range(options.repeat):
        play(jobs, report)
    run.save(os.path.join(build, "logs", "results.json"))
    report.close()
    return 1 if run.count(FAIL) or not run.results else 0


def join_files(names):
    try:
        run = join([Run.load(name) for name in sorted({path for name in names for path in glob.glob(name) or [name]})])
    except (CannotJoin, OSError, ValueError, TypeError) as error:
        print(f"dev: cannot join the results: {error}", file=sys.stderr)
        return 65
    close(run)
    return 1 if run.count(FAIL) else 0


def on_signal(number, _):
    programs.end_all()
    sys.exit(128 + number)


def main():
    signal.signal(signal.SIGINT, on_signal)
    signal.signal(signal.SIGTERM, on_signal)
    options = parse(sys.argv[1:])
    if options.help:
        print(HELP.strip())
        return 0
    return join_files(options.join) if options.join else run_tests(options)


if __name__ == "__main__":
    sys.exit(main())
