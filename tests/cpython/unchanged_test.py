# SPDX-License-Identifier: GPL-2.0-only
"""CPython's own tests end the same under python -m morpheus --blame, beside a daemon that hints every 3 ms, as they do
alone: test by test. What differs is tried again, because some of these tests go by the clock."""
import json
import os
import subprocess
import sys

import pytest
from daemon_process import running_daemon

RUN_TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "run_tests.py")
MODULES = ("test_asyncio", "test_runpy", "test_atexit", "test_fork1", "test_signal", "test_threading",
           "test_multiprocessing_fork", "test_concurrent_futures", "test_subprocess", "test_faulthandler", "test_warnings")
AT_ONCE = 40  # what differs in more tests than this is no matter of the clock
TRIES = 3


@pytest.fixture(scope="module")
def daemon():
    with running_daemon("--fake-hint-ms", "3") as running:
        yield running


def outcomes(tmp_path, launcher, names):
    path = tmp_path / "outcomes.json"
    path.unlink(missing_ok=True)
    with open(tmp_path / "output", "w+", encoding="utf-8", errors="replace") as output:
        ended = subprocess.run([sys.executable, *launcher, RUN_TESTS, str(path), *names], stdin=subprocess.DEVNULL,
                               stdout=output, stderr=output, timeout=1200, check=False)
        output.seek(0)
        print(output.read()[-20_000:])
    if not path.exists():
        return {"the program": f"ended with status {ended.returncode}"}
    return json.loads(path.read_text())


def differing(alone, with_us):
    return sorted(name for name in alone.keys() | with_us.keys() if alone.get(name) != with_us.get(name))


@pytest.mark.parametrize("module", MODULES)
def test_cpythons_tests_end_the_same(daemon, tmp_path, module):
    pytest.importorskip("test.test_asyncio", reason="needs libpython3-testsuite of this version")
    launcher = ["-m", "morpheus", "--socket", daemon.socket, "--blame"]
    alone = outcomes(tmp_path, [], [f"test.{module}"])
    with_us = outcomes(tmp_path, launcher, [f"test.{module}"])
    assert list(alone.values()).count("ok") > 3, alone
    names = differing(alone, with_us)
    assert len(names) <= AT_ONCE, names
    for _ in range(TRIES):
        # only those that are tests: what is left of a class or module that could not be set up is run as a whole
        again = [name for name in names if name.startswith("test.")] or ([f"test.{module}"] if names else [])
        if again:
            names = differing(outcomes(tmp_path, [], again), outcomes(tmp_path, launcher, again))
    assert names == []
