# SPDX-License-Identifier: GPL-2.0-only
"""morpheus.run() and its loops behave as asyncio's own."""
import asyncio
import contextvars
import gc
import subprocess
import sys
import threading
import weakref

import pytest

import morpheus
from morpheus.loop import safe_points_of


def test_run_returns_the_result_and_attaches(loop_factory):
    async def main():
        await asyncio.sleep(0.001)
        return morpheus.is_registered(), morpheus.status().link

    assert morpheus.run(main(), loop_factory=loop_factory) == (True, morpheus.Link.WAITING)
    assert not morpheus.is_registered()


def test_run_hands_on_exceptions_and_cancels_what_is_left(loop_factory):
    ended = []

    async def left():
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(True)

    async def main():
        asyncio.ensure_future(left())
        await asyncio.sleep(0)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        morpheus.run(main(), loop_factory=loop_factory)
    assert ended == [True]


def test_run_is_refused_inside_a_running_loop():
    async def inner():
        pass

    async def main():
        morpheus.run(inner())

    with pytest.raises(RuntimeError, match="running event loop"):
        morpheus.run(main())


def test_callbacks_keep_their_order_arguments_and_context(loop_factory):
    variable = contextvars.ContextVar("variable")
    seen, timed = [], []

    async def main():
        loop = asyncio.get_running_loop()
        context = contextvars.copy_context()
        context.run(variable.set, "theirs")
        loop.call_soon(seen.append, 1)
        loop.call_soon(lambda a, b: seen.append((a, b)), 2, 3)
        loop.call_soon(lambda: seen.append(variable.get(None)), context=context)
        loop.call_later(0.002, timed.append, "later")
        loop.call_at(loop.time() + 0.001, timed.append, "at")
        loop.call_soon(seen.append, "cancelled").cancel()
        threading.Thread(target=lambda: loop.call_soon_threadsafe(timed.append, "threadsafe")).start()
        while len(timed) < 3:
            await asyncio.sleep(0.001)

    morpheus.run(main(), loop_factory=loop_factory)
    assert seen == [1, (2, 3), "theirs"]
    assert sorted(timed) == ["at", "later", "threadsafe"]


def test_errors_of_callbacks_reach_the_loops_handler(loop_factory):
    reported = []

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: reported.append(context["exception"]))
        loop.call_soon(lambda: 1 / 0)
        await asyncio.sleep(0.01)

    morpheus.run(main(), loop_factory=loop_factory)
    assert [type(error) for error in reported] == [ZeroDivisionError]


def test_io_works(loop_factory):
    async def main():
        async def serve(reader, writer):
            writer.write((await reader.readline()).upper())
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"hello\n")
        answer = await reader.readline()
        writer.close()
        server.close()
        in_thread = await asyncio.get_running_loop().run_in_executor(None, lambda: 42)
        return answer, in_thread

    assert morpheus.run(main(), loop_factory=loop_factory) == (b"HELLO\n", 42)


def test_a_loop_is_instrumented_once_and_counts_callbacks(loop_factory):
    loop = morpheus.instrument(morpheus.instrument(loop_factory()))
    try:
        loop.run_until_complete(asyncio.sleep(0))
        before = safe_points_of(loop).callbacks
        loop.run_until_complete(_turns(100))
        assert 100 <= safe_points_of(loop).callbacks - before <= 110
    finally:
        loop.close()


async def _turns(count):
    for _ in range(count):
        await asyncio.sleep(0)


def test_a_loop_may_run_on_several_threads_in_turn(loop_factory):
    morpheus.attach(register=False)
    loop = morpheus.instrument(loop_factory(), blame=0.05)
    errors = []

    def body():
        try:
            loop.run_until_complete(_turns(10))
        except BaseException as error:
            errors.append(error)

    for _ in range(3):
        thread = threading.Thread(target=body)
        thread.start()
        thread.join()
    loop.close()
    assert errors == []
    assert morpheus.status().workers == 0


def test_debug_mode_works(loop_factory):
    async def main():
        await asyncio.sleep(0)
        return asyncio.get_running_loop().get_debug()

    assert morpheus.run(main(), debug=True, loop_factory=loop_factory) is True


def test_acheckpoint_without_a_hint_does_not_suspend(loop_factory):
    async def main():
        ran = []
        asyncio.get_running_loop().call_soon(ran.append, 1)
        values = {await morpheus.acheckpoint() for _ in range(1000)}
        return values, list(ran)

    assert morpheus.run(main(), loop_factory=loop_factory) == ({None}, [])


