# SPDX-License-Identifier: GPL-2.0-only
"""A safe point for loops of many short turns."""
from typing import Iterable, Iterator, TypeVar

from . import _core

T = TypeVar("T")


class AdaptiveCheckpointer(_core.Adaptive):
    """Takes a safe point every so many turns of a loop: often under pressure, rarely without.

    tight: seconds between two safe points while mode() is not DETERMINISTIC; default 50 us.
    relaxed: seconds between them otherwise; default 1 ms. The first hint may wait for as long.

    It measures how long a turn takes and chooses the number of turns accordingly. It is used in one
    of two ways:

        check = AdaptiveCheckpointer()
        while work():
            check()                     # True if the CPU was given up

        for row in AdaptiveCheckpointer().over(rows):
            ...

    An object belongs to one loop, on one thread. turns, looks and yields show what it does.
    """

    __slots__ = ()

    def over(self, iterable: Iterable[T]) -> Iterator[T]:
        """The items of `iterable`, with a turn before each: a few nanoseconds an item."""
        return _core.over(self, iterable)
