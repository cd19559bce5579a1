# SPDX-License-Identifier: GPL-2.0-only
"""The package without a daemon: importable, harmless, and exact about each thread's state."""
import asyncio
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from daemon_process import eventually

import morpheus
from morpheus import _core, worker


def test_importing_attaches_nothing_and_starts_no_thread():
    code = "import os, morpheus; print(len(os.listdir('/proc/self/task')), morpheus.status().link.name)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.split() == ["1", "NONE"]


def test_everything_works_without_attaching():
    assert morpheus.checkpoint() is False
    assert morpheus.acknowledge() is False
    assert morpheus.yield_cpu() is None
    assert morpheus.budget_remaining() == 0.0
    assert morpheus.pressure() == morpheus.Pressure(0, 0, 0, 0, 0)
    assert morpheus.mode() is morpheus.Mode.DETERMINISTIC
    assert morpheus.stats() == morpheus.Stats(0, 0, 0, 0, 0, 0, 0)
    assert not morpheus.is_registered()
    with morpheus.critical():
        assert morpheus.critical_depth() == 0


def test_attach_registers_the_thread_and_is_harmless_without_a_daemon():
    morpheus.attach()
    status = morpheus.status()
    assert (status.link, status.workers, status.guided) == (morpheus.Link.WAITING, 1, 0)
    assert "/nonexistent/morpheusd.sock" in status.last_error
    assert morpheus.is_registered()
    assert not any(morpheus.checkpoint() for _ in range(10_000))
    morpheus.detach()
    assert not morpheus.is_registered()
    assert morpheus.status().link is morpheus.Link.NONE


def test_attach_may_be_repeated_but_not_with_other_options():
    morpheus.attach()
    morpheus.attach()
    with pytest.raises(morpheus.MorpheusError, match="MORPHEUS_ERR_ALREADY") as error:
        morpheus.attach(name="other")
    assert error.value.code == -2


@pytest.mark.parametrize("workers", [-1, 2**32, 4096])
def test_wrong_options_are_refused_and_leave_nothing(workers):
    with pytest.raises(morpheus.MorpheusError, match="MORPHEUS_ERR_INVALID"):
        morpheus.attach(max_workers=workers)
    assert morpheus.status().link is morpheus.Link.NONE
    morpheus.attach()


def test_a_name_with_a_nul_is_refused():
    with pytest.raises(ValueError):
        morpheus.attach(name="a\0b")


def test_registration_belongs_to_the_os_thread():
    morpheus.attach()
    seen = []

    def body():
        seen.append(morpheus.is_registered())
        with morpheus.registered():
            seen.append(morpheus.is_registered())
            seen.append(morpheus.status().workers)
        seen.append(morpheus.is_registered())

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert seen == [False, True, 2, False]
    assert morpheus.is_registered()


def test_registered_keeps_a_thread_that_was_registered():
    morpheus.attach()
    with morpheus.registered():
        pass
    assert morpheus.is_registered()


def test_threads_of_an_executor_register_on_request_and_leave_with_their_end():
    morpheus.attach(register=False)
    with ThreadPoolExecutor(2, initializer=morpheus.register) as pool:
        barrier = threading.Barrier(2)
        assert all(pool.map(lambda _: barrier.wait() >= 0 and morpheus.is_registered(), range(2)))
        assert morpheus.status().workers == 2
    assert eventually(lambda: morpheus.status().workers == 0)


def test_detach_is_refused_while_another_thread_is_registered():
    morpheus.attach()
    ready, done = threading.Event(), threading.Event()

    def body():
        morpheus.register()
        ready.set()
        done.wait()

    thread = threading.Thread(target=body)
    thread.start()
    ready.wait()
    with pytest.raises(morpheus.MorpheusError, match="MORPHEUS_ERR_BUSY"):
        morpheus.detach()
    done.set()
    thread.join()


def test_what_needs_a_registered_thread_says_so():
    for call in (lambda: morpheus.set_priority(1), lambda: morpheus.set_escapable(True), morpheus.unregister):
        with pytest.raises(morpheus.MorpheusError, match="MORPHEUS_ERR_NOT_REGISTERED"):
            call()


@pytest.mark.parametrize("priority", [1001, 2**40])
def test_a_priority_out_of_range_is_refused(priority):
    morpheus.attach()
    with pytest.raises(morpheus.MorpheusError, match="MORPHEUS_ERR_INVALID"):
        morpheus.set_priority(priority)
    with pytest.raises((OverflowError, TypeError)):
        morpheus.set_priority(-1)


def test_a_forked_child_is_not_attached_and_can_register_again():
    morpheus.attach()
    pid = os.fork()
    if pid == 0:
        try:
            ok = morpheus.status().link is morpheus.Link.NONE and not morpheus.is_registered()
            morpheus.register()
            ok = ok and morpheus.status().link is morpheus.Link.WAITING and not morpheus.checkpoint()
            os._exit(0 if ok else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert morpheus.is_registered()


def test_internal_types_cannot_be_made():
    awaitable = morpheus.acheckpoint()
    with pytest.raises(TypeError):
        type(awaitable)()


def test_a_thread_that_cannot_be_registered_works_unguided_and_is_counted(monkeypatch, caplog):
    def refuse():
        error = morpheus.MorpheusError("cannot register the thread: no memory")
        error.code = _core.ERR_NO_MEMORY
        raise error

    morpheus.attach(register=False)
    before = morpheus.status().unguided
    monkeypatch.setattr(worker, "_has_warned", False)
    monkeypatch.setattr(_core, "worker_register", refuse)
    with ThreadPoolExecutor(3, initializer=morpheus.register) as pool:
        barrier = threading.Barrier(3)
        assert list(pool.map(lambda _: barrier.wait() >= 0, range(3))) == [True] * 3
    assert morpheus.status().unguided == before + 3
    assert morpheus.register() is False
    assert morpheus.status().unguided == before + 4
    assert morpheus.run(asyncio.sleep(0, "result")) == "result"
    [record] = caplog.records
    assert "no memory" in record.getMessage() and "unguided" in record.getMessage()


def test_threads_that_register_at_once_attach_the_process_once():
    with ThreadPoolExecutor(8, initializer=morpheus.register) as pool:
        barrier = threading.Barrier(8)
        assert all(pool.map(lambda _: barrier.wait() >= 0 and morpheus.is_registered(), range(8)))


@pytest.mark.skipif(sys.version_info < (3, 13), reason="since Python 3.13 under this name")
def test_an_interpreter_with_a_lock_of_its_own_may_use_the_package():
    code = """
import _interpreters
interpreter = _interpreters.create("isolated")
print(_interpreters.exec(interpreter, '''
import asyncio, morpheus
async def main():
    async with morpheus.critical():
        await asyncio.sleep(0)
        return morpheus.critical_depth()
print(morpheus.run(main(), blame=True), morpheus.checkpoint())
'''))
_interpreters.destroy(interpreter)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "1 False\nNone\n", done.stderr
