#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Counts the instructions of the SDK's fast paths in compiled code and prints them.

A checkpoint: at most three instructions up to the branch, and from mark to mark, on the shortest way that calls nothing,
one load, one compare and one branch (a compiler may place the slow path, and the caller's own counting, between them).
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


def fast_path(dump, begin, end):
    """The instructions on the shortest way from one mark to the other that calls nothing."""
    text = dump.partition("section .text:")[2].partition("Disassembly of section")[0]
    marks = {name: int(at, 16) for at, name in re.findall(r"^([0-9a-f]+) <(\w+)>:", text, flags=re.M)}
    found = [(int(at, 16), code.strip()) for at, code in re.findall(r"^\s+([0-9a-f]+):\t(.+)$", text, flags=re.M)
             if "R_X86_64" not in code]
    following = {at: after for (at, _), (after, _) in zip(found, found[1:])}
    code = dict(found)
    ways, seen = [(marks[begin], [])], set()
    for at, way in ways:  # breadth first
        if at == marks[end]:
            return way
        if at in seen or at not in code or code[at].startswith(("call", "ret")):
            continue
        seen.add(at)
        jump = re.match(r"j([a-z]+)\s+([0-9a-f]+)", code[at])
        after = [int(jump[2], 16)] if jump else []
        if not jump or jump[1] != "mp":
            after.append(following.get(at))
        ways += [(each, way + [code[at]]) for each in after]
    sys.exit(f"no way from {begin} to {end} without a call:\n{dump}")


def faults_of_fast_path(way):
    for what, pattern in (("loads or stores once", r"(?!lea|nop|cs nop|data16).*\(%"), ("compares once", r"(cmp|test)"),
                          ("branches once", r"j[a-z]+\s")):
        count = sum(bool(re.match(pattern, text)) for text in way)
        if count != 1:
            yield f"the checkpoint {what} at most, not {count} times"


def main():
    compiler, source, *include_dirs = sys.argv[1:]
    if platform.machine() != "x86_64" or not shutil.which(compiler) or not shutil.which("objdump"):
        print(f"skipped: needs x86_64, objdump and {compiler}")
        return 77
    dump = disassemble(compiler, source, include_dirs)
    checkpoint = until_branch(between(dump, "checkpoint_begin", "checkpoint_end"))
    critical = between(dump, "critical_begin", "critical_end")
    whole = fast_path(dump, "checkpoint_begin", "checkpoint_end")
    print("checkpoint:", *checkpoint, "on the whole:", *whole, "critical section:", *critical, sep="\n    ")
    failures = list(faults_of_fast_path(whole))
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
