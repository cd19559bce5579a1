# SPDX-License-Identifier: GPL-2.0-only
"""async with critical(): what _core calls.

A critical section belongs to a thread, but a task shares its thread with others. So the section
covers the steps of the task that holds it: whenever the task is suspended, the loop's safe point
takes the section off the thread, and when the task goes on, puts it back. The loop must be
instrumented for that; here it is, if it was not.
"""
import asyncio

from . import _core
from .loop import safe_points_of


async def enter(section: _core.critical) -> _core.critical:
    task = asyncio.current_task()
    safe_points = safe_points_of(asyncio.get_running_loop())
    if not safe_points.is_in_step_of(task):
        # An eager task begins in a step of the task that made it, which is not to share the section.
        await asyncio.sleep(0)
    section.__enter__()
    safe_points.hold((section, task))
    return section


async def leave(section: _core.critical) -> bool:
    return section.__exit__(None, None, None)
