#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Installs the project into a directory of its own and uses what is there as its users would: a C
program and a C++ program by pkg-config and by CMake, shared and static, and a program that links
nothing of it.

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
# A user's own build may check the standard library's containers, or the memory.
CPP_FLAGS = {"": [], " with _GLIBCXX_DEBUG": ["-D_GLIBCXX_DEBUG"], " with ASan": ["-fsanitize=address"]}
CPP_USES_CONTAINERS = """
#include <morpheus/runtime.hpp>
#include <morpheus/yield.hpp>
#include <cstdio>
morpheus::task<int> count() {
  co_await morpheus::yield();
  co_return static_cast<int>(morpheus::tasks().size());
}
int main() {
  morpheus::runtime runtime({.threads = 2, .cpus = {0}, .guided = false, .name = "mine"});
  const int tasks = runtime.run(count());
  std::printf("%d %zu %u\\n", tasks, runtime.stats().size(), runtime.stats()[1].thread);
}
"""
USED_AFTER_ITS_END = """
#include <morpheus/runtime.hpp>
#include <morpheus/yield.hpp>
#include <cstdio>
morpheus::task<int*> dangling() { int local = 3; co_await morpheus::yield(); co_return &local; }
morpheus::task<int> use() { int* kept = co_await dangling(); co_return *kept; }
int main() {
  morpheus::runtime runtime({.threads = 1, .guided = false});
  std::printf("%d\\n", runtime.run(use()));
}
"""
# Everything that passes between threads, through a library that is not compiled for the sanitizer.
USES_MANY_THREADS = r"""
#include <morpheus/blocking.hpp>
#include <morpheus/cancellation.hpp>
#include <morpheus/channel.hpp>
#include <morpheus/event.hpp>
#include <morpheus/mutex.hpp>
#include <morpheus/runtime.hpp>
#include <morpheus/scope.hpp>
#include <morpheus/sleep.hpp>
#include <morpheus/when_all.hpp>
#include <morpheus/when_any.hpp>
#include <morpheus/yield.hpp>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>
using morpheus::task;
task<long> sum(const long* from, long n) {
  if (n > 16) {
    auto [a, b] = co_await morpheus::when_all(sum(from, n / 2), sum(from + n / 2, n - n / 2));
    co_return a + b;
  }
  long total = 0;
  for (long i = 0; i < n; ++i) total += from[i];
  co_await morpheus::yield();
  co_return total;
}
task<> produce(morpheus::channel<std::string>& out, int n) {
  for (int i = 0; i < n; ++i) {
    const bool sent = co_await out.send(std::to_string(i));
    if (!sent) co_return;
    if (i % 16 == 0) co_await morpheus::sleep_for(std::chrono::microseconds(50));
  }
}
task<> consume(morpheus::channel<std::string>& in, morpheus::mutex& lock, long& letters) {
  while (auto text = co_await in.receive()) {
    auto held = co_await lock.lock();
    letters += static_cast<long>(text->size());
  }
}
task<long> talk() {
  morpheus::channel<std::string> channel(4);
  morpheus::mutex lock;
  morpheus::event done;
  long letters = 0;
  int blocked = 0;
  morpheus::scope consumers;
  for (int i = 0; i < 4; ++i) consumers.spawn(consume(channel, lock, letters));
  co_await morpheus::when_all(produce(channel, 500), produce(channel, 500), produce(channel, 500));
  channel.close();
  co_await consumers.join();
  for (int i = 0; i < 20; ++i) co_await morpheus::blocking([&] { ++blocked; });
  std::thread other([&] { blocked += 2; done.set(); });
  co_await done;
  other.join();
  co_return letters + blocked;
}
task<> wait(morpheus::event& never, std::atomic<int>& stopped) {
  try {
    co_await morpheus::with_timeout(std::chrono::hours(1), never);
  } catch (const morpheus::cancelled&) {
    ++stopped;
  }
}
task<> send_both(morpheus::channel<int>& a, morpheus::channel<int>& b) {
  (void)co_await a.send(1);
  (void)co_await b.send(1);
}
task<int> stop_and_select() {
  std::atomic<int> stopped = 0;
  int got = 0;
  for (int round = 0; round < 100; ++round) {
    morpheus::event never;
    morpheus::channel<int> a(0), b(0);
    morpheus::scope scope;
    for (int i = 0; i < 8; ++i) scope.spawn(wait(never, stopped));
    scope.spawn([](auto& never, auto& stopped) -> task<> {
      co_await morpheus::when_all(wait(never, stopped), wait(never, stopped));
    }(never, stopped));
    auto sender = morpheus::spawn(send_both(a, b));
    auto [from_a, from_b] = co_await morpheus::when_any(a.receive(), b.receive());
    auto rest = from_a ? co_await b.receive() : co_await a.receive();
    got += (from_a ? **from_a : **from_b) + *rest;
    co_await sender;
    std::thread stopper([&scope] { scope.request_stop(); });
    co_await scope.join();
    stopper.join();
  }
  co_return stopped + got;
}
int main() {
  std::vector<long> numbers(20'000, 1);
  for (unsigned threads : {1U, 4U}) {
    morpheus::runtime runtime({.threads = threads, .guided = false});
    long total = 0;
    for (int i = 0; i < 10; ++i) total += runtime.run(sum(numbers.data(), 20'000));
    const long talked = runtime.run(talk());
    std::printf("%ld %ld %d\n", total, talked, runtime.run(stop_and_select()));
  }
}
"""
MOST_STATIC_TLS = 32  # bytes, of the few that a program lends to libraries which are loaded late
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


    thread_local = re.search(r"^\s*TLS\s.*\n?.*", run("readelf", "-lW", f"{libraries}/libmorpheus.so"), flags=re.M)[0]
    size = int(thread_local.split()[5], 16)
    if size > MOST_STATIC_TLS:
        sys.exit(f"{size} bytes of static TLS: {thread_local}")
    use_in_cpp(work, cflags, flags, libraries)


