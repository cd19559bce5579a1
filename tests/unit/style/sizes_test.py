#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Checks what makes code hard to take in: folders of product code with many files, long files, long lines, and
long functions in C and BPF. (clang-tidy measures the functions of C++: readability-function-size.)

usage: sizes_test.py SOURCE_ROOT
"""
import os
import sys

sys.dont_write_bytecode = True
import tree

MOST_FILES = 25
MOST_LINES = 350
WIDTH = 100  # columns of C and C++
LONGEST_FUNCTION = 45  # lines


def crowded_folders(root):
    folders = {}
    for path in tree.files_in(root, "c", "c++"):
        if path.split("/")[0] in tree.PRODUCT:
            folders.setdefault(os.path.dirname(path), []).append(path)
    for folder, files in folders.items():
        if len(files) > MOST_FILES:
            yield f"{folder}: {len(files)} source files, at most {MOST_FILES}"


def columns(line):
    return len(line.expandtabs(8))


def long_lines(path, lines):
    """clang-format breaks code, but neither comments in C nor what is quoted; the latter may be long."""
    quoted = False
    for number, line in enumerate(lines, 1):
        quoted = quoted or 'R"' in line
        if columns(line) > WIDTH and not quoted and '"' not in line:
            yield f"{path}:{number}: {columns(line)} columns, at most {WIDTH}"
        quoted = quoted and ')"' not in line and ')_"' not in line


def long_functions(path, lines):
    """By the kernel's style a function's body is between a { and a } that begin their lines."""
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line == "}" and start is not None:
            if number - start - 1 > LONGEST_FUNCTION:
                yield f"{path}:{start}: a function of {number - start - 1} lines, at most {LONGEST_FUNCTION}"
            start = None


def breaches_of(root, path):
    lines = tree.read(root, path).splitlines()
    language = tree.language(root, path)
    if language in ("c", "c++"):
        yield from long_lines(path, lines)
    if language == "c":
        yield from long_functions(path, lines)
    if path.split("/")[0] in tree.PRODUCT and language in ("c", "c++") and len(lines) > MOST_LINES:
        yield f"{path}:{MOST_LINES}: {len(lines)} lines, at most {MOST_LINES}"


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 64
    root = os.path.abspath(sys.argv[1])
    paths = tree.files_in(root, "c", "c++", "python", "shell", "meson")
    found = [*crowded_folders(root), *(breach for path in paths for breach in breaches_of(root, path))]
    return tree.report(found, len(paths), 400)


if __name__ == "__main__":
    sys.exit(main())
