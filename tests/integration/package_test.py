#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Installs the project into a directory of its own and uses what is there as its users would: a C
program by pkg-config, shared and static, a C++ program by CMake, and a program that links nothing
of it.

usage: package_test.py BUILD_DIR        exit 77: meson, pkg-config or a compiler is missing
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

C_PROGRAM = """
#include <morpheus/morpheus.h>
#include <stdio.h>
int main(void) {
    struct morpheus_safepoint sp = morpheus_safepoint_get();
    int fired = morpheus_checkpoint(&sp);
    printf("%s %d\\n", morpheus_version(), fired);
    return 0;
}
"""
LINKS_NOTHING = """
#include <morpheus/safepoint_only.h>
#include <stdio.h>
int main(void) {
    struct morpheus_safepoint sp = morpheus_safepoint_find();
    int fired = morpheus_checkpoint(&sp);
    printf("%s %d\\n", morpheus_safepoint_get ? "present" : "absent", fired);
    return 0;
}
"""
CPP_PROGRAM = """
#include <morpheus/runtime.hpp>
#include <cstdio>
morpheus::task<int> answer() { co_return 42; }
int main() {
  morpheus::runtime runtime({.threads = 1, .guided = false});
  std::printf("%d\\n", runtime.run(answer()));
}
"""
CMAKE = """
cmake_minimum_required(VERSION 3.16)
project(uses_morpheus CXX)
find_package(morpheus 0.1 REQUIRED)
add_executable(shared main.cpp)
target_link_libraries(shared morpheus::morpheus)
add_executable(static main.cpp)
target_link_libraries(static morpheus::static)
"""


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


def check(what, got, expected):
    if not re.fullmatch(expected, got):
        sys.exit(f"{what}: {got!r} instead of {expected!r}")
    print(f"{what}: {got}")


def write(directory, name, text):
    path = os.path.join(directory, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def find(top, name):
    for directory, _, files in os.walk(top):
        if name in files:
            return directory
    sys.exit(f"{name} is not installed")


def use_with_pkg_config(top, work):
    config = find(top, "morpheus.pc")
    with open(os.path.join(config, "morpheus.pc"), encoding="utf-8") as file:
        prefix = re.search(r"^prefix=(.*)$", file.read(), flags=re.M)[1]
    libraries = os.path.dirname(config)
    environment = {**os.environ, "PKG_CONFIG_PATH": config}
    query = ["pkg-config", f"--define-variable=prefix={top}{prefix}"]
    flags = run(*query, "--cflags", "--libs", "morpheus", env=environment).split()
    cflags = run(*query, "--cflags", "morpheus", env=environment).split()
    source = write(work, "main.c", C_PROGRAM)
    at = {**os.environ, "LD_LIBRARY_PATH": libraries}
    run("cc", source, *flags, "-o", f"{work}/shared")
    check("C, shared", run(f"{work}/shared", env=at), r"\d+\.\d+\.\d+ 0")
    run("cc", source, *cflags, f"{libraries}/libmorpheus.a", "-lstdc++", "-lm", "-pthread", "-o", f"{work}/static")
    check("C, static", run(f"{work}/static"), r"\d+\.\d+\.\d+ 0")
    run("cc", write(work, "nothing.c", LINKS_NOTHING), *cflags, "-o", f"{work}/nothing")
    check("links nothing", run(f"{work}/nothing"), "absent 0")
    preload = {**os.environ, "LD_PRELOAD": f"{libraries}/libmorpheus.so"}
    check("links nothing, library preloaded", run(f"{work}/nothing", env=preload), "present 0")
    versions = run("objdump", "-T", f"{libraries}/libmorpheus.so")
    if not re.search(r"MORPHEUS_0\s+morpheus_attach$", versions, flags=re.M):
        sys.exit("morpheus_attach carries no version")
    loose = [line for line in versions.splitlines() if " morpheus_" in line and "MORPHEUS_" not in line]
    if loose:
        sys.exit("without a version: " + "; ".join(loose))


def use_with_cmake(top, work):
    if not shutil.which("cmake"):
        print("CMake: skipped, it is not installed")
        return
    write(work, "main.cpp", CPP_PROGRAM)
    write(work, "CMakeLists.txt", CMAKE)
    run("cmake", "-S", work, "-B", f"{work}/build", f"-Dmorpheus_DIR={find(top, 'morpheusConfig.cmake')}")
    run("cmake", "--build", f"{work}/build")
    check("C++ by CMake, shared", run(f"{work}/build/shared"), "42")
    check("C++ by CMake, static", run(f"{work}/build/static"), "42")


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 64
    for tool in ("meson", "pkg-config", "cc", "objdump"):
        if not shutil.which(tool):
            print(f"skipped: needs {tool}")
            return 77
    with tempfile.TemporaryDirectory() as top:
        run("meson", "install", "-C", sys.argv[1], "--no-rebuild", "--destdir", f"{top}/root")
        work = os.path.join(top, "work")
        os.mkdir(work)
        use_with_pkg_config(f"{top}/root", work)
        use_with_cmake(f"{top}/root", work)
    return 0


sys.exit(main())
