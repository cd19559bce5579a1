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

FIGURES = {"probe_p99_us": "probe lateness p99, us", "yields": "yields", "work_pct": "work, % of the kernel alone"}
DEFAULTS = {"slice": (2000, 5000, 10000, 20000), "grace": (1000, 5000, 10000, 20000),
            "hold_cap": (10000, 50000, 100000, 200000), "hint_lead": (100, 500, 1000, 3000),
            "min_run": (0, 200, 500, 1000, 2000, 4000)}


def measure(options, value_us):
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "contention")
    command = [program, "--json", "--mode", options.mode, "--seconds", str(options.seconds), "--workers",
               str(options.workers), "--safe-point-us", str(options.safe_point_us), "--tunable",
               f"{options.tunable}_ns={value_us * 1000}"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.returncode)
    found = json.loads(done.stdout)
    ours = found["morpheus"]
    return {"value_us": value_us, "work_pct": round(100 * ours["work"] / max(1, found["alone"]["work"]), 1),
            "alone_p99_us": found["alone"]["probe_p99_us"],
            **{key: ours[key] for key in ("probe_p50_us", "probe_p99_us", "yields", "hints", "withdrawn", "ack_p99_us",
                                          "deferrals", "escalations")}}, found["kernel"]


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
    points = []
    for value in options.values or DEFAULTS[options.tunable]:
        print(f"tunables: {options.tunable} = {value} us", file=sys.stderr)
        point, kernel = measure(options, value)
        points.append(point)
    title = f"{options.tunable}: {options.workers} workers, a safe point every {options.safe_point_us} us, " \
            f"{options.mode} mode, Linux {kernel}"
    if options.json:
        print(json.dumps({"title": title, "tunable": options.tunable, "figures": FIGURES, "points": points}))
        return
    print(title)
    columns = list(points[0])
    print(" ".join(f"{column:>13}" for column in columns))
    for point in points:
        print(" ".join(f"{point[column]:>13}" for column in columns))


if __name__ == "__main__":
    main()
