# SPDX-License-Identifier: GPL-2.0-only
"""morpheus.run() and its loops behave as asyncio's own."""
import asyncio
import contextvars
import gc
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


def test_a_loop_runs_unguided_where_its_thread_cannot_be_registered(loop_factory, caplog):
    morpheus.attach(max_workers=1)  # this thread is the one
    results = []
    thread = threading.Thread(target=lambda: results.append(morpheus.run(_turns(3), loop_factory=loop_factory)))
    thread.start()
    thread.join()
    assert results == [None]
    assert "MORPHEUS_ERR_LIMIT" in caplog.text and "unguided" in caplog.text


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
