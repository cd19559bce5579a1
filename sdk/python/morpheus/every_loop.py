# SPDX-License-Identifier: GPL-2.0-only
"""For python -m morpheus: every loop that begins to run in this process has safe points.

Every loop calls asyncio._set_running_loop() when it begins to run, and when it ends. Loops of other
makes look it up when they are imported, so it is replaced as soon as asyncio.events is there; the
program imports that, or not.
"""
import importlib.abc
import importlib.machinery
import sys
import types
from typing import TYPE_CHECKING, Any, Optional, Sequence, Union

if TYPE_CHECKING:
    import asyncio

    from .blame import Blame

_EVENTS = "asyncio.events"


def _replace(events: Any, option: Union[None, bool, float]) -> None:
    set_running = events._set_running_loop
    running = events._get_running_loop
    blame: Optional["Blame"] = None

    def set_running_loop(loop: Optional["asyncio.AbstractEventLoop"]) -> None:
        nonlocal blame
        from .loop import blame_from, loop_begins_or_ends

        before = running()
        set_running(loop)
        if blame is None:
            blame = blame_from(option)
        loop_begins_or_ends(before, loop, blame)

    events._set_running_loop = set_running_loop


class _EventsFinder(importlib.abc.MetaPathFinder):
    """Finds asyncio.events as the interpreter does, once."""

    def __init__(self, option: Union[None, bool, float]) -> None:
        self._option = option

    def find_spec(
        self, name: str, path: Optional[Sequence[str]], target: Optional[types.ModuleType] = None
    ) -> Optional[importlib.machinery.ModuleSpec]:
        if name != _EVENTS:
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is not None and spec.loader is not None:
            self._replace_after(spec.loader)
        return spec

    def _replace_after(self, loader: Any) -> None:
        exec_module = loader.exec_module

        def exec_and_replace(module: types.ModuleType) -> None:
            exec_module(module)
            if module.__name__ == _EVENTS:
                _replace(module, self._option)

        loader.exec_module = exec_and_replace


def watch(option: Union[None, bool, float]) -> None:
    """From now on, each with this blame: see morpheus.run()."""
    if _EVENTS in sys.modules:
        _replace(sys.modules[_EVENTS], option)
    else:
        sys.meta_path.insert(0, _EventsFinder(option))
