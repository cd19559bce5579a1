#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Checks that every C++, C and BPF file is as clang-format leaves it: C++ by .clang-format, C and BPF by
bpf/.clang-format. Prints FILE:LINE for each place that is not, and the command that mends it.

usage: format_test.py SOURCE_ROOT [CLANG_FORMAT]
"""
import concurrent.futures
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
import tree

STYLES = {"c++": ".clang-format", "c": "bpf/.clang-format"}
FILES_AT_ONCE = 25
COMPLAINT = re.compile(r"^(.*?):(\d+):\d+: (?:warning|error): (.*)$", re.M)
UNFORMATTED = "code should be clang-formatted"


def not_formatted(root, program, style, paths):
    """The places in these files that clang-format would change, and what else it complains of."""
    done = subprocess.run([program, "--dry-run", f"--style=file:{style}", *paths], cwd=root,
                          capture_output=True, text=True)
    found = {}
    for path, line, what in COMPLAINT.findall(done.stderr):
        what = "not formatted" if what.startswith(UNFORMATTED) else what
        found[f"{path}:{line}: {what}"] = path
    if not found and (done.returncode or done.stderr):
        found[f"{program} failed: {done.stderr.strip()}"] = style
    return found


def main():
    if len(sys.argv) not in (2, 3):
        print(__doc__, file=sys.stderr)
        return 64
    root, program = sys.argv[1], sys.argv[2] if len(sys.argv) == 3 else "clang-format-19"
    tree.need(program)
    work = []
    seen = 0
    for language, style in STYLES.items():
        paths = tree.files_in(root, language)
        seen += len(paths)
        work += [(style, paths[i:i + FILES_AT_ONCE]) for i in range(0, len(paths), FILES_AT_ONCE)]
    breaches, commands = [], []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        done = pool.map(lambda part: not_formatted(root, program, *part), work)
        for (style, _), found in zip(work, done):
            breaches += found
            if found:
                files = " ".join(sorted(set(found.values())))
                commands.append(f"{program} -i --style=file:{style} {files}")
    status = tree.report(breaches, seen, 300)
    for command in commands:
        print("to mend:", command)
    return status


if __name__ == "__main__":
    sys.exit(main())
