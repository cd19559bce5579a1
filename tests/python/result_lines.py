# SPDX-License-Identifier: GPL-2.0-only
"""A pytest plugin that reports each test as tests/runner/ counts them: ":test-result: PASS|FAIL|SKIP name", and
before it why it was skipped, in Catch2's words."""
import os

# Taken at import, before pytest captures it.
_stream = os.fdopen(os.dup(2), "w", buffering=1)
_reported = set()


def _report(word, report):
    # one result for each test: that of its call, or of the setup or teardown that failed instead
    if report.nodeid in _reported and word != "FAIL":
        return
    _reported.add(report.nodeid)
    file, _, name = report.nodeid.partition("::")
    if word == "SKIP" and isinstance(report.longrepr, tuple):
        _stream.write(f"explicitly with message: {report.longrepr[2].removeprefix('Skipped: ')}\n")
    _stream.write(f":test-result: {word} {os.path.basename(file)}: {name}\n")


def pytest_runtest_logreport(report):
    if report.failed:
        _report("FAIL", report)
    elif report.skipped:
        _report("SKIP", report)
    elif report.when == "call":
        _report("PASS", report)


def pytest_collectreport(report):
    if report.failed:
        _report("FAIL", report)
