# SPDX-License-Identifier: GPL-2.0-only
"""What tests come to: single results, read from what programs print, and the file that stores a whole run."""
from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field

PASS, FAIL, SKIP = "PASS", "FAIL", "SKIP"

# Catch2's automake reporter, and what imitates it. A test that is expected to fail and does has passed.
_RESULT = re.compile(r":test-result: (PASS|FAIL|SKIP|XFAIL|XPASS|ERROR) (.*)$")
_MEANING = {"XFAIL": PASS, "XPASS": FAIL, "ERROR": FAIL}
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")

# How a program ends that was killed for its time, or whose machine failed.
_KILLED = (124, 125, 137)
_ALL_SKIPPED = 4  # Catch2's exit status


@dataclass
class Result:
    word: str  # PASS, FAIL or SKIP
    label: str  # the program or part
    test: str
    seconds: float = 0.0
    reason: str = ""  # why it was skipped

    def __str__(self):
        return f"{self.word} {self.label}: {self.test}" + (f" ({self.reason})" if self.reason else "")


def parse_result(line, label, seconds=0.0):
    """The result that a line reports; None if it reports none."""
    found = _RESULT.search(_COLOUR.sub("", line.rstrip("\r\n")))
    if not found:
        return None
    return Result(_MEANING.get(found[1], found[1]), label, found[2], seconds)


def why_skipped(said):
    """The reason among the lines that a program printed before it reported a skipped test: what follows this phrase of
    Catch2, which the others use as well."""
    _, found, reason = _COLOUR.sub("", "".join(said)).partition("explicitly with message:")
    return " ".join(reason.split()).strip("=- ") if found else ""


def explain_end(results, status, label, seconds):
    """The failed test that an exit status stands for; None if the results explain it."""
    words = [result.word for result in results]
    if status == 0 or (status == _ALL_SKIPPED and FAIL not in words and SKIP in words):
        return None
    if FAIL in words and status not in _KILLED:
        return None
    return Result(FAIL, label, f"ended with status {status} after {seconds:.0f} s")


def what_failed(log, most=100):
    """What a Catch2 program printed about each failed test, or the last words of any other; `most` lines."""
    about, said = [], []
    for line in _COLOUR.sub("", log).splitlines():
        result = _RESULT.search(line)
        if result is None:
            said.append(line)
            continue
        if _MEANING.get(result[1], result[1]) == FAIL and any("FAILED:" in each for each in said):
            about += said
        said = []
    return "\n".join((about or log.splitlines())[-most:])


@dataclass
class Run:
    """All results of one call of ./dev test, and how long each job took."""
    commit: str = ""
    machine: str = ""
    share: str = ""  # "2/3" if this run was one share of several
    selection: str = ""  # what was asked for: shares of different selections do not join
    results: list[Result] = field(default_factory=list)
    jobs: dict[str, float] = field(default_factory=dict)  # label -> seconds

    def count(self, word):
        return sum(result.word == word for result in self.results)

    def closing_line(self):
        return f"{self.count(PASS)} passed, {self.count(FAIL)} failed, {self.count(SKIP)} skipped"

    def save(self, path):
        with open(path, "w", encoding="utf-8") as file:
            json.dump(asdict(self), file, indent=1)

    @classmethod
    def load(cls, path):
        with open(path, encoding="utf-8") as file:
            stored = json.load(file)
        return cls(**{**stored, "results": [Result(**result) for result in stored["results"]]})


class CannotJoin(Exception):
    """Runs that are no whole."""


def join(runs):
    """One run out of all its shares. Raises CannotJoin if one is missing, there twice, or of something else."""
    counts = {run.share.partition("/")[2] for run in runs}
    if len(counts) != 1 or not all(run.share for run in runs):
        raise CannotJoin("these are not the shares of one run (--part N/M)")
    count = int(*counts)
    missing = {f"{n}/{count}" for n in range(1, count + 1)} - {run.share for run in runs}
    if missing:
        raise CannotJoin(f"missing: the share {', '.join(sorted(missing))}")
    if len(runs) != count:
        raise CannotJoin("a share is there twice")
    for what, of_run in (("commits", lambda r: r.commit), ("selections", lambda r: r.selection)):
        different = sorted({of_run(run) for run in runs})
        if len(different) > 1:
            raise CannotJoin(f"the shares are of different {what}: {', '.join(different)}")
    whole = Run(runs[0].commit, " + ".join(sorted({run.machine for run in runs})), "", runs[0].selection)
    for run in runs:
        whole.results += run.results
        whole.jobs.update(run.jobs)
    return whole
