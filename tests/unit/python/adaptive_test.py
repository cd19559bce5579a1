# SPDX-License-Identifier: GPL-2.0-only
"""AdaptiveCheckpointer without a hint."""
import time

import pytest

from morpheus import AdaptiveCheckpointer


def test_over_hands_on_every_item_and_every_error():
    assert list(AdaptiveCheckpointer().over(range(1000))) == list(range(1000))

    def broken():
        yield 1
        raise KeyError

    items = AdaptiveCheckpointer().over(broken())
    assert next(items) == 1
    with pytest.raises(KeyError):
        next(items)
    with pytest.raises(TypeError):
        AdaptiveCheckpointer().over(3)


def test_short_turns_are_looked_at_rarely():
    check = AdaptiveCheckpointer()
    for _ in range(200_000):
        assert check() is False
    assert check.yields == 0
    assert 1 < check.looks < 2_000
    assert check.turns > 100


def test_long_turns_are_looked_at_each():
    check = AdaptiveCheckpointer(tight=1e-6, relaxed=1e-5)
    for _ in range(20):
        check()
        time.sleep(0.001)
    assert check.turns == 1
    assert check.looks >= 19


@pytest.mark.parametrize("options", [{"tight": 0}, {"tight": 2e-3}, {"relaxed": 2}, {"tight": float("nan")}])
def test_senseless_times_are_refused(options):
    with pytest.raises(ValueError):
        AdaptiveCheckpointer(**options)


def test_calls_take_no_arguments():
    with pytest.raises(TypeError):
        AdaptiveCheckpointer()(1)
