# SPDX-License-Identifier: GPL-2.0-only
"""python3 run_tests.py FILE NAME...: runs these tests of CPython in this process and writes each one's outcome to FILE,
as JSON. A program of its own, to be run alone and under python -m morpheus."""
import faulthandler
import json
import sys
import unittest

from test.support import os_helper


class Outcomes(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.of = {}

    def _note(self, test, outcome, why=""):
        self.of[test.id()] = outcome
        if why:
            print(f"{outcome}: {test.id()}\n{why}", file=sys.stderr)

    def startTest(self, test):
        super().startTest(test)
        self._note(test, "ended the program")

    def addSuccess(self, test):
        if self.of.get(test.id()) == "ended the program":
            self._note(test, "ok")

    def addSkip(self, test, reason):
        self._note(test, "skipped")

    def addExpectedFailure(self, test, err):
        self._note(test, "ok")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._note(test, "failed", self.failures[-1][1])

    def addError(self, test, err):
        super().addError(test, err)
        self._note(test, "failed", self.errors[-1][1])

    def addUnexpectedSuccess(self, test):
        self._note(test, "failed", "it was expected to fail")

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.addFailure(test, err) if issubclass(err[0], test.failureException) else self.addError(test, err)


def main():
    path, *names = sys.argv[1:]
    faulthandler.dump_traceback_later(900, exit=True)
    outcomes = Outcomes()
    with os_helper.temp_cwd(quiet=True):
        unittest.defaultTestLoader.loadTestsFromNames(names).run(outcomes)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(outcomes.of, file)


if __name__ == "__main__":
    main()
