# SPDX-License-Identifier: GPL-2.0-only
"""Servers as processes, and clients that load them."""
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request

from daemon_process import PATIENCE_S, eventually

CLIENTS, REQUESTS = 4, 25


@contextlib.contextmanager
def program(directory, environment, *command):
    """A server in a process group of its own, which ends with it."""
    process = subprocess.Popen([sys.executable, *command], env=environment, cwd=directory, stderr=subprocess.PIPE,
                               text=True, start_new_session=True)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def await_port(process, port):
    def accepts():
        assert process.poll() is None, process.stderr.read()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    assert eventually(accepts)


def get(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE_S) as response:
        return json.load(response)


def under_load(port, path_of):
    """The responses that several clients get, each client one after the other: those to path_of(0), path_of(1), ..."""
    answers = [None] * (CLIENTS * REQUESTS)

    def client(first):
        for number in range(first, first + REQUESTS):
            answers[number] = get(port, path_of(number))

    clients = [threading.Thread(target=client, args=(n * REQUESTS,)) for n in range(CLIENTS)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    return answers
