# SPDX-License-Identifier: GPL-2.0-only
"""The rows of docs/guarantees.md: what is promised, and the tests that guard it."""
import os
import re
from typing import NamedTuple

TABLES = ("Invariants", "What the service promises", "What the C++ runtime promises")


class Row(NamedTuple):
    promise: str
    tests: list[str]
    guards: str  # the whole cell


def rows_of(text, table):
    section = text.partition(f"\n## {table}\n")[2].partition("\n## ")[0]
    for line in re.findall(r"^\|.*$", section, flags=re.M)[2:]:
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        yield Row(cells[0], re.findall(r'"([^"]+)"', cells[-1]), cells[-1])


def read_rows(root):
    """The rows of the tables, by promise."""
    with open(os.path.join(root, "docs", "guarantees.md"), encoding="utf-8") as file:
        text = file.read()
    return {row.promise: row for table in TABLES for row in rows_of(text, table)}
