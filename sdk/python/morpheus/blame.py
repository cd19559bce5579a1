# SPDX-License-Identifier: GPL-2.0-only
"""Which callbacks block an event loop, and which were only kept from the CPU.

The time of a slow callback is split three ways: on a CPU; preempted, which means runnable while
other threads had the CPU; and blocked, waiting for something (such as the interpreter lock). A
callback that would have been fast enough without the preemption is not to blame.
"""
import _thread
import collections
import dataclasses
import functools
import inspect
import logging
import os
import sys
import threading
import time
import types
import weakref
from typing import Any, Callable, Counter, Dict, List, Optional, Set, Tuple

from . import _core

ON_CPU, PREEMPTED, BLOCKED = "on-cpu", "preempted", "blocked"
VERDICTS = (ON_CPU, PREEMPTED, BLOCKED)
MOST_OFFENDERS = 256  # names that are counted one by one
MOST_SAMPLES = 64  # of one callback
_LOOP_FILE = os.path.join(os.path.dirname(__file__), "loop.py")
_LOGGER = logging.getLogger("morpheus.blame")

Location = Tuple[str, int, str]  # file, line, function


@dataclasses.dataclass(frozen=True)
class SlowCallback:
    """One callback that took longer than the threshold. Times in seconds."""

    name: str
    """what ran: the task's coroutine, or the function, and where it is defined"""
    thread: str
    threshold: float
    wall: float
    on_cpu: float
    preempted: Optional[float]
    """runnable without a CPU; None if the kernel does not say, and then `blocked` includes it"""
    blocked: float
    stack: Tuple[Location, ...]
    """where it spent most of the verdict's time, outermost first; empty if it was not seen"""

    @property
    def own(self) -> float:
        """What it would have taken with a CPU to itself."""
        return self.wall - (self.preempted or 0.0)

    @property
    def is_to_blame(self) -> bool:
        return self.own >= self.threshold

    @property
    def verdict(self) -> str:
        """"preempted" if it is not to blame, else which of "on-cpu" and "blocked" took longer."""
        if not self.is_to_blame:
            return PREEMPTED
        return ON_CPU if self.on_cpu >= self.blocked else BLOCKED

    def __str__(self) -> str:
        preempted = "unknown" if self.preempted is None else f"{self.preempted * 1e3:.1f} ms"
        text = (
            f"{self.name} took {self.wall * 1e3:.1f} ms: {self.on_cpu * 1e3:.1f} ms on the CPU, "
            f"{preempted} preempted, {self.blocked * 1e3:.1f} ms blocked"
        )
        if not self.is_to_blame:
            return text + "; it is not to blame"
        frames = "".join(f'\n  File "{file}", line {line}, in {function}' for file, line, function in self.stack)
        return text + frames


def _describe_code(target: Any) -> str:
    while isinstance(target, functools.partial):
        target = target.func
    name = getattr(target, "__qualname__", None) or getattr(target, "__name__", None) or type(target).__qualname__
    code = getattr(target, "cr_code", None) or getattr(target, "gi_code", None)
    code = code or getattr(inspect.unwrap(target) if callable(target) else target, "__code__", None)
    return f"{name} ({code.co_filename}:{code.co_firstlineno})" if isinstance(code, types.CodeType) else name


def task_of(handle: Any) -> Any:
    """The task of which a handle of asyncio, or a callback, is a step; or None."""
    owner: Any = getattr(getattr(handle, "_callback", handle), "__self__", None)
    return owner if hasattr(owner, "get_coro") and hasattr(owner, "get_name") else None


def describe_task(task: Any) -> str:
    return f"task {task.get_name()}: {_describe_code(task.get_coro())}"


def describe(handle: Any) -> str:
    """What a handle of asyncio, or a callback, runs."""
    task = task_of(handle)
    return _describe_code(getattr(handle, "_callback", handle)) if task is None else describe_task(task)


def _is_loops_own(frame: types.FrameType) -> bool:
    name = frame.f_code.co_filename
    return name.endswith(("asyncio/events.py", "asyncio/base_events.py")) or name == _LOOP_FILE


