# SPDX-License-Identifier: GPL-2.0-only
"""Real contention: this process on one CPU, with others that want it."""
import contextlib
import os
import subprocess
import sys
import time

HOG = "while True: pass"
WAKER = "import time\nwhile True: time.sleep(0.001)"


def burn(cpu_seconds):
    """Uses this much CPU time, however long that takes."""
    end = time.thread_time() + cpu_seconds
    while time.thread_time() < end:
        pass


@contextlib.contextmanager
def crowded_cpu(program, count):
    """`count` processes that run the program, and this thread, all on one CPU."""
    before = os.sched_getaffinity(0)
    cpu = min(before)
    pin = f"import os; os.sched_setaffinity(0, {{{cpu}}})\n"
    others = [subprocess.Popen([sys.executable, "-c", pin + program]) for _ in range(count)]
    try:
        os.sched_setaffinity(0, {cpu})
        yield
    finally:
        os.sched_setaffinity(0, before)
        for other in others:
            other.kill()
            other.wait()
