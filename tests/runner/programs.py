# SPDX-License-Identifier: GPL-2.0-only
"""Runs one test program, reads its results as they come, and ends it with all that it started."""
from __future__ import annotations

import os
import signal
import subprocess
import threading
import time

from results import FAIL, SKIP, explain_end, parse_result, why_skipped

# Both reporters write to standard error: it is not buffered, so results that precede a crash are not lost.
REPORTERS = ("-r", "automake::out=%stderr", "-r", "console::out=%stderr")
TIME_LIMIT = 600
_GRACE = 10  # seconds between SIGTERM, or the end of a program, and SIGKILL for what is left
TIMED_OUT = 124  # as timeout(1) reports it

_running: set[subprocess.Popen] = set()
_lock = threading.Lock()


def end_all():
    """Ends every program that runs. Each leads a process group of its own."""
    with _lock:
        for process in _running:
            _signal_group(process, signal.SIGTERM)


def _signal_group(process, number):
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass


def _end_what_is_left(process, all_is_read):
    """Results are read until the last process that could write some is gone. When the program has ended, what it left
    running may take a moment for its last words."""
    process.wait()
    if not all_is_read.wait(_GRACE):
        _signal_group(process, signal.SIGKILL)


class _Limit:
    """Ends a program that takes longer than its limit."""

    def __init__(self, process, seconds):
        self.has_passed = False
        self._process = process
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._timer.start()

    def _end(self):
        self.has_passed = True
        _signal_group(self._process, signal.SIGTERM)
        try:
            self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            pass
        _signal_group(self._process, signal.SIGKILL)

    def cancel(self):
        self._timer.cancel()


def start(command, environment, log):
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.PIPE, text=True,
                               errors="replace", start_new_session=True, env={**os.environ, **(environment or {})})
    with _lock:
        _running.add(process)
    return process


def run(label, command, log, *, environment=None, limit=TIME_LIMIT, on_result=lambda result: None):
    """Runs `command`, whose results come on standard error; returns them with the time that each took.

    Standard error goes to the file `log`, standard output beside it. A program that exceeds `limit` seconds is
    ended; an end that the results do not explain is one more failed test.
    """
    results, said, started = [], [], time.monotonic()
    last = started
    with open(log, "w", encoding="utf-8") as kept, open(f"{log}.out", "wb") as output:
        process = start(command, environment, output)
        watch = _Limit(process, limit)
        all_is_read = threading.Event()
        threading.Thread(target=_end_what_is_left, args=(process, all_is_read), daemon=True).start()
        for line in process.stderr:
            kept.write(line)
            now = time.monotonic()
            result = parse_result(line, label, now - last)
            if result is None:
                said.append(line)
                continue
            if result.word == SKIP:
                result.reason = why_skipped(said)
            results.append(result)
            said, last = [], now
            on_result(result)
        all_is_read.set()
        status = process.wait()
        watch.cancel()
    with _lock:
        _running.discard(process)
    # what the program left running would disturb the next one
    _signal_group(process, signal.SIGKILL)
    status = TIMED_OUT if watch.has_passed else 128 - status if status < 0 else status
    unexplained = explain_end(results, status, label, time.monotonic() - started)
    return results + ([unexplained] if unexplained else [])


def has_failed(results):
    return any(result.word == FAIL for result in results)


def read(label, log):
    """The results in a log that another program has written; none if it wrote no log."""
    if not os.path.exists(log):
        return []
    with open(log, encoding="utf-8", errors="replace") as file:
        return [result for result in (parse_result(line, label) for line in file) if result is not None]
