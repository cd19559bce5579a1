# SPDX-License-Identifier: GPL-2.0-only
"""What slow callbacks are blamed for, with real work, real sleep and real contention."""
import asyncio
import gc
import logging
import os
import subprocess
import sys
import time
import weakref

import pytest
from contention import HOG, burn, crowded_cpu

import morpheus
from morpheus import Blame
from morpheus.blame import VERDICTS

HOGS = 4


def slow_callbacks(callback, blame, loop_factory=None):
    async def main():
        await asyncio.sleep(0.01)
        callback()
        await asyncio.sleep(0)

    morpheus.run(main(), loop_factory=loop_factory, blame=blame)


def test_work_is_blamed_on_the_code_with_its_place(loop_factory, caplog):
    seen = []
    blame = Blame(0.1, on_slow=seen.append)
    slow_callbacks(lambda: burn(0.3), blame, loop_factory)
    [slow] = seen
    assert slow.verdict == "on-cpu" and slow.is_to_blame
    assert slow.on_cpu >= 0.28
    assert slow.wall == pytest.approx(slow.on_cpu + slow.preempted + slow.blocked)
    assert "slow_callbacks.<locals>.main" in slow.name and __file__ in slow.name
    functions = [function for _, _, function in slow.stack]
    assert functions[-1] == "burn" and "main" in functions
    [record] = [r for r in caplog.records if r.name == "morpheus.blame"]
    assert record.levelno == logging.WARNING and record.slow_callback is slow
    assert "in burn" in record.getMessage()


def test_sleep_is_blamed_as_blocked_with_its_place(loop_factory):
    seen = []
    slow_callbacks(lambda: time.sleep(0.3), Blame(0.1, on_slow=seen.append), loop_factory)
    [slow] = seen
    assert slow.verdict == "blocked"
    assert slow.blocked >= 0.25
    assert slow.stack[-1][2] == "<lambda>"


def test_each_callback_is_charged_for_its_own_time_only(loop_factory):
    seen = []

    async def main():
        loop = asyncio.get_running_loop()
        loop.call_soon(burn, 0.3)
        loop.call_soon(time.sleep, 0.3)
        await asyncio.sleep(0.01)

    morpheus.run(main(), loop_factory=loop_factory, blame=Blame(0.1, on_slow=seen.append))
    burned, slept = [slow for slow in seen if not slow.name.startswith("task")]
    assert (burned.verdict, slept.verdict) == ("on-cpu", "blocked")
    assert slept.on_cpu < 0.1 and burned.blocked < 0.1


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs a CPU beside the crowded one")
def test_contention_is_not_blamed_on_the_code(loop_factory, caplog):
    caplog.set_level(logging.INFO, "morpheus.blame")
    seen = []
    blame = Blame(0.2, on_slow=seen.append)
    with crowded_cpu(HOG, HOGS):
        # less than a third of the threshold of its own, and one fifth of the CPU
        for _ in range(20):
            slow_callbacks(lambda: burn(0.06), blame, loop_factory)
            if len(seen) >= 2:
                break
    assert seen, "the hogs did not slow it down"
    for slow in seen:
        assert slow.verdict == "preempted" and not slow.is_to_blame, str(slow)
        assert slow.preempted > slow.on_cpu + slow.blocked
        assert slow.wall >= 0.2
    records = [r for r in caplog.records if r.name == "morpheus.blame"]
    assert {r.levelno for r in records} == {logging.INFO}
    assert blame.metrics()["offenders"] == {}
    assert blame.metrics()["slow"] == {"on-cpu": 0, "preempted": len(seen), "blocked": 0}


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs a CPU beside the crowded one")
def test_work_is_blamed_on_the_code_under_contention_too():
    seen = []
    with crowded_cpu(HOG, HOGS):
        slow_callbacks(lambda: burn(0.3), Blame(0.15, on_slow=seen.append))
    [slow] = seen
    assert slow.is_to_blame and slow.verdict == "on-cpu"
    assert slow.stack and slow.stack[-1][2] == "burn"


