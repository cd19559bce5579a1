# SPDX-License-Identifier: GPL-2.0-only
"""Jobs that need the CPU and a service that must be fast, in one loop.

    python3 asyncio_jobs.py [SECONDS]

Between two callbacks the loop acknowledges hints by itself. A job with long stretches of work takes
safe points in them, too, and does in a critical section what must not be interrupted.
"""
import asyncio
import sys
import time

import morpheus

ledger = {"jobs": 0, "turns": 0}


def crunch(turns):
    total = 0
    for number in morpheus.AdaptiveCheckpointer().over(range(turns)):
        total += number * number % 7
    return total


async def job(end):
    while time.monotonic() < end:
        for _ in range(10):
            crunch(2_000)
            # lets the other tasks run, but only if there is a hint
            await morpheus.acheckpoint()
        with morpheus.critical():
            ledger["jobs"] += 1
            ledger["turns"] += 20_000
        await asyncio.sleep(0)


async def service(end):
    worst = 0.0
    while time.monotonic() < end:
        due = time.monotonic() + 0.01
        await asyncio.sleep(0.01)
        worst = max(worst, time.monotonic() - due)
    return worst


async def main(seconds):
    end = time.monotonic() + seconds
    worst, *_ = await asyncio.gather(service(end), job(end), job(end))
    stats = morpheus.stats()
    print(f"{ledger['jobs']} jobs; service at most {worst * 1e3:.1f} ms late; "
          f"hinted {stats.hints} times, gave up the CPU {stats.yields} times")


if __name__ == "__main__":
    morpheus.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 2.0), blame=True)
