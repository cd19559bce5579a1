# SPDX-License-Identifier: GPL-2.0-only
"""The subjects that are measured: each with the Debian packages that it needs beside the project's
own, how it is built, and which measures it does not play, and why."""
from dataclasses import dataclass, field

NO_SAFE_POINT = "has no conditional safe point"
_NO_SAFE_POINTS = {"checkpoint": NO_SAFE_POINT, "checkpoint-loop": NO_SAFE_POINT}


@dataclass(frozen=True)
class Subject:
    name: str
    title: str
    build: str  # meson, cargo, go or script
    packages: tuple = ()
    left_out: dict = field(default_factory=dict)  # "MEASURE" or "MEASURE VARIANT": the reason

    def left_out_of(self, measure, variant):
        """What it does not play of this, and why; None if it plays it."""
        return next((f"{what}: {self.left_out[what]}" for what in (measure, f"{measure} {variant}")
                     if what in self.left_out), None)


def subjects(debian):
    """All subjects, with the packages of this release of Debian."""
    fiber = "libboost-fiber1.81-dev" if debian == 12 else "libboost-fiber-dev"
    waits = "its tasks do not wait"
    one = "is measured on one thread only"
    return [
        Subject("floor", "hand-written code that does only the measured step", "meson",
                left_out={"spawn-join 2": one, "fork-join 2": one,
                          "hog no-safe-points": "its hog has a thread of its own"}),
        Subject("morpheus", "Morpheus", "meson"),
        Subject("asio", "Boost.Asio, awaitable coroutines", "meson", left_out=_NO_SAFE_POINTS),
        Subject("fiber", "Boost.Fiber", "meson", (fiber,), _NO_SAFE_POINTS),
        Subject("tbb", "oneTBB, task groups", "meson", ("libtbb-dev",),
                {**_NO_SAFE_POINTS, **{m: waits for m in ("yield", "ping-pong", "timers", "memory", "hog")}}),
        Subject("tokio", "Tokio", "cargo", ("librust-tokio-dev", "cargo", "rustc"),
                {"checkpoint plain": "consume_budget() is for async functions only",
                 "checkpoint-loop plain": "consume_budget() is for async functions only"}),
        Subject("go", "Go", "go", ("golang-go",), _NO_SAFE_POINTS),
        Subject("asyncio", "Python's asyncio", "script",
                left_out={**_NO_SAFE_POINTS, "spawn-join 2": "one thread runs at a time",
                          "fork-join 2": "one thread runs at a time", "scaling": "one thread runs at a time"}),
    ]
