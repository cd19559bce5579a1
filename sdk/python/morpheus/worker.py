# SPDX-License-Identifier: GPL-2.0-only
"""The process's attachment to morpheusd, and the calling thread as a worker.

Everything here is about the calling OS thread, not about the interpreter. Without a daemon all of
it works and there are no hints; a daemon that starts later, or again, finds the process by itself.
"""
import enum
import os
import sys
import threading
import time
import types
from typing import Any, Dict, List, NamedTuple, Optional, Type

from . import _core

MOST_NAME_BYTES = 64
ENDING_THREADS_S = 0.2  # a thread that was joined may still be on its way out


class Mode(enum.IntEnum):
    """How the calling thread behaves, by the hints that it has met."""

    DETERMINISTIC = _core.DETERMINISTIC
    """no hint for a second"""
    PRESSURED = _core.PRESSURED
    """a hint within the last second"""
    DEFENSIVE = _core.DEFENSIVE
    """hints were lost, or the daemon went away under pressure: safe points yield by themselves"""


class Policy(enum.IntEnum):
    """What the kernel may do to a thread that consented and ignored a hint (Enforced mode)."""

    NONE = _core.POLICY_NONE
    THREAD_KICK = _core.POLICY_THREAD_KICK
    CGROUP_THROTTLE = _core.POLICY_CGROUP_THROTTLE
    HYBRID = _core.POLICY_HYBRID


class Link(enum.IntEnum):
    """What the process is to the daemon now."""

    NONE = _core.LINK_NONE
    """attach() was not called"""
    WAITING = _core.LINK_WAITING
    """no daemon; trying again"""
    ATTACHED = _core.LINK_ATTACHED
    """the daemon watches the workers"""


class Status(NamedTuple):
    link: Link
    workers: int
    """threads registered"""
    guided: int
    """of these, watched by the daemon"""
    attaches: int
    """how often a daemon accepted this process"""
    last_error: str
    """why the last attempt or registration failed; empty if none did"""
    unguided: int
    """workers that the daemon does not watch although it is there, and how often a thread could not
    be registered"""


class Pressure(NamedTuple):
    """0 to 100, but for the depth; all 0 without a daemon."""

    cpu: int
    io: int
    memory: int
    runqueue_depth: int
    """runnable threads in the system"""
    here: int
    """how crowded the CPU of the calling thread is; 0 if it is not registered"""


class Stats(NamedTuple):
    """Counts of the calling thread since it was registered; all 0 if it is not."""

    hints: int
    acks: int
    withdrawn: int
    """of the acknowledgements, without giving up the CPU: no thread waited any more"""
    yields: int
    eager_yields: int
    """of the yields, by itself in Mode.DEFENSIVE"""
    deferred: int
    """safe points that acknowledged nothing because of a critical section"""
    rebinds: int
    """moves to or from a daemon"""


_options: Dict[str, Any] = {}  # of the last attach(): a forked child attaches with them again
_refused: List[str] = []  # why threads could not be registered; append() needs no lock
_has_warned = False
# python -m morpheus: its options, for a process that a loop attaches rather than the program
_launch_options: Optional[Dict[str, Any]] = None
_is_programs = False  # the program called attach()
_kept = threading.local()  # .is_ours: registered() kept this thread as it was critical


def _program_name() -> str:
    path = sys.argv[0] if sys.argv else ""
    name = os.path.basename(path)
    if name == "__main__.py":
        name = os.path.basename(os.path.dirname(path))
    return name_for_operators(name)


def name_for_operators(name: str) -> str:
    return name.encode(errors="replace")[:MOST_NAME_BYTES].decode(errors="ignore") or "python3"


def set_launch_options(**options: Any) -> None:
    """For python -m morpheus: what a loop attaches with where the program has not said otherwise.

    The process is attached when the first loop runs, so that a program without one has no thread
    but its own.
    """
    global _launch_options
    _launch_options = options


def _attach_process() -> None:
    options: Dict[str, Any] = {"name": _program_name(), **(_launch_options or {}), **_options}
    _core.attach(**options)


def _refuse(error: Exception) -> None:
    """Counts a thread that could not be registered: no reason for a program to fail."""
    _refused.append(str(error))
    _warn_once(str(error))


def _warn_once(reason: str) -> None:
    global _has_warned
    if not _has_warned:
        _has_warned = True
        import logging  # programs that need it not are not to find it imported

        logging.getLogger("morpheus").warning(
            "%s; this thread works unguided, and so may others: morpheus.status().unguided counts them", reason)