def use_in_cpp(work, cflags, flags, libraries):
    at = {**os.environ, "LD_LIBRARY_PATH": libraries}
    source = write(work, "containers.cc", CPP_USES_CONTAINERS)
    for what, extra in CPP_FLAGS.items():
        run("c++", "-std=c++20", *extra, source, *flags, "-o", f"{work}/containers")
        check("C++, shared" + what, run(f"{work}/containers", env=at), "1 2 1")
    run("c++", "-std=c++20", source, *cflags, f"{libraries}/libmorpheus.a", "-pthread", "-o", f"{work}/containers")
    check("C++, static", run(f"{work}/containers"), "1 2 1")
    run("c++", "-std=c++20", "-g", "-fsanitize=address", write(work, "dangling.cc", USED_AFTER_ITS_END), *flags,
        "-o", f"{work}/dangling")
    seen = subprocess.run([f"{work}/dangling"], capture_output=True, text=True, env=at, check=False)
    if "heap-use-after-free" not in seen.stderr:
        sys.exit(f"ASan does not see the use of a frame that has ended: {seen.stdout}{seen.stderr}")
    print("C++ with ASan: it sees the use of a frame that has ended")
    run("c++", "-std=c++20", "-O1", "-g", "-fsanitize=thread", write(work, "threads.cpp", USES_MANY_THREADS), *flags,
        "-o", f"{work}/threads")
    check("C++ with TSan", run(f"{work}/threads", env=at), "200000 4192 1200\n200000 4192 1200")


def use_with_cmake(top, work):
    if not shutil.which("cmake"):
        print("CMake: skipped, it is not installed")
        return
    write(work, "main.cpp", CPP_PROGRAM)
    write(work, "CMakeLists.txt", CMAKE)
    # Through a link, as where /lib is one to /usr/lib.
    there = find(top, "morpheusConfig.cmake")
    os.symlink(os.path.dirname(os.path.dirname(there)), f"{work}/linked")
    run("cmake", "-S", work, "-B", f"{work}/build", f"-Dmorpheus_DIR={work}/linked/cmake/morpheus")
    run("cmake", "--build", f"{work}/build")
    check("C++ by CMake, shared", run(f"{work}/build/shared"), "42")
    check("C++ by CMake, static", run(f"{work}/build/static"), "42")


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 64
    for tool in ("meson", "pkg-config", "cc", "c++", "objdump", "readelf"):
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
