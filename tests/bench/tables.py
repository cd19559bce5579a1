#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Writes the tables of figures into the pages. In a page they stand between <!-- figures: NAME --> and <!-- end -->;
layouts.py says what each shows, and docs/figures/ has the figures, as ./dev bench --all takes them. A table whose file is
not there stays as it is.

usage: ./dev bench --tables [--check]

--check writes nothing, and says which pages are not what the files give. Exit status 0, or 1 if there is one.
"""
import json
import os
import re
import sys
import textwrap
from dataclasses import dataclass, field

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
sys.path.insert(0, os.path.join(ROOT, "tests/bench/measuring"))
from results import KEY, key_of, number  # noqa: E402

WIDTH = 100
MARKED = re.compile(r"^<!-- figures: ([\w-]+) -->\n(.*?)^<!-- end -->$", re.S | re.M)
# a spread that is shown, as a share of the median
WIDE = 0.1
UNSAID = ("count", "times", "x")  # units that the label says


class Wrong(Exception):
    """What cannot be shown, for the user."""


class Missing(Exception):
    """The name of a result file that is not there yet."""


@dataclass(frozen=True)
class Table:
    """Each cell is the figure that its table, row and column describe together by file, part, name, subject and variant
    ("" without one). A `suffix` is added to the name. `unit` and `scale` show it in another unit than it was taken in."""
    of: dict
    columns: dict  # heading: description
    rows: dict  # label, without the unit: description
    goals: str = ""  # the column whose goals are shown; none if empty
    spread: tuple = ()  # columns in which the least and the most are shown, where they are far apart


@dataclass(frozen=True)
class Sentence:
    """Prose with figures in braces."""
    text: str
    of: dict
    figures: dict = field(default_factory=dict)


class Files:
    """The result files, each read once."""

    def __init__(self, directory):
        self.directory, self._read = directory, {}

    def file(self, name):
        if name not in self._read:
            path = os.path.join(self.directory, name + ".json")
            try:
                with open(path, encoding="utf-8") as file:
                    content = json.load(file)
            except FileNotFoundError:
                raise Missing(name) from None
            self._read[name] = content, {key_of(figure): figure for figure in content["figures"]}
        return self._read[name]

    def figure(self, description):
        """None if the file has no such figure."""
        asked = {**description, "name": description["name"] + description.get("suffix", "")}
        return self.file(description["file"])[1].get(tuple(asked.get(name, "") for name in KEY))


def shown(figure, description, spread=False):
    scale = description.get("scale", 1)
    text = number(figure["median"] * scale)
    if spread and figure["max"] - figure["min"] > WIDE * abs(figure["median"]):
        text += f" ({number(figure['min'] * scale)} to {number(figure['max'] * scale)})"
    return text


def goal_of(figure, description):
    if not figure or "goal" not in figure:
        return ""
    goal = figure["goal"]
    word = "at_most" if "at_most" in goal else "at_least"
    text = f"{word.replace('_', ' ')} {number(goal[word] * description.get('scale', 1))}"
    if goal["of"] == "worst":
        text = "never one" if goal.get("at_most") == 0 else text + " always"
    return text if figure["met"] else f"{text}, **missed**"


def row_of(table, label, row, files):
    cells, unit, goal = [], "", ""
    for heading, column in table.columns.items():
        description = {**table.of, **row, **column}
        figure = files.figure(description)
        cells.append(shown(figure, description, heading in table.spread) if figure else "")
        if figure:
            unit = description.get("unit", figure["unit"])
        if heading == table.goals:
            goal = goal_of(figure, description)
    if not any(cells):
        raise Wrong(f"no figure for the row {label!r}")
    return [label if unit in UNSAID else f"{label}, {unit}", *cells, goal]


def machine_of(content):
    machine = content["machine"]
    words = [machine["cpu"], f"{machine['cpus']} CPUs{' (emulated)' if machine['emulated'] else ''}",
             f"Linux {machine['kernel']}", machine["distribution"], machine["compiler"]]
    return ", ".join(word for word in words if word not in ("none", "unknown"))


def caption(names, files):
    """Where the figures are from: machine, commit, date and command of each file."""
    for name in names:
        content, _ = files.file(name)
        rounds = content["arguments"].get("rounds")
        how = f"medians of {rounds} round{'s' if rounds > 1 else ''}; " if rounds else ""
        text = f"{machine_of(content)}; commit {content['commit']}, {content['date'][:10]}; {how}`{content['command']}`"
        yield from textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)
        yield ""


def table_text(table, files):
    rows = [row_of(table, label, row, files) for label, row in table.rows.items()]
    heading = ["", *table.columns, "goal"]
    if not any(row[-1] for row in rows):
        heading, rows = heading[:-1], [row[:-1] for row in rows]
    empty = [name for index, name in enumerate(heading) if index and not any(row[index] for row in rows)]
    if empty:
        raise Wrong(f"no figure for the column {empty[0]!r}")
    names = dict.fromkeys(part["file"] for part in (table.of, *table.rows.values(), *table.columns.values()) if "file" in part)
    lines = ["|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|" for cells in (heading, *rows)]
    lines.insert(1, "|" + "---|" * len(heading))
    return "\n".join([*caption(names, files), *lines])


def sentence_text(sentence, files):
    found = {}
    for name, description in sentence.figures.items():
        figure = files.figure({**sentence.of, **description})
        if not figure:
            raise Wrong(f"no figure {name!r} for the sentence {sentence.text[:40]!r}")
        found[name] = shown(figure, description)
    return "\n".join(textwrap.wrap(sentence.text.format(**found), WIDTH, break_long_words=False, break_on_hyphens=False))


def pages(root):
    yield "README.md"
    yield from sorted(os.path.join("docs", name) for name in os.listdir(os.path.join(root, "docs")) if name.endswith(".md"))


def written(text, layouts, files):
    """The page with what the files give."""
    def block(found):
        name = found[1]
        if name not in layouts:
            raise Wrong(f"no layout {name}")
        render = table_text if isinstance(layouts[name], Table) else sentence_text
        try:
            content = render(layouts[name], files)
        except Missing:
            return found[0]
        except Wrong as wrong:
            raise Wrong(f"{name}: {wrong}") from None
        return f"<!-- figures: {name} -->\n{content}\n<!-- end -->"
    return MARKED.sub(block, text)


def bring_up_to_date(root, layouts, check):
    """What is wrong, a line each. Writes the pages unless it only checks."""
    files, used = Files(os.path.join(root, "docs/figures")), set()
    for page in pages(root):
        with open(os.path.join(root, page), encoding="utf-8") as file:
            old = file.read()
        used.update(name for name, _ in MARKED.findall(old))
        try:
            new = written(old, layouts, files)
        except Wrong as wrong:
            yield f"{page}: {wrong}"
            continue
        if check and new != old:
            yield f"{page}: is not what docs/figures/ gives; run ./dev bench --tables"
        elif new != old:
            with open(os.path.join(root, page), "w", encoding="utf-8") as file:
                file.write(new)
    yield from (f"no page shows {name}" for name in layouts if name not in used)


def main(arguments):
    from layouts import LAYOUTS
    if arguments not in ([], ["--check"]):
        print(__doc__.strip(), file=sys.stderr)
        return 0 if arguments in (["--help"], ["-h"]) else 64
    wrong = list(bring_up_to_date(ROOT, LAYOUTS, bool(arguments)))
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    import tables  # as layouts.py does: its classes are those of the module

    sys.exit(tables.main(sys.argv[1:]))
