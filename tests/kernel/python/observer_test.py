# SPDX-License-Identifier: GPL-2.0-only
"""Python threads under real contention, hinted by real BPF programs in Observer mode."""
import asyncio
import os
import time

import pytest
from contention import HOG, WAKER, burn, crowded_cpu
from daemon_process import eventually

import morpheus
from morpheus import _core


def schedstat_wait_ns():
    with open("/proc/thread-self/schedstat", encoding="ascii") as file:
        return int(file.read().split()[1])


def test_a_loop_is_hinted_when_a_thread_waits_and_acknowledges(attached):
    async def busy():
        end = time.monotonic() + 1
        while time.monotonic() < end:
            burn(0.0001)
            await asyncio.sleep(0)

    with crowded_cpu(WAKER, 2):
        assert eventually(lambda: morpheus.run(busy()) or attached.workers(os.getpid())[0]["hints"] >= 20)
        [worker] = attached.workers(os.getpid())
    assert worker["hints"] >= 20
    assert worker["acknowledged"] + worker["withdrawn"] >= worker["hints"] / 2
    assert worker["escalations"] == 0 and not worker["escapable"]


def test_the_kernel_line_shows_the_same_wait_as_proc(attached):
    with crowded_cpu(HOG, 2):
        burn(0.05)  # it was switched away: the line is kept up to date
        line, proc = _core.guidance()[4], schedstat_wait_ns()
        burn(0.3)
        line, proc = _core.guidance()[4] - line, schedstat_wait_ns() - proc
    assert proc > 0.1e9
    assert line == pytest.approx(proc, rel=0.2)


def test_contention_is_not_blamed_on_the_code_by_the_kernel_lines_count(attached):
    seen = []

    async def main():
        burn(0.05)
        await asyncio.sleep(0)
        burn(0.06)
        await asyncio.sleep(0)

    with crowded_cpu(HOG, 4):
        for _ in range(20):
            morpheus.run(main(), blame=morpheus.Blame(0.2, on_slow=seen.append))
            if len(seen) >= 2:
                break
    assert seen, "the hogs did not slow it down"
    assert {slow.verdict for slow in seen} == {"preempted"}, "\n".join(map(str, seen))
