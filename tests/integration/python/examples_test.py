# SPDX-License-Identifier: GPL-2.0-only
"""The examples, with the real packages, hinted by the real daemon."""
import importlib
import os
import re
import signal
import subprocess
import sys

import pytest
from daemon_process import PATIENCE_S, eventually
from server_process import CLIENTS, REQUESTS, await_port, free_port, program, under_load

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
EXAMPLES = os.path.join(ROOT, "sdk/python/examples")
PYTHONPATH = os.environ["PYTHONPATH"]


def environment(daemon, **more):
    return {**os.environ, "MORPHEUS_SOCKET": daemon.socket, "PYTHONPATH": f"{EXAMPLES}:{PYTHONPATH}", **more}


def output_of(daemon, *command):
    done = subprocess.run([sys.executable, *command], env=environment(daemon), cwd=EXAMPLES, capture_output=True,
                          text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def example(daemon, *command, **more):
    return program(EXAMPLES, environment(daemon, **more), *command)


def test_asyncio_jobs(daemon):
    out = output_of(daemon, "asyncio_jobs.py", "1")
    counts = re.match(r"(\d+) jobs;.*hinted (\d+) times, gave up the CPU (\d+) times", out)
    jobs, hinted, gave = map(int, counts.groups())
    assert jobs > 0 and hinted > 20 and gave > 20


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_fastapi_on_uvicorn_under_load(daemon, loop):
    for package in ("fastapi", "uvicorn", loop):
        pytest.importorskip(package)
    port = free_port()
    with example(daemon, "-m", "morpheus", "-m", "uvicorn", "fastapi_app:app", "--port", str(port), "--loop", loop,
                 "--log-level", "warning") as server:
        await_port(server, port)
        assert under_load(port, lambda _: "/primes/1000") == [{"limit": 1000, "primes": 168}] * (CLIENTS * REQUESTS)
        [worker] = daemon.workers(server.pid)
        assert worker["acknowledged"] > 10 and worker["last_yield_reason"] in ("HINT", "CHECKPOINT") and not worker["escapable"]
        assert daemon.clients()[0]["name"] == "uvicorn"
        server.terminate()
        assert server.wait(PATIENCE_S) in (0, -signal.SIGTERM)
    assert eventually(lambda: daemon.workers() == [])


def test_flask_under_load(daemon):
    pytest.importorskip("flask")
    port = free_port()
    with example(daemon, "-m", "flask", "--app", "flask_app", "run", "--port", str(port)) as server:
        await_port(server, port)
        answers = under_load(port, lambda _: "/collatz/3000")
    assert {(answer["start"], answer["steps"]) for answer in answers} == {(2919, 216)}
    assert sum(answer["yields"] for answer in answers) > 10
    assert eventually(lambda: daemon.workers() == [])


def test_celery_worker(daemon, tmp_path, monkeypatch):
    pytest.importorskip("celery")
    monkeypatch.setenv("CELERY_DIR", str(tmp_path))
    monkeypatch.syspath_prepend(EXAMPLES)
    sum_of_squares = importlib.import_module("celery_app").sum_of_squares
    count = 300_000
    with example(daemon, "-m", "celery", "-A", "celery_app", "worker", "--concurrency", "2", "--loglevel", "error",
                 CELERY_DIR=str(tmp_path)):
        results = [sum_of_squares.delay(count) for _ in range(8)]
        expected = (count - 1) * count * (2 * count - 1) // 6
        assert [result.get(timeout=90, interval=0.05) for result in results] == [expected] * 8
        workers = daemon.workers()
        assert len({worker["pid"] for worker in workers}) == 2
        assert sum(worker["acknowledged"] for worker in workers) > 10
    assert eventually(lambda: daemon.workers() == [])


def test_generator_heavy_batch_job(daemon):
    out = output_of(daemon, "batch.py", "500000")
    looked, gave = map(int, re.search(r"looked (\d+) times, gave up the CPU (\d+) times", out).groups())
    assert out.startswith("97 sensors, mean of means 499.")
    assert gave > 10 and looked < 100_000
