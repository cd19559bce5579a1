# SPDX-License-Identifier: GPL-2.0-only
"""Python threads that the real daemon hints: what they acknowledge, and what the daemon sees."""
import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from daemon_process import eventually

import morpheus
from morpheus import AdaptiveCheckpointer, critical
from morpheus import worker as process


def hinted(checkpoint=morpheus.checkpoint):
    """Takes safe points until one acknowledges a hint."""
    return eventually(checkpoint)


def test_a_thread_is_hinted_and_the_daemon_sees_it_acknowledge(attached):
    assert morpheus.status()[:3] == (morpheus.Link.ATTACHED, 1, 1)
    assert hinted() and hinted()
    [worker] = attached.workers(os.getpid())
    assert (worker["tid"], worker["state"]) == (threading.get_native_id(), "RUNNING")
    assert worker["acknowledged"] >= 1 and worker["last_yield_reason"] == "HINT"
    stats = morpheus.stats()
    assert stats.acks >= 2 and stats.yields >= 2
    assert morpheus.mode() is morpheus.Mode.PRESSURED
    assert attached.clients()[0]["name"] == "python-test"


def test_acknowledge_does_not_give_up_the_cpu(attached):
    assert hinted(morpheus.acknowledge)
    assert morpheus.stats().yields == 0
    morpheus.yield_cpu()
    assert morpheus.stats().yields == 1


def test_no_thread_is_escapable_by_default_and_each_opts_in_for_itself(attached):
    def opt_in():
        morpheus.register()
        morpheus.set_escapable(True)
        return threading.get_native_id(), {w["tid"]: (w["escapable"], w["policy"]) for w in attached.workers()}

    with ThreadPoolExecutor(1) as pool:
        other, seen = pool.submit(opt_in).result()
    assert seen == {other: (True, "THREAD_KICK"), threading.get_native_id(): (False, "NONE")}

    def mine():  # the pool's worker is unregistered a little after its thread was joined
        [worker] = [w for w in attached.workers() if w["tid"] == threading.get_native_id()]
        return worker

    morpheus.set_escapable(True, morpheus.Policy.HYBRID)
    assert mine()["policy"] == "HYBRID"
    morpheus.set_escapable(False)
    worker = mine()
    assert (worker["escapable"], worker["policy"]) == (False, "NONE")


def test_the_daemon_sees_the_priority(attached):
    morpheus.set_priority(42)
    assert attached.workers()[0]["priority"] == 42


def test_a_critical_section_defers_the_acknowledgement(attached):
    assert hinted()
    with critical():
        before = morpheus.stats()
        assert eventually(lambda: not morpheus.checkpoint() and morpheus.stats().deferred > before.deferred)
        time.sleep(0.02)
        assert not any(morpheus.checkpoint() for _ in range(100))
        assert attached.workers()[0]["critical"] == 1
        assert morpheus.stats().acks == before.acks
    assert hinted()


def test_a_suspended_async_section_does_not_defer_the_loops_acknowledgement(attached, loop_factory):
    async def main():
        async with critical():
            before = morpheus.stats().acks
            for _ in range(200):
                await asyncio.sleep(0.001)
                if morpheus.stats().acks > before + 2:
                    break
            return morpheus.stats().acks - before, morpheus.critical_depth()

    acknowledged, depth = morpheus.run(main(), loop_factory=loop_factory)
    assert acknowledged > 2
    assert depth == 1


def test_acheckpoint_gives_way_to_the_loop_only_on_a_hint(attached, loop_factory):
    async def main():
        turns = 0

        def turn():
            nonlocal turns
            turns += 1
            if turns < 1000:
                asyncio.get_running_loop().call_soon(turn)

        turn()
        hints = 0
        deadline = time.monotonic() + 20
        while hints < 20 and time.monotonic() < deadline:
            before = turns
            value = await morpheus.acheckpoint()
            assert value in (None, True)
            assert turns - before == (1 if value else 0)
            hints += value is True
        return hints

    loop = loop_factory()  # of its own: morpheus.run() would acknowledge between callbacks
    try:
        assert loop.run_until_complete(main()) == 20
    finally:
        loop.close()


def test_a_loop_acknowledges_between_callbacks_by_itself(attached, loop_factory):
    async def busy():
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            await asyncio.sleep(0)

    before = morpheus.stats()
    morpheus.run(asyncio.wait_for(busy(), 20), loop_factory=loop_factory)
    stats = morpheus.stats()
    assert stats.acks - before.acks >= 10
    assert stats.yields - before.yields >= 10


def test_threads_of_an_executor_are_hinted_once_they_register(attached):
    def work(_):
        return hinted() and threading.get_native_id()

    async def main():
        pool = ThreadPoolExecutor(2, initializer=morpheus.register)
        loop = asyncio.get_running_loop()
        with pool:
            return set(await asyncio.gather(*(loop.run_in_executor(pool, work, n) for n in range(8))))

    tids = morpheus.run(main())
    assert tids and all(tids)


