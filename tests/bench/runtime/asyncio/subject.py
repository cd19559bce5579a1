#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Python's asyncio as a subject: subject.py MEASURE VARIANT [WORK]; see subject.hpp."""
import asyncio
import ctypes
import math
import os
import sys
import threading
import time
from collections import deque

BATCH = 1000
PR_SET_TIMERSLACK = 29


class Run:
    def __init__(self, variant, work):
        self.variant, self.work = variant, work

    def scaled(self, full):
        return max(1, int(full * self.work))


def report(quantity, value):
    print(quantity, f"{value:.6g}")


def nanoseconds_each(run, granule, operations):
    """See nanoseconds_each() in subject.hpp; operations is a coroutine function."""
    enough, n = 0.25 * run.work, granule
    while True:
        seconds = asyncio.run(operations(n))
        if seconds >= enough:
            return seconds / n * 1e9
        factor = min(10, 1.3 * enough / seconds)
        n = granule * max(n // granule + 1, int(n // granule * factor))


def percentile(values, p):
    values.sort()
    return values[int(p * (len(values) - 1))]


def report_lateness(late):
    report("p50", percentile(late, 0.5) * 1e6)
    report("p99", percentile(late, 0.99) * 1e6)


def steps(n, x=1):
    for _ in range(n):
        x ^= x << 13 & 0xFFFFFFFF
        x ^= x >> 17
        x ^= x << 5 & 0xFFFFFFFF
    return x


def steps_in(seconds):
    """How many steps take so long."""
    best = 1.0
    for _ in range(5):
        start = time.perf_counter()
        steps(10_000)
        best = min(best, time.perf_counter() - start)
    return max(1, int(seconds / best * 10_000))


async def take_turns(turns):
    for _ in range(turns):
        await asyncio.sleep(0)


def yield_(run):
    tasks = int(run.variant)

    async def play(n):
        everyone = [asyncio.create_task(take_turns(n // tasks)) for _ in range(tasks)]
        start = time.perf_counter()
        await asyncio.gather(*everyone)
        return time.perf_counter() - start

    report("yield", nanoseconds_each(run, 10_000, play))


def spawn_join(run):
    async def trivial():
        pass

    async def play(n):
        start = time.perf_counter()
        for _ in range(n // BATCH):
            await asyncio.gather(*[asyncio.create_task(trivial()) for _ in range(BATCH)])
        return time.perf_counter() - start

    report("task", nanoseconds_each(run, BATCH, play))


async def fib(n):
    if n < 2:
        return n
    left = asyncio.create_task(fib(n - 1))
    right = await fib(n - 2)
    return await left + right


def fork_join(run):
    n = max(8, int(20 - max(0, math.log(max(run.work, 1e-5)) / math.log(0.6180339887))))
    calls, next_calls = 1, 1
    for _ in range(n):
        calls, next_calls = next_calls, calls + next_calls + 1
    start = time.perf_counter()
    asyncio.run(fib(n))
    report("call", (time.perf_counter() - start) / calls * 1e9)


async def exchange(n):
    to, back = asyncio.Queue(1), asyncio.Queue(1)

    async def serve():
        for _ in range(n // 2):
            await back.put(await to.get() + 1)

    server = asyncio.create_task(serve())
    value, start = 0, time.perf_counter()
    for _ in range(n // 2):
        await to.put(value)
        value = await back.get()
    await server
    return time.perf_counter() - start


class Mailbox:
    """Messages to a loop in another thread."""

    def __init__(self):
        self.loop, self.arrived, self.messages = None, asyncio.Event(), deque()

    def put(self, message):
        self.messages.append(message)
        self.loop.call_soon_threadsafe(self.arrived.set)

    async def get(self):
        while not self.messages:
            await self.arrived.wait()
            self.arrived.clear()
        return self.messages.popleft()


def in_thread(mailbox, body):
    """Runs body() in a loop of its own, which the mailbox belongs to."""
    ready = threading.Event()

    async def main():
        mailbox.loop = asyncio.get_running_loop()
        ready.set()
        await body()

    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    ready.wait()
    return thread


async def exchange_between_threads(n):
    to, back = Mailbox(), Mailbox()
    back.loop = asyncio.get_running_loop()

    async def serve():
        for _ in range(n // 2):
            back.put(await to.get() + 1)

    server = in_thread(to, serve)
    value, start = 0, time.perf_counter()
    for _ in range(n // 2):
        to.put(value)
        value = await back.get()
    server.join()
    return time.perf_counter() - start


def to_a_sleeper(run):
    messages, late, mailbox = run.scaled(1000), [], Mailbox()

    async def receive():
        for _ in range(messages):
            sent = await mailbox.get()
            late.append(time.perf_counter() - sent)

    receiver = in_thread(mailbox, receive)
    for _ in range(messages):
        time.sleep(0.001)  # spinning would hold the interpreter's lock
        mailbox.put(time.perf_counter())
    receiver.join()
    return percentile(late, 0.5) * 1e9


def ping_pong(run):
    if run.variant == "one-thread":
        report("message", nanoseconds_each(run, 1000, exchange))
    elif run.variant == "two-threads":
        report("message", nanoseconds_each(run, 1000, exchange_between_threads))
    else:
        report("message", to_a_sleeper(run))


def timers(run):
    many = run.variant == "100000"
    tasks, each, longest = run.scaled(100_000 if many else 10_000), 2 if many else 10, 1.0 if many else 0.1
    late = []

    def length(task, k):
        x = (task * each + k + 1) * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF
        x = (x ^ x >> 32) * 0xD6E8FEB86659FD93 & 0xFFFFFFFFFFFFFFFF
        return longest / 100 * (1 + (x >> 40) % 100)

    async def sleep_often(task):
        for k in range(each):
            span = length(task, k)
            due = time.perf_counter() + span
            await asyncio.sleep(span)
            late.append(time.perf_counter() - due)

    async def play():
        await asyncio.gather(*[sleep_often(task) for task in range(tasks)])

    before = time.process_time()
    asyncio.run(play())
    cpu = time.process_time() - before
    report_lateness(late)
    report("cpu", cpu * 1e6 / (tasks * each))


def resident_bytes():
    with open("/proc/self/status", encoding="ascii") as status:
        return 1024 * sum(int(line.split()[1]) for line in status if line.startswith(("VmRSS:", "VmPTE:")))


def memory(run):
    tasks = run.scaled(1_000_000)

    async def play():
        event = asyncio.Event()
        before = resident_bytes()
        everyone = [asyncio.create_task(event.wait()) for _ in range(tasks)]
        await asyncio.sleep(0)
        report("bytes", (resident_bytes() - before) / tasks)
        sys.stdout.flush()
        os._exit(0 if everyone else 1)

    asyncio.run(play())


def hog(run):
    safe_points, late, counted = run.variant != "no-safe-points", [], run.scaled(2000)
    left = counted + 100  # not while threads are still being started
    chunk = steps_in(50e-6)

    async def burn():
        while left > 0:
            for _ in range(400):
                steps(chunk)
                if safe_points:
                    await asyncio.sleep(0)
                    if left == 0:
                        break
            await asyncio.sleep(0)

    async def probe():
        nonlocal left
        due = time.perf_counter() + 0.001
        while left > 0:
            await asyncio.sleep(due - time.perf_counter())
            now = time.perf_counter()
            while due <= now and left > 0:
                if left <= counted:
                    late.append(now - due)
                due += 0.001
                left -= 1

    async def play():
        await asyncio.gather(burn(), probe())

    asyncio.run(play())
    report_lateness(late)


def idle(run):
    async def forever():
        await asyncio.Event().wait()

    for _ in range(2):
        in_thread(Mailbox(), forever)
    time.sleep(0.5 * run.work)
    before = time.process_time()
    time.sleep(run.work)
    report("cpu", (time.process_time() - before) * 1e6 / run.work)
    sys.stdout.flush()
    os._exit(0)


def wake(run):
    wakes, mailbox = run.scaled(1000), Mailbox()

    async def receive():
        for _ in range(wakes):
            await mailbox.get()

    receiver = in_thread(mailbox, receive)
    for number in range(wakes):
        time.sleep(0.001)
        mailbox.put(number)
    receiver.join()
    report("wakes", wakes)


MEASURES = {"yield": yield_, "spawn-join": spawn_join, "fork-join": fork_join, "ping-pong": ping_pong, "timers": timers,
            "memory": memory, "hog": hog, "idle": idle, "wake": wake}


def main():
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        return 64
    if sys.argv[1] not in MEASURES:
        print(f"{sys.argv[0]}: no measure {sys.argv[1]}", file=sys.stderr)
        return 64
    ctypes.CDLL(None).prctl(PR_SET_TIMERSLACK, 1)
    MEASURES[sys.argv[1]](Run(sys.argv[2], float(sys.argv[3]) if len(sys.argv) > 3 else 1.0))
    return 0


if __name__ == "__main__":
    sys.exit(main())
