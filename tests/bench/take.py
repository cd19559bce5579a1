#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Takes all figures that the pages show, one result file in docs/figures/ after the other, draws the plots in
docs/images/, and writes the tables into the pages. Goes on where an earlier call ended: a file that the present
commit and the same command gave is kept.

usage: ./dev bench --all [--quick] [--again] [--list] [FILE...]

--quick makes every run as short as it can be, to try this out: such figures mean nothing. --again takes what is there,
too. --list says what there is to do, and how long it takes on two idle CPUs. FILE, such as service, takes only this
one. Takes what needs BPF as root. Exit status 0, or 1 if a run failed; the others are taken nevertheless.
"""
import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass

import tables
from results import commit_of

# of the scheduler's benchmark, all but throughput, which needs more rounds
PARTS = "latency,lock,starvation,liar,hog,shares,throttle,checkpoint,cost"
MISSED = 1  # exit status of a run that missed a goal: its figures are good


@dataclass(frozen=True)
class Run:
    file: str
    command: str  # of ./dev; --json is added
    quick: str  # the options that make it short: those of the command otherwise
    minutes: float  # on two idle CPUs
    plot: str = ""  # what plot.py draws of it, and where


RUNS = (
    Run("contention-8", "bench contention --workers 8 --seconds 10", "--seconds 1", 0.6, "latency latency"),
    Run("contention-4", "bench contention --workers 4 --safe-point-us 10 --seconds 10", "--seconds 1", 0.6),
    Run("contention-enforced", "demo --vm --seconds 10", "--seconds 1", 1.2),
    Run("min_run", "bench tunables --tunable min_run --values 0,300,1000,3000", "--seconds 1", 0.8, "sweep min_run"),
    Run("slice", "bench tunables --tunable slice --values 1500,3000,5000,10000", "--seconds 1", 0.8, "sweep slice"),
    Run("service", "bench service", "--clients 100 --bad-inputs 10 --seconds 1", 1.5),
    Run("python-cost", "bench python --part cost", "--rounds 1", 0.7),
    Run("python-observer", "bench python --part observer", "--rounds 1", 0.6),
    Run("python-enforced", "bench python --part vm", "--rounds 1", 4.5),
    Run("runtime", "bench runtime --rounds 3", "--rounds 1 --work 0.02", 10),
    Run("scheduler", f"bench scheduler --rounds 3 --opportunities 50000 --part {PARTS}",
        f"--rounds 1 --seconds 0.2 --opportunities 100 --part {PARTS}", 12),
    Run("scheduler-throughput", "bench scheduler --rounds 5 --part throughput", "--rounds 1 --seconds 0.2 --part throughput", 6),
)


def note(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def words_of(run, quick):
    """The short options come last, where they hold; those that take a list replace the command's."""
    words = run.command.split()
    short = run.quick.split() if quick else []
    for option in short[::2]:
        if option in words:
            del words[words.index(option):words.index(option) + 2]
    return [*words, *short]


def path_of(run):
    return os.path.join(tables.ROOT, "docs/figures", run.file + ".json")


def is_taken(run, command, commit):
    try:
        with open(path_of(run), encoding="utf-8") as file:
            content = json.load(file)
    except (FileNotFoundError, json.JSONDecodeError):
        return False
    return content["command"] == command and content["commit"] == commit


def short(value):
    """Six digits of a number are more than it deserves."""
    return float(f"{value:.6g}") if isinstance(value, float) else [short(one) for one in value] if isinstance(value, list) else value


def text_of(content):
    """A figure a line, so that a change shows which."""
    fields = []
    for name, value in content.items():
        if name in ("figures", "samples"):
            lines = ",\n".join("  " + json.dumps({key: short(one) for key, one in record.items()}) for record in value)
            fields.append(f' "{name}": [\n{lines}\n ]')
        else:
            fields.append(f' "{name}": {json.dumps(value)}')
    return "{\n" + ",\n".join(fields) + "\n}\n"


def take(run, quick):
    """What went wrong, or None."""
    words = words_of(run, quick)
    started = time.monotonic()
    done = subprocess.run([os.path.join(tables.ROOT, "dev"), *words, "--json"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          text=True, check=False)
    if done.returncode not in (0, MISSED):
        return f"{run.file}: ./dev {' '.join(words)} ended with {done.returncode}"
    try:
        content = json.loads(done.stdout)
    except json.JSONDecodeError:
        return f"{run.file}: ./dev {' '.join(words)} printed no JSON"
    content = {"command": command_of(words), **content}
    os.makedirs(os.path.dirname(path_of(run)), exist_ok=True)
    with open(path_of(run) + ".new", "w", encoding="utf-8") as file:
        file.write(text_of(content))
    os.replace(path_of(run) + ".new", path_of(run))
    note(f"{run.file}: done in {(time.monotonic() - started) / 60:.1f} min")
    return draw(run) if run.plot else None


def command_of(words):
    return " ".join(("./dev", *words))


def draw(run):
    kind, image = run.plot.split()
    plot = os.path.join(tables.ROOT, "tests/bench/plot.py")
    with open(path_of(run), encoding="utf-8") as file:
        done = subprocess.run([plot, kind, os.path.join(tables.ROOT, "docs/images", image + ".svg")], stdin=file, check=False)
    return f"{run.file}: the plot failed" if done.returncode else None


def parse(arguments):
    parser = argparse.ArgumentParser(prog="./dev bench --all", usage=__doc__.partition("usage: ")[2].partition("\n")[0],
                                     description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option in ("--quick", "--again", "--list"):
        parser.add_argument(option, action="store_true")
    parser.add_argument("file", nargs="*", metavar="FILE")
    options = parser.parse_args(arguments)
    unknown = set(options.file) - {run.file for run in RUNS}
    if unknown:
        parser.error(f"no file {' '.join(sorted(unknown))} (there are: {' '.join(run.file for run in RUNS)})")
    return options


def main(arguments):
    options = parse(arguments)
    commit = commit_of(tables.ROOT)
    wanted = [run for run in RUNS if not options.file or run.file in options.file]
    due = [run for run in wanted if options.again or not is_taken(run, command_of(words_of(run, options.quick)), commit)]
    for run in due:
        print(f"{'' if options.quick else f'{run.minutes:4.1f} min  '}{run.file:<21} {command_of(words_of(run, options.quick))}")
    note(f"{len(due)} of {len(wanted)} to take, the others are of commit {commit}"
         + ("" if options.quick else f"; about {sum(run.minutes for run in due):.0f} minutes on two idle CPUs, and the build"))
    if options.list:
        return 0
    failed = []
    for number, run in enumerate(due, 1):
        note(f"{number} of {len(due)}: {run.file}")
        failed += filter(None, [take(run, options.quick)])
    for line in failed:
        note(line)
    return max(1 if failed else 0, tables.main([]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
