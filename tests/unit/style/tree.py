# SPDX-License-Identifier: GPL-2.0-only
"""The project's files and what language each is in. It needs no git: a tarball is checked alike."""
import os
import re
import shutil
import sys

C = (".c", ".h")  # what is named .h is valid C, and BPF is C
CPP = (".cpp", ".hpp")
HIDDEN = (".ci",)  # hidden directories that belong to the project
PRODUCT = ("bpf", "daemon", "sdk", "proto")
INTERPRETER = re.compile(rb"#!.*[/ ](bash|sh|python3|busybox sh)\b")


def is_project_directory(name):
    return name in HIDDEN or not name.startswith((".", "build")) and name != "__pycache__"


def source_files(root):
    """Every file of the project, relative to its root, without build directories and hidden ones."""
    for directory, names, files in os.walk(root):
        names[:] = sorted(filter(is_project_directory, names))
        for file in sorted(files):
            yield os.path.relpath(os.path.join(directory, file), root)


def read(root, path):
    """The text of a file; None if it is binary."""
    with open(os.path.join(root, path), "rb") as file:
        content = file.read()
    try:
        return None if b"\0" in content else content.decode()
    except UnicodeDecodeError:
        return None


def language(root, path):
    """c, c++, meson, python or shell; None for anything else."""
    if path.endswith(C):
        return "c"
    if path.endswith(CPP):
        return "c++"
    if path.endswith(".py"):
        return "python"
    if path.endswith((".bash", ".sh")):
        return "shell"
    if os.path.basename(path) == "meson.build":
        return "meson"
    if os.path.splitext(path)[1]:
        return None
    with open(os.path.join(root, path), "rb") as file:
        found = INTERPRETER.match(file.readline())
    return found and ("python" if found[1] == b"python3" else "shell")


def files_in(root, *languages):
    return [path for path in source_files(root) if language(root, path) in languages]


def room(path):
    """Where a file belongs, for a count by room."""
    parts = path.split("/")
    return "/".join(parts[:2]) if parts[0] in ("tests", "sdk") and len(parts) > 2 else parts[0]


def need(program):
    """Ends the test as skipped where the program is missing."""
    if not shutil.which(program):
        print(f"no {program} on this machine")
        sys.exit(77)


def report(breaches, seen, least):
    """Prints the breaches and returns the exit status. A test that saw too little passes for nothing."""
    breaches = list(breaches)
    if seen < least:
        breaches.append(f"only {seen} files found, not {least}")
    for breach in breaches:
        print(breach)
    print(f"{seen} files, {len(breaches)} breaches")
    return 1 if breaches else 0
