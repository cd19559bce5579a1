#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The list of mutants (./dev test mutants): each promise of docs/guarantees.md has one, each one still has its text in
the code, and is to be noticed by tests that the page names.

usage: mutants_test.py SOURCE_ROOT
"""
import os
import sys

ROOT = sys.argv[1]
sys.dont_write_bytecode = True
sys.path[1:1] = [os.path.join(ROOT, "tests"), os.path.join(ROOT, "tests", "mutants")]
import guarantees  # noqa: E402
import mutation  # noqa: E402


def faults():
    rows = guarantees.read_rows(ROOT)
    mutants, left_out = mutation.read_mutants()
    mutated = {mutant.promise for mutant in mutants}
    for promise in sorted(rows.keys() ^ (mutated | left_out.keys())):
        yield f"no mutant of {promise!r}" if promise in rows else f"docs/guarantees.md has no row {promise!r}"
    yield from (f"left out, and yet mutated: {promise!r}" for promise in sorted(mutated & left_out.keys()))
    for mutant in mutants:
        with open(os.path.join(ROOT, mutant.file), encoding="utf-8") as file:
            count = file.read().count(mutant.old)
        if count != 1:
            yield f"{mutant.breaks!r}: its text occurs {count} times in {mutant.file}, not once"
        if mutant.promise in rows:
            for test in set(mutant.tests) - set(rows[mutant.promise].tests):
                yield f"{mutant.breaks!r}: the row of its promise does not name the test {test!r}"


def main():
    found = list(faults())
    print(*found, sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
