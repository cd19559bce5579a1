#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What a tunable does: the contention benchmark with several values of it, one after the other.

usage: tunables [--tunable NAME] [--values US,US,...] [--mode observer|enforced] [--seconds N] [--workers N]
                [--safe-point-us N] [--json]

NAME is slice, grace, hold_cap, hint_lead or min_run (default min_run); values are in microseconds. Seconds are of each
variant and value (default 3).
"""
import argparse
import json
import os
import subprocess
import sys

SUBJECTS = ("alone", "morpheus")
# the columns of the table: (subject, name of a figure)
COLUMNS = (("alone", "lateness, p99"), ("morpheus", "lateness, p50"), ("morpheus", "lateness, p99"), ("morpheus", "work, of alone"),
           ("morpheus", "yields"), ("morpheus", "hints"), ("morpheus", "withdrawn"), ("morpheus", "slice ends deferred"),
           ("morpheus", "escalations"))
DEFAULTS = {"slice": (2000, 5000, 10000, 20000), "grace": (1000, 5000, 10000, 20000),
            "hold_cap": (10000, 50000, 100000, 200000), "hint_lead": (100, 500, 1000, 3000),
            "min_run": (0, 200, 500, 1000, 2000, 4000)}


def measure(options, value_us):
    """What the contention benchmark found with this value."""
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "contention")
    command = [program, "--json", "--mode", options.mode, "--seconds", str(options.seconds), "--workers",
               str(options.workers), "--safe-point-us", str(options.safe_point_us), "--tunable",
               f"{options.tunable}_ns={value_us * 1000}"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.returncode)
    return json.loads(done.stdout)


def results_of(options, values, found):
    """What --json prints: the figures of all values, each with its value as the variant."""
    figures = [{**figure, "variant": str(value)} for value, one in zip(values, found) for figure in one["figures"]
               if figure["subject"] in SUBJECTS]
    arguments = {"tunable": options.tunable, "values": values, "mode": options.mode, "seconds": options.seconds,
                 "workers": options.workers, "safe_point_us": options.safe_point_us}
    return {**{field: found[-1][field] for field in ("commit", "date", "machine")}, "benchmark": "tunables",
            "arguments": arguments, "figures": figures}


def table(options, values, found):
    yield f"{options.tunable}: {options.workers} workers, a safe point every {options.safe_point_us} us, " \
          f"{options.mode} mode, Linux {found[-1]['machine']['kernel']}"
    yield " ".join(f"{heading:>14}" for heading in ("us", *(subject for subject, _ in COLUMNS)))
    yield " ".join(f"{name[-14:]:>14}" for name in ("", *(name for _, name in COLUMNS)))
    for value, one in zip(values, found):
        medians = {(figure["subject"], figure["name"]): figure["median"] for figure in one["figures"]}
        yield " ".join(f"{cell:>14.6g}" for cell in (value, *(medians[column] for column in COLUMNS)))


def main():
    parser = argparse.ArgumentParser(prog="tunables", usage=__doc__.partition("usage: ")[2].partition("\n\n")[0],
                                     description=__doc__.splitlines()[0], epilog=__doc__.split("\n\n")[2])
    parser.add_argument("--tunable", choices=DEFAULTS, default="min_run")
    parser.add_argument("--values", type=lambda text: [int(value) for value in text.split(",")])
    parser.add_argument("--mode", choices=("observer", "enforced"), default="observer")
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--safe-point-us", type=int, default=50)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    values, found = options.values or list(DEFAULTS[options.tunable]), []
    for value in values:
        print(f"tunables: {options.tunable} = {value} us", file=sys.stderr)
        found.append(measure(options, value))
    print(json.dumps(results_of(options, values, found)) if options.json else "\n".join(table(options, values, found)))


if __name__ == "__main__":
    main()