def test_the_callback_in_which_a_watch_begins_is_not_timed():
    seen = []

    async def main():
        burn(0.15)
        await asyncio.sleep(0)
        morpheus.instrument(asyncio.get_running_loop(), blame=Blame(0.1, on_slow=seen.append))
        await asyncio.sleep(0)

    loop = morpheus.new_event_loop()
    loop.run_until_complete(main())
    loop.close()
    assert seen == []


def test_fast_callbacks_are_only_counted():
    seen = []
    blame = Blame(0.2, on_slow=seen.append)
    slow_callbacks(lambda: burn(0.001), blame)
    metrics = blame.metrics()
    assert seen == []
    assert metrics["callbacks"] >= 3
    assert set(metrics["slow"].values()) == {0}


def test_metrics_count_and_name_the_offenders():
    blame = Blame(0.02)

    async def main():
        loop = asyncio.get_running_loop()
        for _ in range(3):
            loop.call_soon(burn, 0.04)
            await asyncio.sleep(0.001)

    morpheus.run(main(), blame=blame)
    metrics = blame.metrics()
    [(name, count)] = [(n, c) for n, c in metrics["offenders"].items() if n.startswith("burn ")]
    assert count == 3
    assert metrics["seconds"]["on-cpu"] >= 0.11
    text = blame.metrics_text()
    assert f'morpheus_slow_callbacks_total{{verdict="on-cpu"}} {metrics["slow"]["on-cpu"]}' in text
    for line in text.splitlines():
        assert line.startswith("# ") or float(line.split(" ")[1]) >= 0
    assert all(f'"{verdict}"' in text for verdict in VERDICTS)


def test_an_error_in_the_hook_is_logged_and_disturbs_nothing(caplog):
    def hook(slow):
        raise ValueError("in the hook")

    slow_callbacks(lambda: burn(0.03), Blame(0.02, on_slow=hook))
    assert "in the hook" in caplog.text and "on_slow failed" in caplog.text


def test_one_blame_may_watch_several_runs_and_keeps_none_of_their_loops(loop_factory):
    blame, gone = Blame(0.02), []

    def factory():
        loop = loop_factory()
        gone.append(weakref.ref(loop))
        return loop

    for runs in (1, 2):
        slow_callbacks(lambda: burn(0.04), blame, factory)
        metrics = blame.metrics()
        assert sum(metrics["slow"].values()) >= runs and metrics["callbacks"] >= 3 * runs
    gc.collect()
    assert [loop() for loop in gone] == [None, None]


@pytest.mark.parametrize("threshold", [0, -1, 1e9, float("nan")])
def test_a_senseless_threshold_is_refused(threshold):
    with pytest.raises(ValueError):
        Blame(threshold)


def test_an_interrupt_in_the_report_reaches_the_program(loop_factory):
    def interrupt(slow):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        slow_callbacks(lambda: burn(0.03), Blame(0.02, on_slow=interrupt), loop_factory)


GEVENT = """
import sys
if "early" in sys.argv: import morpheus
import gevent.monkey
gevent.monkey.patch_all()
import asyncio, threading, time
import morpheus
seen = []
async def main():
    await asyncio.sleep(0.01)
    end = time.thread_time() + 0.3
    while time.thread_time() < end: pass
morpheus.run(main(), blame=morpheus.Blame(0.1, on_slow=seen.append))
print([slow.stack[-1][2] for slow in seen])
"""


@pytest.mark.parametrize("when", ["early", "late"])
def test_the_watcher_is_a_thread_where_gevent_has_made_greenlets_of_threads(tmp_path, when):
    pytest.importorskip("gevent")
    (tmp_path / "patched.py").write_text(GEVENT)
    done = subprocess.run([sys.executable, "patched.py", when], cwd=tmp_path, capture_output=True, text=True,
                          timeout=60)
    assert done.stdout == "['main']\n", done.stderr
