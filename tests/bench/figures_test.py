#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Checks that the tables of the pages are what docs/figures/ gives, that these files keep to
tests/bench/results.schema.json, and that ./dev bench --tables notices a table that is not.

usage: figures_test.py SOURCE_ROOT SCHEMA_CHECK
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True

PAGE = "README.md"
EMPTY = "Before.\n\n<!-- figures: times -->\n<!-- end -->\n\nAfter.\n"
FIGURE = {"part": "calls", "name": "time", "subject": "morpheus", "variant": "", "unit": "ns", "median": 1234.5, "min": 1000.0,
          "max": 2000.0, "n": 3, "goal": {"at_most": 1000.0, "of": "median"}, "met": False}
RESULTS = {"command": "./dev bench x --rounds 3", "benchmark": "x", "commit": "0123456789ab", "date": "2026-01-02T03:04:05Z",
           "machine": {"cpu": "A CPU", "cpus": 2, "kernel": "7.0", "distribution": "none", "emulated": True, "compiler": "gcc -O2"},
           "arguments": {"rounds": 3},
           "figures": [FIGURE, {**FIGURE, "subject": "peer", "median": 0.5, "min": 0.49, "max": 0.51, "unit": "ns"}]}
EXPECTED = """Before.

<!-- figures: times -->
A CPU, 2 CPUs (emulated), Linux 7.0, gcc -O2; commit 0123456789ab, 2026-01-02; medians of 3 rounds;
`./dev bench x --rounds 3`

| | ours | theirs | goal |
|---|---|---|---|
| a call, ns | 1,234 (1,000 to 2,000) | 0.5 | at most 1,000, **missed** |
| the same, us | 1.23 (1 to 2) | 0.0005 | at most 1, **missed** |
<!-- end -->

After.
"""


class Scratch:
    """A tree with one page and one result file."""

    def __init__(self, directory, tables):
        self.root, self.tables = directory, tables
        os.makedirs(os.path.join(directory, "docs/figures"))
        self.results = os.path.join("docs/figures", "x.json")
        row = {"part": "calls", "name": "time"}
        self.layouts = {"times": tables.Table(
            {"file": "x"}, {"ours": {"subject": "morpheus"}, "theirs": {"subject": "peer"}},
            {"a call": row, "the same": {**row, "scale": 1e-3, "unit": "us"}}, goals="ours", spread=("ours", "theirs"))}

    def write(self, path, text):
        with open(os.path.join(self.root, path), "w", encoding="utf-8") as file:
            file.write(text)

    def page(self):
        with open(os.path.join(self.root, PAGE), encoding="utf-8") as file:
            return file.read()

    def run(self, page, results, check=False):
        self.write(PAGE, page)
        self.write(self.results, json.dumps(results))
        return list(self.tables.bring_up_to_date(self.root, self.layouts, check))


def wrong_when_missing(scratch):
    os.remove(os.path.join(scratch.root, scratch.results))
    scratch.write(PAGE, EXPECTED)
    if list(scratch.tables.bring_up_to_date(scratch.root, scratch.layouts, False)) or scratch.page() != EXPECTED:
        yield "a table without its file is not left as it is"


def with_figure(**changes):
    return {**RESULTS, "figures": [{**FIGURE, **changes}, *RESULTS["figures"][1:]]}


def wrong_tables(scratch):
    """What ./dev bench --tables does wrongly."""
    if scratch.run(EMPTY, RESULTS) or scratch.page() != EXPECTED:
        yield f"the page should be\n{EXPECTED}\nand is\n{scratch.page()}"
    if scratch.run(EXPECTED, RESULTS, check=True):
        yield "--check complains of a page that is right"
    cases = {
        "another figure": (EXPECTED, with_figure(median=1300.0)),
        "another commit": (EXPECTED, {**RESULTS, "commit": "unknown"}),
        "a number that was typed": (EXPECTED.replace("1,234", "1,134"), RESULTS),
        "a figure of another name": (EXPECTED, {**RESULTS, "figures": [{**f, "name": "length"} for f in RESULTS["figures"]]}),
        "a subject that is gone": (EXPECTED, {**RESULTS, "figures": [FIGURE]}),
        "an unknown table": (EXPECTED.replace("figures: times", "figures: tides"), RESULTS),
        "a page without the table": ("Nothing.\n", RESULTS),
    }
    for name, (page, results) in cases.items():
        if not scratch.run(page, results, check=True):
            yield f"--check does not notice {name}"
        if scratch.page() != page:
            yield f"--check writes, with {name}"


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 64
    root = os.path.abspath(sys.argv[1])
    bench, figures = os.path.join(root, "tests/bench"), os.path.join(root, "docs/figures")
    sys.path.insert(0, bench)
    import tables
    from layouts import LAYOUTS
    from take import RUNS
    files = sorted(name for name in os.listdir(figures) if name.endswith(".json"))
    taken = {run.file + ".json" for run in RUNS}
    wrong = [f"docs/figures/{name}: nothing takes it" for name in files if name not in taken]
    if files:
        checked = subprocess.run([sys.argv[2], os.path.join(bench, "results.schema.json"),
                                  *(os.path.join(figures, f) for f in files)], stdout=subprocess.PIPE, text=True, check=False)
        wrong += checked.stdout.splitlines() or ([] if checked.returncode == 0 else [f"schema_check ended with {checked.returncode}"])
    wrong += tables.bring_up_to_date(root, LAYOUTS, check=True)
    directory = tempfile.mkdtemp()
    scratch = Scratch(directory, tables)
    wrong += [*wrong_tables(scratch), *wrong_when_missing(scratch)]
    shutil.rmtree(directory)
    for line in wrong:
        print(line)
    print(f"{len(files)} files, {len(LAYOUTS)} tables, {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
