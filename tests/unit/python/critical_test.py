# SPDX-License-Identifier: GPL-2.0-only
"""Critical sections, by the depth that the kernel sees."""
import asyncio
import gc
import threading

import pytest

import morpheus
from morpheus import critical, critical_depth


@pytest.fixture(autouse=True)
def attached(detached):
    morpheus.attach()
    yield
    assert critical_depth() == 0


def test_sections_nest():
    with critical():
        assert critical_depth() == 1
        with critical():
            assert critical_depth() == 2
        assert critical_depth() == 1
    assert critical_depth() == 0


def test_one_section_may_be_entered_again():
    section = critical()
    with section, section:
        assert critical_depth() == 2
    with section:
        assert critical_depth() == 1


def test_an_exception_leaves_the_section():
    with pytest.raises(KeyError):
        with critical():
            raise KeyError
    assert critical_depth() == 0


def test_leaving_what_was_not_entered_is_refused():
    with pytest.raises(RuntimeError, match="not entered"):
        critical().__exit__(None, None, None)


def test_a_section_that_is_dropped_does_not_leave_the_thread_critical():
    section = critical()
    section.__enter__()
    assert critical_depth() == 1
    del section
    gc.collect()
    assert critical_depth() == 0


def test_a_section_can_be_left_on_its_own_thread_only():
    section = critical()
    section.__enter__()
    refused = []

    def body():
        with morpheus.registered():
            for call in (section.__enter__, lambda: section.__exit__(None, None, None)):
                try:
                    call()
                except RuntimeError as error:
                    refused.append(str(error))
            refused.append(critical_depth())

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert refused[2] == 0 and "another thread" in refused[0] and "on the thread that entered it" in refused[1]
    assert critical_depth() == 1
    section.__exit__(None, None, None)


def test_a_thread_cannot_unregister_inside():
    with critical():
        with pytest.raises(morpheus.MorpheusError, match="MORPHEUS_ERR_CRITICAL"):
            morpheus.unregister()


def test_generators_that_hold_sections_may_end_in_any_order():
    def holder():
        with critical():
            yield critical_depth()

    first, second = holder(), holder()
    assert (next(first), next(second)) == (1, 2)
    first.close()
    assert critical_depth() == 1
    second.close()


async def _held(section, depths, rounds=3):
    async with section:
        for _ in range(rounds):
            depths.append(critical_depth())
            await asyncio.sleep(0)
        depths.append(critical_depth())


def test_an_async_section_does_not_span_a_suspension(loop_factory):
    async def main():
        inside, others = [], []

        async def other():
            for _ in range(8):
                others.append(critical_depth())
                await asyncio.sleep(0)

        await asyncio.gather(_held(critical(), inside), other())
        return inside, others, critical_depth()

    inside, others, after = morpheus.run(main(), loop_factory=loop_factory)
    assert inside == [1, 1, 1, 1]
    assert set(others) == {0}
    assert after == 0


def test_async_sections_of_several_tasks_nest_each_for_itself(loop_factory):
    async def nested(depths):
        async with critical():
            await _held(critical(), depths)
            depths.append(critical_depth())

    async def main():
        depths = [[], []]
        await asyncio.gather(nested(depths[0]), nested(depths[1]), asyncio.sleep(0.01))
        return depths

    for depths in morpheus.run(main(), loop_factory=loop_factory):
        assert depths == [2, 2, 2, 2, 1]


def test_an_async_section_survives_a_long_sleep_and_a_cancellation(loop_factory):
    async def sleeper(depths):
        async with critical():
            try:
                await asyncio.sleep(3600)
            finally:
                depths.append(critical_depth())

    async def main():
        depths = []
        task = asyncio.ensure_future(sleeper(depths))
        await asyncio.sleep(0.01)
        depths.append(critical_depth())
        task.cancel()
        await asyncio.wait([task])
        return depths

    assert morpheus.run(main(), loop_factory=loop_factory) == [0, 1]


def test_an_async_section_works_on_a_loop_that_was_not_instrumented(loop_factory):
    async def main():
        inside, others = [], []

        async def other():
            await asyncio.sleep(0)
            others.append(critical_depth())

        await asyncio.gather(_held(critical(), inside, rounds=5), other())
        await asyncio.sleep(0)
        return inside, critical_depth()

    loop = loop_factory()
    try:
        inside, after = loop.run_until_complete(main())
    finally:
        loop.close()
    assert inside[0] == 1 and after == 0


def test_a_sync_section_in_a_coroutine_spans_suspensions_by_choice():
    async def main():
        with critical():
            await asyncio.sleep(0)
            return critical_depth()

    assert morpheus.run(main()) == 1