def _stack_of(thread: int) -> Tuple[Location, ...]:
    """Where a thread is, outermost first, from the loop's call of the callback on."""
    frame = sys._current_frames().get(thread)
    stack: List[Location] = []
    while frame is not None and not _is_loops_own(frame):
        stack.append((frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name))
        frame = frame.f_back
    return tuple(reversed(stack))


def _start_thread(function: Callable[..., None], arguments: Tuple[Any, ...]) -> None:
    """A thread of the system that threading does not know: the program finds only its own there."""
    gevent = sys.modules.get("gevent.monkey")
    start = gevent.get_original("_thread", "start_new_thread") if gevent else _thread.start_new_thread
    start(function, arguments)


class _Samples:
    """Where one callback was seen, weighted by the time that it spent there."""

    def __init__(self, began_ns: int) -> None:
        self.began_ns = began_ns
        self.on_cpu: Counter[Tuple[Location, ...]] = collections.Counter()
        self.blocked: Counter[Tuple[Location, ...]] = collections.Counter()

    def heaviest(self, verdict: str) -> Tuple[Location, ...]:
        weights = {ON_CPU: self.on_cpu, BLOCKED: self.blocked}.get(verdict)
        return weights.most_common(1)[0][0] if weights else ()


class Watch:
    """One loop's slow callbacks: the samples of a watcher thread, and the report of each."""

    def __init__(self, blame: "Blame", safe_points: _core.SafePoints) -> None:
        self._blame = blame
        self._safe_points = safe_points
        self._samples = _Samples(0)
        self._is_running = False
        self._callbacks_before = 0
        safe_points.watch(blame.threshold, self._report)

    def start(self) -> None:
        """On the loop's thread."""
        self._callbacks_before = self._safe_points.callbacks
        self._blame.begin(self)
        self._is_running = True
        thread = self._safe_points.start_watching()
        try:
            _start_thread(self._watch, (thread,))
        except RuntimeError as error:  # of the system: too many threads
            self._safe_points.leave_watch()
            _LOGGER.warning("%s; slow callbacks are reported without their place", error)

    def stop(self) -> None:
        """On the loop's thread. In a forked child there is no watcher."""
        self._safe_points.stop_watching()
        if self._is_running:
            self._is_running = False
            self._blame.end(self)

    def _watch(self, thread: int) -> None:
        try:
            while self._safe_points.await_slow():
                self._sample(thread)
        finally:
            self._safe_points.leave_watch()

    def _sample(self, thread: int) -> None:
        """Follows the callback that runs until it ends."""
        running_since, pause = self._safe_points.running_since, self._safe_points.pause
        began = running_since()
        samples = self._samples = _Samples(began)
        clock = time.pthread_getcpuclockid(thread)
        cpu, wall = time.clock_gettime_ns(clock), time.monotonic_ns()
        period = self._blame.threshold / 16
        while began and running_since() == began and pause(period):
            stack = _stack_of(thread)
            cpu_now, wall_now = time.clock_gettime_ns(clock), time.monotonic_ns()
            if running_since() != began:
                break
            samples.on_cpu[stack] += cpu_now - cpu
            samples.blocked[stack] += max(wall_now - wall - (cpu_now - cpu), 0)
            cpu, wall = cpu_now, wall_now
            if len(samples.on_cpu) < MOST_SAMPLES:
                period = min(period * 1.25, 1.0)

    def _report(
        self, handle: Any, start_ns: int, wall: int, on_cpu: int, preempted: int, blocked: int, is_known: bool
    ) -> None:
        """On the loop's thread, after the callback."""
        slow = SlowCallback(
            name=describe(handle),
            thread=threading.current_thread().name,
            threshold=self._blame.threshold,
            wall=wall / 1e9,
            on_cpu=on_cpu / 1e9,
            preempted=preempted / 1e9 if is_known else None,
            blocked=blocked / 1e9,
            stack=(),
        )
        samples = self._samples
        if samples.began_ns == start_ns:
            slow = dataclasses.replace(slow, stack=samples.heaviest(slow.verdict))
        self._blame.note(slow, handle)

    @property
    def callbacks(self) -> int:
        """Since start()."""
        return self._safe_points.callbacks - self._callbacks_before


