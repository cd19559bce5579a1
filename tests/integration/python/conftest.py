# SPDX-License-Identifier: GPL-2.0-only
"""The real daemon with the fake backend, which hints running workers every few milliseconds."""
import asyncio

import pytest
from daemon_process import running_daemon

import morpheus

HINT_MS = "3"


@pytest.fixture
def daemon():
    with running_daemon("--fake-hint-ms", HINT_MS) as running:
        yield running


@pytest.fixture
def attached(daemon):
    """This process and thread, attached to the daemon."""
    morpheus.attach(socket=daemon.socket, name="python-test")
    yield daemon
    morpheus.detach()


@pytest.fixture(params=["asyncio", "uvloop"])
def loop_factory(request):
    if request.param == "asyncio":
        return asyncio.new_event_loop
    return pytest.importorskip("uvloop").new_event_loop
