# SPDX-License-Identifier: GPL-2.0-only
"""python -m morpheus --attach: blame for a program that was started without us."""
import os
import signal
import subprocess
import sys

import pytest
from daemon_process import eventually

PROGRAM = """
import asyncio, sys, time
def burn():
    end = time.thread_time() + 0.2
    while time.thread_time() < end: pass
async def query():
    await asyncio.sleep(0.01)
    burn()
    await asyncio.sleep(0.01)
    time.sleep(0.2)
async def handler(): await asyncio.create_task(query(), name="query")
async def main():
    print("ready", flush=True)
    for _ in range(1000):
        await asyncio.create_task(handler(), name="handler")
asyncio.run(main())
"""


def attach(pid, *options):
    return subprocess.Popen([sys.executable, "-m", "morpheus", "--attach", str(pid), *options],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def started(tmp_path):
    """A program, under way; without this package on its path."""
    programs = []

    def start(source):
        (tmp_path / "program.py").write_text(source)
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        program = subprocess.Popen([sys.executable, "program.py"], cwd=tmp_path, stdout=subprocess.PIPE, text=True,
                                   stderr=subprocess.PIPE, env=environment)
        programs.append(program)
        assert program.stdout.readline() == "ready\n"
        return program

    yield start
    for program in programs:
        program.kill()
        program.communicate()


needs_3_14 = pytest.mark.skipif(sys.version_info < (3, 14), reason="needs Python 3.14")


@needs_3_14
def test_slow_callbacks_of_a_running_program_are_split_placed_and_awaited(started):
    program = started(PROGRAM)
    watcher = attach(program.pid, "--blame=0.1")
    lines = []

    assert eventually(lambda: lines.append(watcher.stdout.readline()) or len(lines) > 60)
    parts = [[float(part.split()[0]) for part in line.split(" ms: ")[1].split(", ")] for line in lines
             if line.startswith("task query")]
    assert max(on_cpu for on_cpu, _, _ in parts) >= 190 and max(blocked for _, _, blocked in parts) >= 190
    text = "".join(lines)
    assert "in burn" in text
    assert "  awaited by task handler: handler (" in text and "    awaited by task Task-1: main (" in text
    watcher.send_signal(signal.SIGINT)
    assert watcher.wait(20) == 0
    watcher.communicate()
    # it goes on, unwatched, and can be watched again
    again = attach(program.pid)
    assert "task query" in again.stdout.readline()
    program.kill()
    assert again.wait(20) == 0
    assert "has ended" in again.communicate()[1]


@needs_3_14
def test_the_program_finds_nothing_of_it_but_the_module(started):
    program = started(PROGRAM.replace("range(1000)", "range(6)").replace("asyncio.run(main())", """
asyncio.run(main())
import threading
print("morpheus" in sys.modules, threading.active_count(), any("morpheus" in place for place in sys.path))
"""))
    watcher = attach(program.pid)
    assert "task query" in watcher.stdout.readline()
    assert program.communicate(timeout=60) == ("True 1 False\n", "")
    watcher.communicate(timeout=60)


@needs_3_14
def test_a_program_without_a_loop_is_refused(started):
    program = started("import time\nprint('ready', flush=True)\nwhile True: time.sleep(0.01)\n")
    watcher = attach(program.pid)
    assert "no event loop runs in its main thread" in watcher.communicate(timeout=60)[1] and watcher.returncode == 69
    assert program.poll() is None


@pytest.mark.parametrize("other, message", [
    ([sys.executable, "-c", "import time; print('ready', flush=True); time.sleep(60)"], "needs Python 3.14"),
    (["sh", "-c", "echo ready; exec sleep 60"], ""),
])
def test_what_cannot_be_watched_is_refused(other, message):
    process = subprocess.Popen(other, stdout=subprocess.PIPE, text=True)
    try:
        process.stdout.readline()
        if sys.version_info >= (3, 14) and message:
            pytest.skip("it can")
        watcher = attach(process.pid)
        assert f"cannot attach to process {process.pid}: " in (said := watcher.communicate(timeout=60)[1])
        assert message in said and watcher.returncode == 69
        assert process.poll() is None
    finally:
        process.kill()
        process.communicate()


def test_a_process_that_is_not_there_is_refused():
    watcher = attach(4_194_305)
    assert "cannot attach to process 4194305" in watcher.communicate(timeout=60)[1] and watcher.returncode == 69


@pytest.mark.parametrize("options", [["--attach", "x"], ["--attach", "1", "program.py"]])
def test_wrong_usage_gets_a_message(options):
    done = subprocess.run([sys.executable, "-m", "morpheus", *options], capture_output=True, text=True, timeout=60)
    assert done.returncode == 64 and "--attach needs a process" in done.stderr
