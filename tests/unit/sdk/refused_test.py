#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Holds that the compiler refuses what would go wrong silently: each program here must not compile, with the words
that are given, and the same without the wrong line must. GCC 12 does not warn of a dropped result of co_await: there those are left out.

usage: refused_test.py INCLUDE_DIR... -- COMPILER [ARGUMENT...]
"""
import subprocess
import sys

BEFORE = """
#include <morpheus/channel.hpp>
#include <morpheus/mutex.hpp>
#include <morpheus/task.hpp>
#include <mutex>
morpheus::task<> program() {
  morpheus::mutex lock;
  morpheus::channel<int> values(1);
  co_await morpheus::task<>(nothing());
"""
PROGRAMS = {
    "a guard of the standard library on a mutex of tasks": (
        "const std::lock_guard<morpheus::mutex> guard(lock);", "unlock"),
    "a unique_lock on a mutex of tasks": (
        "std::unique_lock<morpheus::mutex> guard(lock);", "unlock"),
    "a value that is sent and may be lost": ("co_await values.send(1);", "nodiscard"),
    "a message that is received and dropped": ("co_await values.receive();", "nodiscard"),
    "a mutex that is locked and unlocked at once": ("co_await lock.lock();", "nodiscard"),
}
RIGHT = "(void)co_await values.send(1); const auto guard = co_await lock.lock();"


def compile_with(compiler, includes, line):
    source = BEFORE.replace("morpheus::task<> program", "morpheus::task<> nothing() { co_return; }\n"
                            "morpheus::task<> program") + line + "\n}\n"
    command = [*compiler, "-std=c++20", "-Wall", "-Werror", "-fsyntax-only", *("-I" + path for path in includes),
               "-x", "c++", "-"]
    return subprocess.run(command, input=source, capture_output=True, text=True)


def main():
    if "--" not in sys.argv[2:-1]:
        print(__doc__, file=sys.stderr)
        return 64
    at = sys.argv.index("--")
    includes, compiler = sys.argv[1:at], sys.argv[at + 1:]
    wrong = []
    right = compile_with(compiler, includes, RIGHT)
    if right.returncode != 0:
        wrong.append("a right program is refused:\n" + right.stderr)
    version = subprocess.run([*compiler, "--version"], capture_output=True, text=True).stdout
    asked = {what: program for what, program in PROGRAMS.items() if "clang" in version or program[1] != "nodiscard"}
    for what, (line, words) in asked.items():
        result = compile_with(compiler, includes, line)
        if result.returncode == 0:
            wrong.append(f"{what} compiles")
        elif words not in result.stderr:
            wrong.append(f"{what} is refused without {words!r}:\n{result.stderr}")
    print("\n".join(wrong) or f"{len(asked)} programs are refused")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
