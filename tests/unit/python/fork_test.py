# SPDX-License-Identifier: GPL-2.0-only
"""fork() in programs whose loops are watched: the child has neither the watcher nor its locks."""
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from daemon_process import eventually


def ended(pid):
    """The exit status of a child; None, after its end by our hand, if it does not end."""
    found = []
    if eventually(lambda: found.append(os.waitpid(pid, os.WNOHANG)) or found[-1][0] == pid, 10):
        return os.waitstatus_to_exitcode(found[-1][1])
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


FORKS = """
    import asyncio, os, sys, time
    import morpheus
    from fork_test import ended
    blame = morpheus.Blame(0.001)
    pids = []
    async def main():
        for turn in range({forks}):
            time.sleep(0.0005 + turn % 7 * 0.0003)  # the watcher follows some
            await asyncio.sleep(0)
            pid = os.fork()
            if pid == 0: {child}
            pids.append(pid)
    morpheus.run(main(), blame=blame{loop})
    print([status for status in map(ended, pids) if status != 0], len(pids))
"""
CHILDREN = [
    "sys.exit(0)",
    "blame.metrics(); time.sleep(0.003); return",
    "time.sleep(0.002); os._exit(blame.metrics()['callbacks'] < 1)",
]


@pytest.mark.parametrize("loop", ["", ", loop_factory=uvloop.new_event_loop"])
@pytest.mark.parametrize("child", CHILDREN)
def test_a_child_of_a_watched_loop_ends(child, loop):
    if loop:
        pytest.importorskip("uvloop")
    if sys.version_info >= (3, 14) and "_exit" not in child:
        pytest.skip("since Python 3.14 a child hangs in its parent's loop, without us, too")
    source = textwrap.dedent(FORKS.format(forks=25, child=child, loop=loop))
    if child.endswith("return"):
        source = source.replace("print(", "if os.getpid() != parent: os._exit(0)\nprint(")
    source = ("import os; parent = os.getpid()\n" + ("import uvloop\n" if loop else "") + source)
    path = os.pathsep.join((os.environ["PYTHONPATH"], os.path.dirname(__file__)))
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=120,
                          env={**os.environ, "PYTHONPATH": path})
    assert done.stdout == "[] 25\n", done.stderr
