# SPDX-License-Identifier: GPL-2.0-only
"""python -m morpheus --attach PID: blames the slow callbacks of a program that was started without us.

Python 3.14 runs a script in another process (PEP 768). Ours gives the running loop of its main
thread safe points and watches it; each slow callback comes back over a socket, with the tasks that
await it. When the socket closes, the program goes on unwatched.
"""
import asyncio
import json
import os
import socket
import sys
import tempfile
from typing import Any, Dict, List, NoReturn, Optional

from . import _core, blame, loop

PATIENCE_S = 10.0
UNAVAILABLE = 69  # of sysexits

_SCRIPT = """\
import sys
sys.path.insert(0, {package!r})
try:
    from morpheus import remote
finally:
    sys.path.remove({package!r})
remote.begin({address!r}, {threshold!r})
"""


# --- in the program ---------------------------------------------------------------------------------


def _awaiting(task: Any) -> List[str]:
    """The tasks that await this one, each with those that await it, indented by their distance."""
    lines: List[str] = []

    def add(graph: Any, depth: int) -> None:
        for waiter in graph.awaited_by:
            lines.append("  " * depth + "awaited by " + blame.describe_task(waiter.future))
            add(waiter, depth + 1)

    graph = getattr(asyncio, "capture_call_graph")(task)  # since Python 3.14
    if graph is not None:
        add(graph, 1)
    return lines


class _RemoteBlame(blame.Blame):
    """Sends what it is told instead of logging it."""

    def __init__(self, threshold: float, link: socket.socket, running: asyncio.AbstractEventLoop) -> None:
        super().__init__(threshold)
        self._link = link
        self._loop = running
        self._safe_points: Optional[_core.SafePoints] = None
        self._watch: Optional[blame.Watch] = None

    def begin_in_loop(self) -> None:
        safe_points = loop.safe_points_of(self._loop)
        if safe_points.is_watched():
            self.send(refused="its slow callbacks are watched already")
            self._link.close()
            return
        self._safe_points = safe_points
        self._watch = blame.Watch(self, safe_points)
        self._watch.start()
        self._loop.add_reader(self._link, self.end_in_loop)
        self.send(watched=type(self._loop).__qualname__)

    def end_in_loop(self) -> None:
        if self._watch is None or self._safe_points is None:
            return
        self._loop.remove_reader(self._link)
        self._link.close()
        self._watch.stop()
        self._safe_points.unwatch()
        self._watch = None

    def note(self, slow: blame.SlowCallback, handle: Any = None) -> None:
        task = blame.task_of(handle)
        self.send(slow=str(slow), awaiting=_awaiting(task) if task is not None else [])

    def send(self, **message: Any) -> None:
        try:
            self._link.send(json.dumps(message).encode() + b"\n", socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except OSError:  # a reader that is slow misses some; one that is gone, all
            pass


def begin(address: str, threshold: float) -> None:
    """Called in the program, between any two instructions of its main thread."""
    link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    link.connect(address)
    running = asyncio._get_running_loop()
    if running is None:
        link.send(json.dumps({"refused": "no event loop runs in its main thread"}).encode() + b"\n")
        link.close()
        return
    running.call_soon_threadsafe(_RemoteBlame(threshold, link, running).begin_in_loop)


# --- outside ----------------------------------------------------------------------------------------


def fail(pid: int, reason: object) -> NoReturn:
    print(f"morpheus: cannot attach to process {pid}: {reason}", file=sys.stderr)
    sys.exit(UNAVAILABLE)


def _accept(listener: socket.socket, pid: int) -> socket.socket:
    listener.settimeout(PATIENCE_S)
    while True:
        try:
            return listener.accept()[0]
        except TimeoutError:
            if not os.path.exists(f"/proc/{pid}"):
                fail(pid, "it has ended")
            print(f"morpheus: process {pid} has run no Python code yet; waiting", file=sys.stderr)


def _show(pid: int, message: Dict[str, Any]) -> None:
    if "refused" in message:
        fail(pid, message["refused"])
    if "watched" in message:
        print(f"morpheus: watching {message['watched']} of process {pid}; Ctrl-C ends it", file=sys.stderr)
        return
    print("\n".join([message["slow"], *message["awaiting"]]), flush=True)


def watch(pid: int, threshold: float) -> None:
    """Prints the slow callbacks of the process until it ends, or SIGINT. Never returns on a refusal."""
    if sys.version_info < (3, 14):
        fail(pid, "this needs Python 3.14, here and there")
    with tempfile.TemporaryDirectory(prefix="morpheus-attach-") as directory:
        os.chmod(directory, 0o755)  # the program may be another user's
        address, script = os.path.join(directory, "link"), os.path.join(directory, "begin.py")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(address)
        os.chmod(address, 0o666)
        listener.listen(1)
        package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        with open(script, "w", encoding="utf-8") as file:
            file.write(_SCRIPT.format(package=package, address=address, threshold=threshold))
        try:
            sys.remote_exec(pid, script)
        except (OSError, RuntimeError) as error:
            fail(pid, error)
        link = _accept(listener, pid)
    try:
        while message := link.recv(1 << 20):
            _show(pid, json.loads(message))
    except KeyboardInterrupt:
        return
    except ConnectionError:
        pass
    print(f"morpheus: process {pid} has ended", file=sys.stderr)
