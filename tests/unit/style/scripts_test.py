#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Checks the shell scripts with shellcheck and the Python files with pyflakes: no finding of either.

usage: scripts_test.py SOURCE_ROOT
"""
import os
import subprocess
import sys

sys.dont_write_bytecode = True
import tree

# SC2016: a $ in single quotes is meant for another shell. SC2317: functions that a table or a trap names
# look unreachable. SC2015: `A && B || C` is used where B cannot fail.
SHELL = ("shellcheck", "--format=gcc", "--external-sources", "--exclude=SC2016,SC2317,SC2015")
PYTHON = ("pyflakes3",)


def findings(root, command, paths):
    tree.need(command[0])
    done = subprocess.run([*command, *paths], cwd=root, capture_output=True, text=True)
    lines = (done.stdout + done.stderr).splitlines()
    return lines if lines or done.returncode == 0 else [f"{command[0]} ended with {done.returncode}"]


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 64
    root = os.path.abspath(sys.argv[1])
    shell, python = tree.files_in(root, "shell"), tree.files_in(root, "python")
    # a part of a script is checked where it is sourced: shellcheck follows it from there
    whole = [path for path in shell if not path.endswith("kernel_from_source.bash")]
    found = findings(root, SHELL, whole) + findings(root, PYTHON, python)
    return tree.report(found, len(shell) + len(python), 60)


if __name__ == "__main__":
    sys.exit(main())
