#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Compiles every public header alone, as its users may: by both compilers, in the oldest and the
newest standard of its language, with all usual warnings as errors.

What must not compile is refused in words.

usage: headers_test.py CLANG SOURCE_INCLUDE BUILD_INCLUDE       exit 77: a compiler is missing
"""
import concurrent.futures
import os
import shutil
import subprocess
import sys

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Wsign-conversion", "-Werror"]
C_WARNINGS = ["-Wstrict-prototypes"]
CPP_WARNINGS = ["-Wold-style-cast", "-Wnon-virtual-dtor", "-Woverloaded-virtual"]
# Not required of the machine that tests.
OPTIONAL = {"morpheus/adapters/tbb.hpp": "tbb/task_arena.h"}
A_DECLARATION = "extern int a_unit_must_not_be_empty;\n"
# What is refused: extra options, a program, and the words in which. Without the other standard library, the name
# by which it gives itself away does.
REFUSED = [
    (["-D_LIBCPP_VERSION=190000"], "#include <morpheus/runtime.hpp>", "needs libstdc++"),
    ([], "#include <morpheus/runtime.hpp>\nmorpheus::task<> t() { co_await std::suspend_always(); }",
     "would suspend the task for ever"),
]


def headers(include):
    """Those of morpheus/ and its folders but detail/, which programs do not include themselves."""
    for directory, folders, files in os.walk(os.path.join(include, "morpheus")):
        folders[:] = sorted(set(folders) - {"detail"})
        for name in sorted(files):
            if name.endswith((".h", ".hpp")):
                yield os.path.relpath(os.path.join(directory, name), include)


def ways(clang, header):
    """The commands that must accept the header."""
    for cc, cxx in (("gcc", "g++"), (clang, clang.replace("clang", "clang++"))):
        if header.endswith(".h"):
            yield [cc, "-xc", "-std=c11", *C_WARNINGS]
            yield [cxx, "-xc++", "-std=c++11", *CPP_WARNINGS]
        else:
            yield [cxx, "-xc++", "-std=c++20", *CPP_WARNINGS]
            yield [cxx, "-xc++", "-std=c++23", *CPP_WARNINGS]


def including(header):
    needed = OPTIONAL.get(header, header)
    return f"#if __has_include(<{needed}>)\n#include <{header}>\n#endif\n{A_DECLARATION}"


def compile_text(command, text, includes):
    """What the compiler says if it refuses the text."""
    done = subprocess.run([*command, *WARNINGS, "-fsyntax-only", *(f"-I{path}" for path in includes), "-"],
                          input=text, capture_output=True, text=True, check=False)
    return done.stderr if done.returncode != 0 else ""


def main():
    if len(sys.argv) != 4:
        print(__doc__, file=sys.stderr)
        return 64
    clang, *includes = sys.argv[1:]
    for tool in ("gcc", "g++", clang, clang.replace("clang", "clang++")):
        if not shutil.which(tool):
            print(f"skipped: needs {tool}")
            return 77
    jobs = [(command, header) for include in includes for header in headers(include) for command in ways(clang, header)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        said = list(pool.map(lambda job: compile_text(job[0], including(job[1]), includes), jobs))
    failed = 0
    for (command, header), text in zip(jobs, said):
        if text:
            failed += 1
            print(f"{header}, {' '.join(command[:3])}:\n{text}")
    for options, program, words in REFUSED:
        if words not in compile_text([clang.replace("clang", "clang++"), "-xc++", "-std=c++20", *options], program, includes):
            failed += 1
            print(f"not refused in words: {program}")
    print(f"{len(jobs)} compilations, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
