# SPDX-License-Identifier: GPL-2.0-only
"""Breaks the product in one place: a text of a file, which must occur there exactly once, is replaced.

The mutants of the product are in the files beside this one, those of the BPF programs that the simulator must find out
in tests/sim/mutants.py.
"""
from __future__ import annotations

import pathlib
import tomllib
from dataclasses import dataclass

HERE = pathlib.Path(__file__).parent


class Stale(Exception):
    """The text to replace does not occur exactly once."""


def replace_once(tree, file, old, new):
    """Returns the file's text as it was."""
    path = pathlib.Path(tree, file)
    text = path.read_text(encoding="utf-8")
    if text.count(old) != 1:
        raise Stale(f"{old!r} occurs {text.count(old)} times in {file}, not once")
    path.write_text(text.replace(old, new), encoding="utf-8")
    return text


@dataclass(frozen=True)
class Mutant:
    promise: str  # a row of docs/guarantees.md
    breaks: str  # what the product does when it is broken like this
    file: str
    old: str
    new: str
    program: str  # the tests' program below build/tests, or "meson" for tests that are no Catch2 program
    tests: tuple[str, ...]  # of those that the row names; one of them must fail
    targets: tuple[str, ...] = ()  # what "meson" needs built


def read_mutants():
    """All mutants, and the promises that have none, with the reason."""
    mutants, left_out = [], {}
    for path in sorted(HERE.glob("*.toml")):
        listed = tomllib.loads(path.read_text(encoding="utf-8"))
        left_out.update({each["promise"]: each["reason"] for each in listed.get("left_out", [])})
        for each in listed["mutant"]:
            mutants.append(Mutant(**{**each, "tests": tuple(each["tests"]), "targets": tuple(each.get("targets", ()))}))
    return mutants, left_out
