#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Checks the protocol's model with spin; each dropped rule must have a counterexample.

usage: check.py [--show VARIANT]     prints the steps of the variant's counterexample
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

MODEL = pathlib.Path(__file__).with_name("protocol.pml")

SECTIONS = ["-DOTHERS=1"]      # the whole worker, one other CPU
RECORD = ["-DRECORD_ONLY"]     # two other CPUs, no critical sections

# A variant: its definitions, and the assertion that must fail; None: none may.
IN_SECTION, EARLY, TWICE, CALLED_OFF = "!(in_section)", "grace_passed", "(at>before)", "(at<=ended)"
VARIANTS = {
    "sections": (SECTIONS, None),
    "record": (RECORD, None),
    "REMOTE_DECISION": (SECTIONS + ["-DREMOTE_DECISION"], IN_SECTION),
    "REMOTE_DECISION+FENCE": (SECTIONS + ["-DREMOTE_DECISION", "-DFENCE"], IN_SECTION),
    "REMOTE_INSTANT": (SECTIONS + ["-DREMOTE_INSTANT"], IN_SECTION),
    "REMOTE_INSTANT+FENCE": (SECTIONS + ["-DREMOTE_INSTANT", "-DFENCE"], None),
    "NO_BARRIER": (SECTIONS + ["-DNO_BARRIER"], IN_SECTION),
    "STALE_END": (RECORD + ["-DSTALE_END"], TWICE),
    "REREAD": (RECORD + ["-DREREAD"], CALLED_OFF),
    "UNPUBLISHED": (RECORD + ["-DUNPUBLISHED"], EARLY),
    "STALE_GATE": (RECORD + ["-DSTALE_GATE"], EARLY),
    **{f"REACH={place}": (SECTIONS + [f"-DREACH={place}"], f"({place}!={place})") for place in (1, 2, 3, 4)},
}


def run(command, directory):
    done = subprocess.run(command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=300, check=False)
    return done.stdout


def explore(directory, definitions):
    """The verifier's report on the model with these definitions."""
    shutil.copy(MODEL, directory)
    output = run(["spin", "-a", *definitions, MODEL.name], directory)
    output += run(["gcc", "-O1", "-w", "-DSAFETY", "-o", "pan", "pan.c"], directory)
    if not os.path.exists(f"{directory}/pan"):
        return output
    return run(["./pan", "-m100000"], directory)


def judge(name):
    """Whether the variant does what it must, and a line about that."""
    definitions, expected = VARIANTS[name]
    with tempfile.TemporaryDirectory() as directory:
        report = explore(directory, definitions)
    errors = re.search(r"errors: (\d+)", report)
    states = re.search(r"(\S+)\s+states, stored", report)
    violated = re.search(r"assertion violated\s+(.*?) \(at depth", report)
    found = violated.group(1).strip() if violated else None
    if not errors or "max search depth too small" in report or (errors.group(1) != "0") != (violated is not None):
        return False, f"{name}: the search failed:\n{report}"
    wanted = f"a violation of {expected}" if expected else "no error"
    line = f"{name}: {'violated ' + found if found else 'no error'} in {states.group(1)} states"
    return found == expected, line if found == expected else f"{line}, expected {wanted}"


def show(name):
    with tempfile.TemporaryDirectory() as directory:
        explore(directory, VARIANTS[name][0])
        run(["./pan", "-m3000", "-i"], directory)  # looks for a shorter one
        print(run(["spin", "-p", "-t", *VARIANTS[name][0], MODEL.name], directory))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--show", choices=[name for name in VARIANTS if VARIANTS[name][1]],
                        help="print the steps of this variant's counterexample")
    wanted = parser.parse_args().show
    for tool in ("spin", "gcc"):
        if not shutil.which(tool):
            print(f"{tool} is not installed; run ./dev setup")
            return 77
    if wanted:
        show(wanted)
        return 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        verdicts = list(pool.map(judge, VARIANTS))
    for good, line in verdicts:
        print(line if good else f"FAILED: {line}")
    return 0 if all(good for good, _ in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
