# SPDX-License-Identifier: GPL-2.0-only
"""Unchanged frameworks under load, alone and under python -m morpheus: the same answers to all requests, the same end."""
import importlib
import os
import signal

import pytest
from daemon_process import PATIENCE_S, eventually
from server_process import await_port, free_port, program, under_load

HERE = os.path.dirname(os.path.abspath(__file__))
UVICORN = ("-m", "uvicorn", "--port", "{port}", "--log-level", "warning")
# gunicorn's worker loses a SIGTERM that comes before it has handlers of its own: its master kills it after this time
GUNICORN = ("-m", "gunicorn", "--bind", "127.0.0.1:{port}", "--workers", "2", "--log-level", "error",
            "--graceful-timeout", "5")
FOR_ASGI = ("-k", "uvicorn.workers.UvicornWorker")
SERVERS = {
    "uvicorn": (*UVICORN, "served:plain_asgi", "--loop", "asyncio"),
    "uvicorn on uvloop": (*UVICORN, "served:plain_asgi", "--loop", "uvloop"),
    "uvicorn with workers": (*UVICORN, "served:plain_asgi", "--workers", "2"),
    "gunicorn": (*GUNICORN, "served:plain_wsgi"),
    "gunicorn with threads": (*GUNICORN, "served:plain_wsgi", "--threads", "4"),
    "gunicorn of uvicorn": (*GUNICORN, *FOR_ASGI, "served:plain_asgi"),
    "gunicorn of gevent": (*GUNICORN, "-k", "gevent", "served:plain_wsgi"),
    "aiohttp": ("-m", "aiohttp.web", "-H", "127.0.0.1", "-P", "{port}", "served:aiohttp_application"),
    "gunicorn of aiohttp": (*GUNICORN, "-k", "aiohttp.GunicornWebWorker", "served:aiohttp_application"),
    "django on uvicorn": (*UVICORN, "served:django_asgi"),
    "django on gunicorn": (*GUNICORN, "served:django_wsgi"),
}
# those whose processes run loops, and are not started afresh
GUIDED = {"uvicorn", "uvicorn on uvloop", "gunicorn of uvicorn", "aiohttp", "django on uvicorn"}
NEEDED = ("uvicorn", "uvloop", "gunicorn", "gevent", "aiohttp", "django")


def environment(daemon, **more):
    return {**os.environ, "MORPHEUS_SOCKET": daemon.socket, **more}


def serve(daemon, launcher, name):
    """The answers, how many workers the daemon saw, and the exit status."""
    port = free_port()
    command = [word.format(port=port) for word in SERVERS[name]]
    if name == "gunicorn of aiohttp":
        command[-1] += "([])"
    served = "django" if name.startswith("django") else "plain"
    path = "/plain/{}" if name == "django on gunicorn" else "/square/{}"
    with program(HERE, environment(daemon, SERVED=served), *launcher, *command) as server:
        await_port(server, port)
        answers = under_load(port, path.format)
        workers = len(daemon.workers())
        server.terminate()
        return answers, workers, server.wait(PATIENCE_S)


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_answers_every_request_and_ends_cleanly(daemon, name):
    for package in NEEDED:
        if package in name:
            pytest.importorskip(package)
    expected = [{"n": n, "square": n * n} for n in range(100)]
    answers, _, status = serve(daemon, (), name)
    assert answers == expected
    assert status in (0, -signal.SIGTERM)
    answers, workers, status_with_us = serve(daemon, ("-m", "morpheus", "--blame"), name)
    assert answers == expected
    assert status_with_us == status
    assert workers > 0 if name in GUIDED else True
    assert eventually(lambda: daemon.workers() == [])


@pytest.mark.parametrize("launcher", [(), ("-m", "morpheus", "--blame")])
def test_celery_of_forked_processes_does_every_task(daemon, tmp_path, monkeypatch, launcher):
    pytest.importorskip("celery")
    monkeypatch.setenv("CELERY_DIR", str(tmp_path))
    monkeypatch.setenv("SERVED", "celery")
    monkeypatch.syspath_prepend(HERE)
    task = importlib.reload(importlib.import_module("served")).square_task
    with program(HERE, environment(daemon), *launcher, "-m", "celery", "-A", "served:celery_application", "worker",
                 "--concurrency", "2", "--loglevel", "error") as worker:
        results = [task.delay(n) for n in range(40)]
        assert [result.get(timeout=90, interval=0.05) for result in results] == [
            {"n": n, "square": n * n} for n in range(40)]
        worker.terminate()
        assert worker.wait(PATIENCE_S) == 0
