# SPDX-License-Identifier: GPL-2.0-only
"""What ./dev test prints at its end: times, failures, what was skipped, and the closing line."""
from __future__ import annotations

from results import FAIL, SKIP

SLOWEST = 10


def close(run, failures=()):
    print("\ntime by job:")
    for label, seconds in sorted(run.jobs.items(), key=lambda item: -item[1]):
        print(f"  {seconds:6.0f} s  {label}")
    print(f"slowest {SLOWEST} tests:")
    for result in sorted(run.results, key=lambda r: -r.seconds)[:SLOWEST]:
        print(f"  {result.seconds:6.1f} s  {result.label}: {result.test}")
    for text in failures:
        print(text)
    unstable = tests_that_differ(run)
    if unstable:
        print("failed now and then:")
        print("\n".join(f"  {name}" for name in unstable))
    for result in sorted(run.results, key=str):
        if result.word in (FAIL, SKIP):
            print(result)
    print(run.closing_line(), flush=True)


def tests_that_differ(run):
    """Tests that passed in one repetition and failed in another."""
    words = {}
    for result in run.results:
        words.setdefault(f"{result.label}: {result.test}", set()).add(result.word)
    return sorted(name for name, seen in words.items() if FAIL in seen and len(seen) > 1)
