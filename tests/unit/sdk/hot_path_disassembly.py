#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Counts the instructions of the SDK's fast paths in compiled code and prints them.

A checkpoint: at most three instructions between its marks before the slow path, no call among them
(a compiler may place the slow path between the marks; it is what follows the branch).
A critical section, entered and left: at most four, none locked.

usage: hot_path_disassembly.py COMPILER SOURCE INCLUDE_DIR...     exit 77: cannot be judged here
"""
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile


def disassemble(compiler, source, include_dirs):
    with tempfile.TemporaryDirectory() as scratch:
        obj = os.path.join(scratch, "hot_path.o")
        flags = ["-std=gnu11", "-O2", "-fPIC", *(f"-I{d}" for d in include_dirs)]
        subprocess.run([compiler, *flags, "-c", source, "-o", obj], check=True)
        dump = ["objdump", "-dr", "--no-show-raw-insn", obj]
        return subprocess.run(dump, check=True, capture_output=True, text=True).stdout


def between(dump, begin, end):
    lines, inside = [], False
    for line in dump.splitlines():
        label = re.match(r"[0-9a-f]+ <(\w+)>:", line)
        if label and label[1] == end:
            return lines
        if label:
            inside = inside or label[1] == begin
        elif inside and re.match(r"\s+[0-9a-f]+:\t", line) and "R_X86_64" not in line:
            lines.append(line.split("\t", 1)[1].strip())
    sys.exit(f"marks {begin} and {end} not found in this order:\n{dump}")


def until_branch(instructions):
    for count, text in enumerate(instructions, 1):
        if re.match(r"j[a-z]+\s", text):
            return instructions[:count]
    return instructions


def main():
    compiler, source, *include_dirs = sys.argv[1:]
    if platform.machine() != "x86_64" or not shutil.which(compiler) or not shutil.which("objdump"):
        print(f"skipped: needs x86_64, objdump and {compiler}")
        return 77
    dump = disassemble(compiler, source, include_dirs)
    checkpoint = until_branch(between(dump, "checkpoint_begin", "checkpoint_end"))
    critical = between(dump, "critical_begin", "critical_end")
    print("checkpoint:", *checkpoint, "critical section:", *critical, sep="\n    ")
    failures = []
    if len(checkpoint) > 3:
        failures.append("the checkpoint has more than three instructions")
    if not checkpoint or not re.match(r"j(ne|e)\s", checkpoint[-1]):
        failures.append("the checkpoint does not end in one branch")
    if any(text.startswith("call") for text in checkpoint + critical):
        failures.append("a fast path calls")
    if len(critical) > 4:
        failures.append("the critical section has more than four instructions")
    if any("lock" in text or "fence" in text or "xchg" in text for text in critical):
        failures.append("the critical section is locked or fenced")
    print(*failures, sep="\n")
    return 1 if failures else 0


sys.exit(main())
