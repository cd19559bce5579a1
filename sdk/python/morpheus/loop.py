# SPDX-License-Identifier: GPL-2.0-only
"""asyncio with safe points between callbacks.

A loop of asyncio takes each callback that is due from a deque: the deque is replaced by one whose
popleft() first takes a safe point. Any other loop (uvloop) has no such place, so its callbacks are
scheduled through a function that takes a safe point before and after each. What such a loop calls
without scheduling it (the protocols of its transports) has no safe point of its own, but the
callbacks that this schedules do.
"""
import asyncio
import collections
import functools
import sys
from typing import Any, Callable, Coroutine, Deque, Optional, TypeVar, Union

from . import _core, worker
from .blame import Blame, Watch

T = TypeVar("T")
BlameOption = Union[None, bool, float, Blame]
LoopFactory = Callable[[], asyncio.AbstractEventLoop]

# where the loop stores its Instrument
_ATTRIBUTE = "_morpheus_instrument"


class _ReadyQueue(Deque[Any]):
    # a slot of the instance, so that the loop's call finds the C function without a Python frame
    # between
    __slots__ = ("popleft",)


class Instrument:
    """What gives one loop its safe points."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.safe_points = _core.SafePoints()
        self._watch: Optional[Watch] = None
        self._depth = 0  # run_forever() of a program under python -m morpheus enters twice
        self._registration = worker.registered()
        is_asyncios = isinstance(loop, asyncio.BaseEventLoop) and "_run_once" not in vars(loop)
        if is_asyncios and isinstance(getattr(loop, "_ready", None), collections.deque):
            self._take_ready_queue(loop)
        else:
            self._wrap_scheduling(loop)
        # by the loop's type, each time: there nest_asyncio puts another one
        run_forever = vars(loop).get("run_forever") or (lambda: type(loop).run_forever(loop))

        def run_forever_as_worker() -> None:
            self.enter()
            try:
                run_forever()
            finally:
                self.leave()

        loop.run_forever = run_forever_as_worker  # type: ignore[assignment]

    def _take_ready_queue(self, loop: Any) -> None:
        theirs = loop._ready
        ready = _ReadyQueue(theirs)
        copied = len(ready)
        self.safe_points.bind(collections.deque.popleft.__get__(ready), loop)
        ready.popleft = self.safe_points.popleft  # type: ignore[assignment]
        loop._ready = ready
        # The loop may run already, and another thread have scheduled something meanwhile.
        ready.extend(list(theirs)[copied:])
        loop._run_once = self.safe_points.run_once

    def _wrap_scheduling(self, loop: Any) -> None:
        call = self.safe_points.call

        def timed(schedule: Callable[..., Any]) -> Callable[..., Any]:
            return lambda when, callback, *args, **kwargs: schedule(when, call, callback, *args, **kwargs)

        for name in ("call_soon", "call_soon_threadsafe"):
            setattr(loop, name, functools.partial(getattr(loop, name), call))
        for name in ("call_later", "call_at"):
            setattr(loop, name, timed(getattr(loop, name)))

    def set_blame(self, blame: Blame) -> None:
        if self._watch is not None:
            raise RuntimeError("this loop's slow callbacks are watched already")
        self._watch = Watch(blame, self.safe_points)

    def enter(self) -> None:
        """On the loop's thread, when it begins to run."""
        self._depth += 1
        if self._depth == 1:
            self._registration.__enter__()
            if self._watch is not None:
                self._watch.start()

    def leave(self) -> None:
        self._depth -= 1
        if self._depth == 0:
            if self._watch is not None:
                self._watch.stop()
            self._registration.__exit__(None, None, None)


def _instrument_of(loop: asyncio.AbstractEventLoop) -> Instrument:
    instrument = getattr(loop, _ATTRIBUTE, None)
    if instrument is None:
        instrument = Instrument(loop)
        setattr(loop, _ATTRIBUTE, instrument)
    return instrument


def safe_points_of(loop: asyncio.AbstractEventLoop) -> _core.SafePoints:
    """The loop's safe points; instruments it if it is not."""
    return _instrument_of(loop).safe_points


def blame_from(option: BlameOption) -> Optional[Blame]:
    if option is None or option is False:
        return None
    if isinstance(option, Blame):
        return option
    return Blame() if option is True else Blame(threshold=option)


def instrument(loop: asyncio.AbstractEventLoop, *, blame: BlameOption = None) -> asyncio.AbstractEventLoop:
    """Gives a loop that does not run yet its safe points, and returns it.

    While it runs, its thread is a worker (see register()). blame: see run(). Doing it again changes
    nothing. Works with the loops of asyncio and with others that schedule callbacks through
    call_soon(), call_later() and call_at() of the loop object, such as uvloop's.
    """
    watched = blame_from(blame)
    own = _instrument_of(loop)
    if watched is not None:
        own.set_blame(watched)
    return loop


def new_event_loop(*, blame: BlameOption = None) -> asyncio.AbstractEventLoop:
    """A new loop of the default kind with safe points, for asyncio.Runner and the like."""
    return instrument(asyncio.new_event_loop(), blame=blame)


class _OneLoopPolicy(asyncio.DefaultEventLoopPolicy if sys.version_info < (3, 11) else object):  # type: ignore[misc]
    """For the asyncio.run() of Python 3.9 and 3.10, which takes no factory."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self.new_event_loop = lambda: loop


def _run_by_policy(main: Coroutine[Any, Any, T], debug: Optional[bool], loop: asyncio.AbstractEventLoop) -> T:
    before = asyncio.get_event_loop_policy()
    asyncio.set_event_loop_policy(_OneLoopPolicy(loop))
    try:
        return asyncio.run(main, debug=debug)
    finally:
        asyncio.set_event_loop_policy(before)


def run(
    main: Coroutine[Any, Any, T],
    *,
    debug: Optional[bool] = None,
    loop_factory: Optional[LoopFactory] = None,
    blame: BlameOption = None,
) -> T:
    """asyncio.run() with safe points between callbacks, where it gives up its CPU on a hint.

    The process is attached if it is not. loop_factory: for example uvloop.new_event_loop.
    blame: watches slow callbacks: True: over 0.1 s; a number: over so many seconds; or a Blame.
    """
    def factory() -> asyncio.AbstractEventLoop:
        return instrument((loop_factory or asyncio.new_event_loop)(), blame=blame)

    if asyncio._get_running_loop() is not None:
        main.close()
        raise RuntimeError("morpheus.run() cannot be called from a running event loop")
    if sys.version_info < (3, 11):
        return _run_by_policy(main, debug, factory())
    with asyncio.Runner(debug=debug, loop_factory=factory) as runner:
        return runner.run(main)


def loop_begins_or_ends(before: Optional[asyncio.AbstractEventLoop], now: Optional[asyncio.AbstractEventLoop],
                        blame: Optional[Blame]) -> None:
    """For python -m morpheus: on the calling thread `now` runs, and not `before` any more."""
    if before is now:
        return
    if before is not None:
        _instrument_of(before).leave()
    if now is not None:
        own = _instrument_of(now)
        if blame is not None and own._watch is None:
            own.set_blame(blame)
        own.enter()