class Blame:
    """Watches the slow callbacks of one or more loops.

        morpheus.run(main(), blame=Blame(threshold=0.05))

    threshold: seconds from which a callback is slow; default 0.1.
    on_slow: called with each SlowCallback, on the loop's thread; keep it short.

    Each is also logged by the logger "morpheus.blame": as a warning, with the place in the code, if
    it is to blame; at level INFO if it was only preempted. metrics() counts them all. Any thread
    may read metrics.
    """

    def __init__(self, threshold: float = 0.1, *, on_slow: Optional[Callable[[SlowCallback], Any]] = None) -> None:
        if not 1e-4 <= threshold <= 3600:
            raise ValueError("the threshold must be 0.0001 to 3600 seconds")
        self.threshold = float(threshold)
        self._on_slow = on_slow
        self._lock = threading.Lock()
        self._running: Set[Watch] = set()
        self._callbacks = 0  # of loops that do not run any more
        self._slow: Counter[str] = collections.Counter()
        self._seconds: Dict[str, float] = dict.fromkeys(VERDICTS, 0.0)
        self._offenders: Counter[str] = collections.Counter()
        _blames.add(self)

    def forget_parent(self) -> None:
        """In a forked child: the thread that held the lock may not exist there."""
        self._lock = threading.Lock()

    def begin(self, watch: Watch) -> None:
        """A loop begins to run."""
        with self._lock:
            self._running.add(watch)

    def end(self, watch: Watch) -> None:
        """A loop ends to run: its count stays, the loop does not."""
        with self._lock:
            self._running.discard(watch)
            self._callbacks += watch.callbacks

    def note(self, slow: SlowCallback, handle: Any = None) -> None:
        """Counts, logs and hands on one slow callback, which was the loop's handle."""
        with self._lock:
            self._slow[slow.verdict] += 1
            self._seconds[ON_CPU] += slow.on_cpu
            self._seconds[PREEMPTED] += slow.preempted or 0.0
            self._seconds[BLOCKED] += slow.blocked
            if slow.is_to_blame and (slow.name in self._offenders or len(self._offenders) < MOST_OFFENDERS):
                self._offenders[slow.name] += 1
        level = logging.WARNING if slow.is_to_blame else logging.INFO
        _LOGGER.log(level, "%s", slow, extra={"slow_callback": slow})
        if self._on_slow is None:
            return
        try:
            self._on_slow(slow)
        except Exception:  # the loop must go on
            _LOGGER.exception("on_slow failed")

    def metrics(self) -> Dict[str, Any]:
        """Counts since the beginning:

        callbacks: all that ran; slow: how many of each verdict; seconds: of slow callbacks, by
        where they went;
        offenders: those to blame, by name, the most frequent first.
        """
        with self._lock:
            return {
                "callbacks": self._callbacks + sum(watch.callbacks for watch in self._running),
                "slow": {verdict: self._slow[verdict] for verdict in VERDICTS},
                "seconds": dict(self._seconds),
                "offenders": dict(self._offenders.most_common()),
            }

    def metrics_text(self) -> str:
        """The same in the text format of Prometheus, without the offenders."""
        now = self.metrics()
        lines = [
            "# HELP morpheus_callbacks_total Callbacks that the watched loops ran.",
            "# TYPE morpheus_callbacks_total counter",
            f"morpheus_callbacks_total {now['callbacks']}",
            "# HELP morpheus_slow_callbacks_total Slow callbacks, by what made them slow.",
            "# TYPE morpheus_slow_callbacks_total counter",
            *(f'morpheus_slow_callbacks_total{{verdict="{v}"}} {now["slow"][v]}' for v in VERDICTS),
            "# HELP morpheus_slow_callback_seconds_total Time of slow callbacks, by where it went.",
            "# TYPE morpheus_slow_callback_seconds_total counter",
            *(f'morpheus_slow_callback_seconds_total{{where="{v}"}} {now["seconds"][v]:.9f}' for v in VERDICTS),
        ]
        return "\n".join(lines) + "\n"


_blames: "weakref.WeakSet[Blame]" = weakref.WeakSet()


def _forget_parent() -> None:
    for blame in _blames:
        blame.forget_parent()


os.register_at_fork(after_in_child=_forget_parent)