def test_a_yielding_thread_lets_others_have_the_interpreter(attached):
    counted = [0]
    stop = threading.Event()

    def counter():
        while not stop.is_set():
            counted[0] += 1
            time.sleep(0)

    thread = threading.Thread(target=counter)
    thread.start()
    for _ in range(5):
        assert hinted()
    before = counted[0]
    assert eventually(lambda: morpheus.checkpoint() and counted[0] > before)
    stop.set()
    thread.join()


def test_adaptive_looks_are_closer_under_pressure(attached):
    check = AdaptiveCheckpointer(tight=20e-6, relaxed=2e-3)
    assert eventually(check)
    pressed = []

    def is_pressed_enough():
        for _ in range(1000):
            check()
            pressed.append(check.turns)
        return check.yields >= 10

    assert eventually(is_pressed_enough)
    usual = sorted(pressed)[len(pressed) // 2]
    attached.stop(signal.SIGTERM)
    assert eventually(lambda: morpheus.mode() is morpheus.Mode.DETERMINISTIC)

    def is_relaxed():
        for _ in range(10_000):
            check()
        return check.turns > 5 * usual

    assert eventually(is_relaxed)


def test_a_killed_daemon_costs_nothing_and_its_successor_gets_the_thread_back(attached):
    assert hinted()
    attached.stop(signal.SIGKILL)
    assert eventually(lambda: morpheus.status().link is morpheus.Link.WAITING)
    for _ in range(1000):
        morpheus.checkpoint()
    attached.start()
    assert eventually(lambda: morpheus.status().guided == 1)
    assert hinted()
    assert morpheus.status().attaches == 2
    assert attached.workers()[0]["tid"] == threading.get_native_id()


def test_a_forked_child_attaches_for_itself(attached):
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            morpheus.register()
            ours = attached.workers(os.getpid())
            status = 0 if len(ours) == 1 and hinted() else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert hinted()
    assert eventually(lambda: len(attached.workers()) == 1)


FORKS = """
import asyncio, os, sys
async def main():
    for _ in range(400):
        await asyncio.sleep(0.001)
if os.fork() == 0:
    asyncio.run(main())
    os._exit(0)
asyncio.run(main())
sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
"""


def test_an_unchanged_program_and_its_forked_children_are_hinted(daemon, tmp_path):
    (tmp_path / "forks.py").write_text(FORKS)
    seen = {}
    program = subprocess.Popen([sys.executable, "-m", "morpheus", "--socket", daemon.socket, "forks.py"], cwd=tmp_path)
    while program.poll() is None:
        for listed in daemon.workers():  # their counts begin anew each time that a loop runs
            seen[listed["pid"]] = max(listed["acknowledged"], seen.get(listed["pid"], 0))
        time.sleep(0.01)
    assert program.returncode == 0
    assert len(seen) == 2 and program.pid in seen
    assert all(count > 5 for count in seen.values())


def test_a_fork_does_not_wait_for_a_daemon_that_hangs(daemon):
    morpheus.attach(socket=daemon.socket)
    daemon.signal(signal.SIGSTOP)
    try:
        stop = threading.Event()

        def work():  # calls of the daemon, beside those of the link's own thread
            while not stop.is_set():
                with morpheus.registered():
                    time.sleep(0.001)

        thread = threading.Thread(target=work)
        thread.start()
        waits = []
        for _ in range(60):
            before = time.perf_counter()
            pid = os.fork()
            if pid == 0:
                os._exit(0)
            waits.append(time.perf_counter() - before)
            os.waitpid(pid, 0)
            time.sleep(0.05)
        stop.set()
        thread.join()
        assert max(waits) < 0.5, waits
    finally:
        daemon.signal(signal.SIGCONT)
    assert eventually(lambda: morpheus.status().guided == 1)
    assert hinted()
    morpheus.detach()


def test_threads_beyond_the_limit_work_unguided_and_are_counted(daemon, caplog, monkeypatch):
    monkeypatch.setattr(process, "_has_warned", False)
    morpheus.attach(socket=daemon.socket, max_workers=10, register=False)
    before = morpheus.status().unguided
    with ThreadPoolExecutor(100, initializer=morpheus.register) as pool:
        barrier = threading.Barrier(100)
        assert len(list(pool.map(lambda _: barrier.wait(), range(100)))) == 100
        status = morpheus.status()
        assert status.guided == len(daemon.workers(os.getpid())) == 10
        assert status.unguided - before == 90
    [record] = [record for record in caplog.records if record.name == "morpheus"]
    assert "max_workers" in record.getMessage()
    assert eventually(lambda: morpheus.status().workers == 0)
    morpheus.detach()
