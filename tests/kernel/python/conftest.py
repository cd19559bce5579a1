# SPDX-License-Identifier: GPL-2.0-only
"""The real daemon with its BPF programs on this machine, where they can be loaded."""
import pytest
from daemon_process import running_daemon

import morpheus


@pytest.fixture(scope="module")
def daemon():
    try:
        with running_daemon(backend="bpf") as running:
            yield running
    except RuntimeError as error:
        pytest.skip(f"BPF cannot be used here: {error}")


@pytest.fixture
def attached(daemon):
    morpheus.attach(socket=daemon.socket, name="python-kernel-test")
    yield daemon
    morpheus.detach()