def attach(
    *,
    socket: Optional[str] = None,
    name: Optional[str] = None,
    max_workers: Optional[int] = None,
    register: bool = True,
) -> None:
    """Attaches the process to morpheusd and registers the calling thread, each unless it is
    already.

    socket: of the daemon; default $MORPHEUS_SOCKET, else /run/morpheus/morpheusd.sock.
    name: shown to operators; default the program's.
    max_workers: how many threads may be guided at once, 1 to 4095; default 256. More may register.
    register: False attaches the process only.

    It is no error if there is no daemon, nor if the system has no thread or memory left for this:
    then the program works unguided, see Status.unguided. Raises MorpheusError if options are wrong,
    or given although the process is attached already, and ValueError if the name is longer than 64
    bytes. A forked child is not attached; registering a thread there attaches it with the same
    options.
    """
    global _is_programs
    if name is not None and len(name.encode()) > MOST_NAME_BYTES:
        raise ValueError(f"the name is longer than {MOST_NAME_BYTES} bytes")
    given = {k: v for k, v in (("socket", socket), ("name", name), ("max_workers", max_workers)) if v is not None}
    is_attached = _core.status()[0] != Link.NONE
    before = _options.copy()
    _options.update(given)
    # What a loop of python -m morpheus has attached becomes the program's, as it is.
    if not is_attached or (given and (_launch_options is None or _is_programs)):
        try:
            _attach_process()
        except Exception as error:
            if isinstance(error, _core.MorpheusError) and error.code in (_core.ERR_SYSTEM, _core.ERR_NO_MEMORY):
                return _refuse(error)
            _options.clear()
            _options.update(before)
            raise
    _is_programs = True
    if register:
        globals()["register"]()


def detach() -> None:
    """Unregisters the calling thread, if it is registered, and undoes attach().

    Raises MorpheusError if the process is not attached, or other threads are still registered.
    """
    global _is_programs
    if _core.is_registered():
        _core.worker_unregister()
    deadline = time.monotonic() + ENDING_THREADS_S
    while True:
        try:
            _core.detach()
            break
        except _core.MorpheusError as error:
            if error.code == _core.ERR_BUSY and _launch_options is not None:
                break  # for the loops, it stays
            if error.code != _core.ERR_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(0.001)
    _options.clear()
    _is_programs = False


def _register_here() -> None:
    try:
        _core.worker_register()
    except _core.MorpheusError as error:
        if error.code != _core.ERR_NOT_ATTACHED:
            raise
        try:
            _attach_process()
        except _core.MorpheusError as other:
            if other.code != _core.ERR_ALREADY:  # another thread was first
                raise
        _core.worker_register()
    _core.set_running(True)


def register() -> bool:
    """Makes the calling thread a worker, unless it is one: from now on the kernel may hint it to
    yield.

    The worker is not escapable: set_escapable() is for that. Attaches the process if it is not
    attached. Made for ThreadPoolExecutor(initializer=morpheus.register). A thread that ends is
    unregistered by itself.

    Never fails: a thread that cannot be registered, or that the daemon does not watch, works
    unguided. Status.unguided counts these; the logger "morpheus" warns of the first. Returns
    whether the thread is a worker.
    """
    if _core.is_registered():
        return True
    try:
        _register_here()
    except _core.MorpheusError as error:
        _refuse(error)
        return False
    if not _has_warned:
        now = status()
        if now.link == Link.ATTACHED and now.guided < now.workers:
            _warn_once(now.last_error)
    return True


def unregister() -> None:
    """Unregisters the calling thread.

    Raises MorpheusError if it is no worker, or in a critical section.
    """
    _core.worker_unregister()


class registered:
    """with registered(): the thread is a worker in the block; afterwards only if it was before.

    One that leaves the block inside a critical section stays a worker until it has left the next
    such block.
    """

    def __init__(self) -> None:
        self._is_ours = False

    def __enter__(self) -> "registered":
        self._is_ours = not _core.is_registered() or getattr(_kept, "is_ours", False)
        _kept.is_ours = False
        register()
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[types.TracebackType],
    ) -> None:
        # a forked child leaves the block unregistered
        if not self._is_ours or not _core.is_registered():
            return
        if _core.critical_depth():
            _kept.is_ours = True
        else:
            unregister()


def set_escapable(escapable: bool, policy: Policy = Policy.THREAD_KICK) -> None:
    """Whether the kernel may take the CPU from the calling thread when it ignores a hint (Enforced
    mode).

    Off for every thread until this is called on it: a thread that loses the CPU may hold the
    interpreter lock, and then every thread of the program waits with it. Inside critical() the
    kernel never does. Raises MorpheusError on a thread that is not registered.
    """
    _core.set_escapable(escapable, policy if escapable else Policy.NONE)


def status() -> Status:
    """What the process is to the daemon now. May block for about a second."""
    link, workers, guided, attaches, last_error = _core.status()
    unwatched = workers - guided if link == Link.ATTACHED else 0
    return Status(Link(link), workers, guided, attaches, last_error or "".join(_refused[-1:]),
                  unwatched + len(_refused))


def pressure() -> Pressure:
    """How crowded the machine is."""
    return Pressure(*_core.pressure())


def stats() -> Stats:
    """The calling thread's counts."""
    return Stats(*_core.stats())


def mode() -> Mode:
    """The calling thread's mode, decided anew by this call."""
    return Mode(_core.mode())
