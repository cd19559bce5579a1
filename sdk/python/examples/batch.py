# SPDX-License-Identifier: GPL-2.0-only
"""A batch job made of generators: one safe point at its end serves the whole chain.

    python3 batch.py [ROWS]
"""
import collections
import sys

import morpheus


def readings(count):
    value = 1
    for number in range(count):
        value = value * 1103515245 + 12345 & 0x7FFFFFFF
        yield number % 97, value % 1000


def without_outliers(rows):
    return ((sensor, value) for sensor, value in rows if 10 <= value < 990)


def averages(rows):
    sums, counts = collections.Counter(), collections.Counter()
    for sensor, value in rows:
        sums[sensor] += value
        counts[sensor] += 1
    return {sensor: sums[sensor] / counts[sensor] for sensor in sums}


def main(count):
    morpheus.attach()
    check = morpheus.AdaptiveCheckpointer()
    result = averages(check.over(without_outliers(readings(count))))
    print(f"{len(result)} sensors, mean of means {sum(result.values()) / len(result):.3f}; "
          f"looked {check.looks} times, gave up the CPU {check.yields} times")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
