# SPDX-License-Identifier: GPL-2.0-only
"""The part mutants: breaks each promise of docs/guarantees.md in the product, one at a time, and runs the tests that
the page names for it; one of them must fail. A mutant that survives is a test that is missing.

It works in a copy of the tree with a build directory of its own, so the user's tree is never touched. What an
interrupted run leaves there the next one puts right.
"""
from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

import programs
from jobs import Job, Settings, run_registered
from results import FAIL, PASS, SKIP, Result

sys.path[1:1] = [str(pathlib.Path(__file__).parents[1]), str(pathlib.Path(__file__).parents[1] / "mutants")]
import mutation  # noqa: E402
import names  # noqa: E402

_DAEMON = ("daemon/morpheusd", "daemon/ctl/morpheusctl")
_MACHINE_SECONDS = 300
_UNIT_SECONDS = 120  # a mutant may make a test wait for ever
_PATIENCE_SECONDS = 20  # tests wait for two minutes elsewhere, which a mutant would make them do each time
# A mutant leaves variables unused.
_OPTIONS = ("-Dpython=", "-Dwerror=false", "-Doptimization=0")


def mutant_jobs(settings):
    """A job for each test program, which builds it, runs its tests unbroken, and then once for each mutant."""
    mutants, left_out = mutation.read_mutants()
    by_program = {}
    for mutant in mutants:
        by_program.setdefault(mutant.program, []).append(mutant)
    for program, those in by_program.items():
        yield Job(f"mutants {program}", 60 * len(those), lambda program=program, those=those:
                  _Laboratory(settings, program).run(those))
    if left_out:
        yield Job("mutants left out", 0, lambda: [
            Result(SKIP, "mutants", f"{promise}: {reason}") for promise, reason in left_out.items()])


def mirror(root, tree):
    """Makes `tree` a copy of the project's files in `root`. Only what differs is written, so that little is built
    again; and it is written anew, without its old time, so that what was built from a mutant is."""
    wanted = set(names.source_files(root))
    for path in wanted:
        source, target = os.path.join(root, path), os.path.join(tree, path)
        if not os.path.exists(target) or _content(source) != _content(target):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy(source, target)
    for path in set(names.source_files(tree)) - wanted:
        os.remove(os.path.join(tree, path))


def _content(path):
    with open(path, "rb") as file:
        return file.read()


def select(titles):
    """The argument that makes a Catch2 program run just these tests."""
    return ",".join(re.sub(r"([\\,\[])", r"\\\1", title) for title in titles)


class _Laboratory:
    def __init__(self, settings, program):
        self._settings = settings
        self._program = program
        self._copy = Settings(root=settings.built("mutants", "tree"), build=settings.built("mutants", "build"))
        self._label = f"mutants {program}"
        self._log = settings.log(self._label)

    def run(self, mutants):
        tests = tuple(dict.fromkeys(test for mutant in mutants for test in mutant.tests))
        targets = tuple(dict.fromkeys(target for mutant in mutants for target in self._targets(mutant)))
        with open(self._log, "w", encoding="utf-8"):
            pass
        mirror(self._settings.root, self._copy.root)
        if not self._configure() or not self._build(targets):
            return [Result(FAIL, self._label, f"the tree does not build (log: {self._log})")]
        words = {result.test: result.word for result in self._run_tests(tests, "unbroken")}
        return [self._report(self._try(mutant, words), mutant) for mutant in mutants]

    def _report(self, result, mutant):
        result.test = f"{mutant.promise} | {mutant.breaks} | {result.test}"
        self._settings.on_result(result)
        return result

    def _try(self, mutant, words):
        """What becomes of a mutant, given what the tests say of the unbroken program."""
        able = [test for test in mutant.tests if words.get(test) == PASS]
        if not able:
            said = {words.get(test, FAIL) for test in mutant.tests}
            word = SKIP if said == {SKIP} else FAIL
            return Result(word, self._label, "its tests are skipped here" if word == SKIP else "its tests fail unbroken")
        started = time.monotonic()
        try:
            original = mutation.replace_once(self._copy.root, mutant.file, mutant.old, mutant.new)
        except (mutation.Stale, OSError) as error:
            return Result(FAIL, self._label, f"stale: {error}")
        try:
            if not self._build(self._targets(mutant)):
                return Result(FAIL, self._label, f"does not compile (log: {self._log})")
            failed = [result.test for result in self._run_tests(able, mutant.breaks) if result.word == FAIL]
        finally:
            pathlib.Path(self._copy.root, mutant.file).write_text(original, encoding="utf-8")
        seconds = time.monotonic() - started
        if failed:
            return Result(PASS, self._label, f"noticed by: {'; '.join(failed)}", seconds)
        return Result(FAIL, self._label, f"SURVIVED {'; '.join(able)}", seconds)

    def _targets(self, mutant):
        if self._program == "meson":
            return mutant.targets
        return (f"tests/{self._program}", *(() if self._program.startswith("unit/") else _DAEMON))

    def _configure(self):
        if os.path.exists(self._copy.built("build.ninja")):
            return True
        os.makedirs(self._copy.built("logs"), exist_ok=True)
        return self._logged(["meson", "setup", self._copy.build, self._copy.root, *_OPTIONS])

    def _build(self, targets):
        return not targets or self._logged(["ninja", "-C", self._copy.build, *targets])

    def _logged(self, command):
        with open(self._log, "a", encoding="utf-8") as log:
            return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False).returncode == 0

    def _run_tests(self, tests, what):
        """The results of these tests; their output is added to the job's log."""
        with open(self._log, "a", encoding="utf-8") as log:
            log.write(f"=== {what}\n")
        if self._program == "meson":
            return run_registered(self._copy, "meson", list(tests))
        log = self._copy.log(self._label)
        limit = _UNIT_SECONDS if self._program.startswith("unit/") else _MACHINE_SECONDS + 300
        results = programs.run(self._label, self._command(tests), log, limit=limit, environment={
            "MORPHEUS_BUILD_DIR": self._copy.build, "MORPHEUS_TEST_PATIENCE": str(_PATIENCE_SECONDS)})
        with open(self._log, "a", encoding="utf-8") as kept, open(log, encoding="utf-8", errors="replace") as said:
            shutil.copyfileobj(said, kept)
        return results

    def _command(self, tests):
        chosen = [select(tests), *programs.REPORTERS]
        if not self._program.startswith("kernel/"):
            return [self._copy.built("tests", self._program), *chosen]
        seconds = _MACHINE_SECONDS * max(1, len(tests) // 2)
        return [self._copy.path("tests/vm/run"), "--timeout", str(seconds), "--boot-log", self._log + ".boot", "--", "env",
                f"MORPHEUS_CRASHES={self._settings.crashes}", f"/build/tests/{self._program}", *chosen]
