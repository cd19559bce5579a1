#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Compiles the BPF programs for the simulator, from a copy of bpf/ and proto/ with one place changed.

usage: compile_programs.py ROOT OUTPUT DEPFILE MUTANT -- COMPILER ARG...

The text to change must occur exactly once. A change that no longer applies is an error, so that no
mutant silently becomes the original. In every copy the table of workers is enlarged; for the mutant
"none" that is the only difference from what the kernel runs.
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True  # the source tree stays as it is
sys.path.insert(1, str(pathlib.Path(__file__).parent.parent / "mutants"))
from mutants import MUTANTS
from mutation import Stale, replace_once

TABLE = ("proto/events.h", "MORPHEUS_MAX_WORKERS 16384u", "MORPHEUS_MAX_WORKERS 131072u")


def main():
    root, output, depfile, mutant = sys.argv[1:5]
    compiler = sys.argv[sys.argv.index("--") + 1:]
    root = pathlib.Path(root)
    sources = sorted([*root.glob("bpf/**/*.[ch]"), *root.glob("proto/*.h"), *root.glob("tests/sim/**/*.[ch]"),
                      root / "tests/sim/mutants.py", root / "tests/mutants/mutation.py"])
    with tempfile.TemporaryDirectory() as name:
        tree = pathlib.Path(name)
        for source in sources:
            place = source.relative_to(root)
            if place.parts[0] != "tests" and source.name != "vmlinux_roots.c":
                (tree / place).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, tree / place)
        try:
            for change in filter(None, (TABLE, MUTANTS[mutant])):
                replace_once(tree, *change)
        except Stale as error:
            sys.exit(f"compile_programs.py: {error}")
        sim = root / "tests/sim"
        command = [*compiler, f"-I{tree}", f"-I{sim}", "-isystem", f"{sim}/kernel", "-c",
                   f"{sim}/programs.c", "-o", output]
        status = subprocess.call(command)
    pathlib.Path(depfile).write_text(f"{output}: {' '.join(map(str, sources))}\n")
    return status


sys.exit(main())
