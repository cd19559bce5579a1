# SPDX-License-Identifier: GPL-2.0-only
"""Every test begins and ends detached, and never finds a daemon of this machine."""
import asyncio
import os

import pytest

os.environ["MORPHEUS_SOCKET"] = "/nonexistent/morpheusd.sock"

import morpheus  # noqa: E402  # the library reads the variable when it attaches

try:
    import uvloop
except ImportError:
    uvloop = None


@pytest.fixture(autouse=True)
def detached():
    yield
    if morpheus.status().link != morpheus.Link.NONE:
        morpheus.detach()


@pytest.fixture(params=["asyncio", "uvloop"])
def loop_factory(request):
    """Each kind of loop."""
    if request.param == "asyncio":
        return asyncio.new_event_loop
    if uvloop is None:
        pytest.skip("uvloop is not installed")
    return uvloop.new_event_loop
