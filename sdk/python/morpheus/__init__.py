# SPDX-License-Identifier: GPL-2.0-only
"""Lets the Linux kernel hint this program's threads to yield, through morpheusd.

    import morpheus

    morpheus.attach()               # this thread is a worker; harmless without a daemon
    for item in work:
        process(item)
        morpheus.checkpoint()       # the safe point: an empty call's cost until there is a hint

asyncio: morpheus.run(main()) has a safe point between every two callbacks, and can find out which
slow callbacks are slow by their own fault (blame=True). python -m morpheus [-m module | script]
does it for an unchanged program.
"""
from typing import TYPE_CHECKING, Any, List

from ._core import (
    MorpheusError,
    acheckpoint,
    acknowledge,
    budget_remaining,
    checkpoint,
    critical,
    critical_depth,
    is_registered,
    set_priority,
    yield_cpu,
)
from ._core import VERSION as __version__
from .adaptive import AdaptiveCheckpointer
from .worker import (
    Link,
    Mode,
    Policy,
    Pressure,
    Stats,
    Status,
    attach,
    detach,
    mode,
    pressure,
    register,
    registered,
    set_escapable,
    stats,
    status,
    unregister,
)

if TYPE_CHECKING:
    from .blame import Blame, SlowCallback
    from .loop import instrument, new_event_loop, run

__all__ = [
    "AdaptiveCheckpointer",
    "Blame",
    "Link",
    "Mode",
    "MorpheusError",
    "Policy",
    "Pressure",
    "SlowCallback",
    "Stats",
    "Status",
    "__version__",
    "acheckpoint",
    "acknowledge",
    "attach",
    "budget_remaining",
    "checkpoint",
    "critical",
    "critical_depth",
    "detach",
    "instrument",
    "is_registered",
    "mode",
    "new_event_loop",
    "pressure",
    "register",
    "registered",
    "run",
    "set_escapable",
    "set_priority",
    "stats",
    "status",
    "unregister",
    "yield_cpu",
]

# These import asyncio, and are imported when they are asked for: a program that makes no use of
# asyncio, or that changes other modules before it imports asyncio (gevent), is left alone.
_WITH_ASYNCIO = {
    "Blame": "blame",
    "SlowCallback": "blame",
    "instrument": "loop",
    "new_event_loop": "loop",
    "run": "loop",
}


def __getattr__(name: str) -> Any:
    if name not in _WITH_ASYNCIO:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(f".{_WITH_ASYNCIO[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> List[str]:
    return sorted({*globals(), *__all__})