def test_callbacks_are_freed_when_they_have_run(loop_factory):
    class Callback:
        def __call__(self):
            pass

    async def main():
        callback = Callback()
        gone = weakref.ref(callback)
        asyncio.get_running_loop().call_soon(callback)
        del callback
        await asyncio.sleep(0.001)
        return gone() is None

    assert morpheus.run(main(), loop_factory=loop_factory, blame=0.0001)


def test_a_loop_with_safe_points_is_freed():
    loop = morpheus.new_event_loop()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    gone = weakref.ref(loop)
    del loop
    gc.collect()
    assert gone() is None


def test_a_task_that_ends_with_its_loop_inside_a_section_disturbs_nothing(loop_factory):
    async def background():
        with morpheus.critical():
            await asyncio.sleep(3600)

    async def main(error=None):
        asyncio.ensure_future(background())
        await asyncio.sleep(0)
        assert morpheus.critical_depth() == 1
        if error:
            raise error
        return 42

    assert morpheus.run(main(), loop_factory=loop_factory) == 42
    with pytest.raises(KeyError, match="mine"):
        morpheus.run(main(KeyError("mine")), loop_factory=loop_factory)
    assert morpheus.critical_depth() == 0 and not morpheus.is_registered()


def test_a_loop_that_stops_inside_a_section_keeps_its_thread_until_the_section_ends(loop_factory):
    section = morpheus.critical()

    async def enter():
        section.__enter__()

    loop = morpheus.instrument(loop_factory())
    loop.run_until_complete(enter())
    assert morpheus.is_registered() and morpheus.critical_depth() == 1
    section.__exit__(None, None, None)
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    assert not morpheus.is_registered()


def reenter(loop, until):
    """What nest_asyncio does for notebooks: runs the loop inside one of its callbacks."""
    while not until():
        loop._run_once()


def test_a_loop_that_is_run_inside_its_own_callback_goes_on():
    order, depths = [], []

    async def inner():
        for turn in range(3):
            order.append(turn)
            depths.append(morpheus.critical_depth())
            await asyncio.sleep(0)

    async def main():
        loop = asyncio.get_running_loop()
        async with morpheus.critical():
            task = loop.create_task(inner())
            me = asyncio.current_task()
            asyncio.tasks._leave_task(loop, me)
            reenter(loop, task.done)
            asyncio.tasks._enter_task(loop, me)
            order.append("outer")
            depths.append(morpheus.critical_depth())
        await asyncio.sleep(0)
        return morpheus.critical_depth()

    assert morpheus.run(main()) == 0
    assert order == [0, 1, 2, "outer"]
    assert depths == [0, 0, 0, 1]


NESTED = """
import asyncio
import morpheus
import nest_asyncio
loop = morpheus.instrument(asyncio.new_event_loop(), blame=0.05)
nest_asyncio.apply(loop)
asyncio.set_event_loop(loop)
async def inner(n):
    await asyncio.sleep(0.001)
    return n if n == 0 else n + loop.run_until_complete(inner(n - 1))
async def main():
    other = asyncio.ensure_future(inner(3))
    return loop.run_until_complete(inner(4)), await other
print(loop.run_until_complete(main()), morpheus.is_registered())
"""


@pytest.mark.parametrize("command", [[], ["-m", "morpheus"]])
def test_loops_of_nest_asyncio_nest(tmp_path, command):
    pytest.importorskip("nest_asyncio")
    (tmp_path / "nested.py").write_text(NESTED)
    done = subprocess.run([sys.executable, *command, "nested.py"], cwd=tmp_path, capture_output=True, text=True,
                          timeout=60)
    assert done.stdout == "(10, 6) False\n", done.stderr


@pytest.mark.skipif(not hasattr(asyncio, "eager_task_factory"), reason="since Python 3.12")
def test_an_eager_task_does_not_share_its_section_with_its_maker():
    async def eager(inside):
        async with morpheus.critical():
            inside.append(morpheus.critical_depth())
            await asyncio.sleep(0)

    async def main():
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        inside, depths = [], []
        await asyncio.sleep(0)
        task = asyncio.ensure_future(eager(inside))
        depths.append(morpheus.critical_depth())
        await task
        return inside, depths

    assert morpheus.run(main()) == ([1], [0])
