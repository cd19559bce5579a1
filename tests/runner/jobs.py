# SPDX-License-Identifier: GPL-2.0-only
"""What there is to run: each part of ./dev test as a list of jobs, which run by themselves and report results."""
from __future__ import annotations

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from typing import Callable

import fresh
import programs
from results import FAIL, PASS, SKIP, Result
from sources import copy_changes, is_clone

ALL_PARTS = ("unit", "integration", "fuzz", "kernel", "sanitize", "compilers", "cpython", "system", "fresh",
             "documents", "coverage")
PARTS = (*ALL_PARTS, "mutants")  # which takes too long for every full run
USUAL_PARTS = ALL_PARTS[:4]
OWN_BUILD = {"compilers", "fresh", "coverage", "mutants"}  # parts that use nothing of the build directory
USUAL_KERNELS = ("newest", "second")
ALL_KERNELS = ("newest", "7.0", "6.19", "second", "6.17", "6.16", "6.12")

_SANITIZED = {
    "address,undefined": ("unit/daemon_tests", "unit/proto_tests", "unit/sdk_tests", "unit/runtime_tests",
                          "integration/control_tests", "integration/sdk_tests"),
    "thread": ("unit/sdk_tests", "unit/runtime_tests", "unit/asio_tests", "integration/sdk_tests"),
}
_PACKAGES_FOR_SYSTEM = "mmdebstrap, dpkg-dev, debhelper, fakeroot, lintian"


@dataclass
class Settings:
    root: str
    build: str
    kernels: tuple[str, ...] = USUAL_KERNELS
    crashes: int = 4  # how often a kernel test kills the daemon
    shuffle: bool = False
    on_result: Callable[[Result], None] = lambda result: None

    def log(self, label):
        return os.path.join(self.build, "logs", "".join("-" if c in "/ " else c for c in label) + ".log")

    def path(self, *parts):
        return os.path.join(self.root, *parts)

    def built(self, *parts):
        return os.path.join(self.build, *parts)


@dataclass
class Job:
    label: str
    seconds: int  # about how long it takes on two cores: for sharing a run out
    run: Callable[[], list[Result]]
    uses_one_core: bool = False  # two such run side by side


def catch_program(settings, label, path, *, tests=(), environment=None):
    order = ["--order", "rand", "--rng-seed", "time"] if settings.shuffle else []
    return programs.run(label, [path, *tests, *order, *programs.REPORTERS], settings.log(label), environment=environment)


def _programs_of(settings, part):
    directory = settings.built("tests", part)
    names = sorted(os.listdir(directory)) if os.path.isdir(directory) else []
    return [os.path.join(directory, name) for name in names if name.endswith("_tests")]


# --- tests registered with meson that are no Catch2 programs (those are run for their single results) --------------

def _registered(settings, part):
    listed = subprocess.run(["meson", "introspect", settings.build, "--tests"], check=True, capture_output=True, text=True)
    for test in json.loads(listed.stdout):
        kind = next((k for k in ("integration", "kernel") if any(k in suite for suite in test["suite"])), "unit")
        if kind == part and not os.path.basename(test["cmd"][0]).endswith("_tests"):
            yield test["name"]


def _forget(path):
    """What an earlier run left must not count."""
    if os.path.exists(path):
        os.remove(path)


def run_registered(settings, part, names):
    _forget(settings.built("meson-logs", "registered.json"))
    with open(settings.log(part), "w", encoding="utf-8") as log:
        # on a crowded host a test takes longer, and has not failed for that
        subprocess.run(["meson", "test", "-C", settings.build, "--no-rebuild", "--logbase", "registered",
                        "--print-errorlogs", "--timeout-multiplier", "4", *names], stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False)
    words = {"OK": PASS, "EXPECTEDFAIL": PASS, "SKIP": SKIP}
    with open(settings.built("meson-logs", "registered.json"), encoding="utf-8") as file:
        # a name is "project:suite / name"
        return [Result(words.get(test["result"], FAIL), part, test["name"].rpartition(" / ")[2], test["duration"],
                       _last_words(test) if test["result"] == "SKIP" else "")
                for test in map(json.loads, file)]


def _last_words(test):
    return (test.get("stdout") or "").strip().rpartition("\n")[2].removeprefix("skipped: ")


# --- parts ---------------------------------------------------------------------------------------------------------

def _python(settings, part, tests, seconds=80):
    """The Python package's tests: always with the interpreter that it was built for."""
    if not os.path.isdir(tests) or not os.path.isdir(settings.built("sdk/python/morpheus")):
        return
    label = f"{part} python"
    python_path = os.pathsep.join((settings.built("sdk/python"), settings.path("tests/python")))
    # what failed is reported beside the results
    command = ["sh", "-c", 'exec "$@" >&2', "sh", "/usr/bin/python3", "-m", "pytest", "-q", "-p", "result_lines",
               "-p", "no:cacheprovider", tests]
    environment = {"PYTHONPATH": python_path, "PYTHONDONTWRITEBYTECODE": "1"}
    yield Job(label, seconds, lambda: programs.run(
        label, command, settings.log(label), limit=max(programs.TIME_LIMIT, 4 * seconds), environment=environment),
        uses_one_core=True)


def native_jobs(settings, part, without=()):
    """The jobs of unit or integration; `without` these tests that are registered with meson."""
    found = _programs_of(settings, part)
    if not found:
        missing = Result(FAIL, part, f"no test program in {settings.built('tests', part)}")
        yield Job(part, 0, lambda: [missing])
    for path in found:
        label = f"{part} {os.path.basename(path)}"
        yield Job(label, 20, lambda label=label, path=path: catch_program(settings, label, path), uses_one_core=True)
    names = [name for name in _registered(settings, part) if name not in without]
    if names:
        yield Job(f"{part} (meson)", 150, lambda: run_registered(settings, part, names))
    yield from _python(settings, part, settings.path("tests", part, "python"))


def _kernel(settings):
    if not _programs_of(settings, "kernel"):
        missing = Result(FAIL, "kernel", f"no test program in {settings.built('tests/kernel')}")
        yield Job("kernel", 0, lambda: [missing])
        return
    yield kernel_native(settings)
    names = list(_registered(settings, "kernel"))
    if names:
        yield Job("kernel (meson)", 30, lambda: run_registered(settings, "kernel", names))
    yield from _python(settings, "kernel", settings.path("tests/kernel/python"))
    if not settings.kernels:
        left_out = Result(SKIP, "kernel", "virtual machines (left out by --kernels none)")
        yield Job("kernel machines", 0, lambda: [left_out])
    for kernel in settings.kernels:
        yield Job(f"kernel {kernel}", 1000 + 15 * settings.crashes, lambda kernel=kernel: run_machine(settings, kernel),
                  uses_one_core=True)
    if "newest" in settings.kernels:
        yield Job("suspend", 30, lambda: run_suspend(settings), uses_one_core=True)


def kernel_native(settings):
    return Job("kernel native", 60, lambda: catch_program(
        settings, "kernel native", settings.built("tests/kernel/kernel_tests"), tests=["[observer]"]))


def run_machine(settings, kernel):
    label = f"kernel {kernel}"
    image = subprocess.run([settings.path("tests/vm/kernel"), "path", kernel], stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, text=True, check=False)
    if image.returncode != 0:
        # a build server has to have the kernels; elsewhere the network may just be away
        return [Result(FAIL if os.environ.get("CI") else SKIP, label, "the kernel cannot be fetched")]
    version = os.path.basename(image.stdout.strip())
    label = f"kernel {version}"
    # the newest kernel's CPUs share their caches; those of the others have a last-level cache each
    cpus = "2" if kernel == "newest" else "2,sockets=2"
    log = settings.log(label)
    # each kill costs two starts of the daemon, and those take seconds in an emulated machine
    limit = 4200 + 30 * settings.crashes
    command = [settings.path("tests/vm/run"), "--kernel", version, "--smp", cpus, "--timeout", str(limit),
               "--boot-log", f"{log}.boot", "--", "env", f"MORPHEUS_CRASHES={settings.crashes}",
               "/build/tests/kernel/kernel_tests", "~suspend:*", *programs.REPORTERS]
    return programs.run(label, command, log, limit=limit + 60, on_result=settings.on_result)


def run_suspend(settings):
    """A machine that sleeps (ACPI S3) and is woken by its clock. Its virtio ports do not survive that, so what the
    test says goes to the serial line, and the machine ends without a result."""
    label, log = "suspend", settings.log("suspend")
    _forget(log)
    script = (f"MORPHEUS_MAY_SUSPEND=1 tests/kernel/kernel_tests {' '.join(programs.REPORTERS)} --colour-mode none "
              "suspend:* >/dev/ttyS0 2>&1; echo b >/proc/sysrq-trigger")
    with open(f"{log}.out", "wb") as output:
        subprocess.run([settings.path("tests/vm/run"), "--append", "hpet=disable", "--timeout", "300", "--boot-log",
                        log, "--", "sh", "-c", script], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                       check=False)
    results = programs.read(label, log)
    return results or [Result(FAIL, label, "the machine reported no result")]


def _fuzz(settings):
    yield Job("fuzz", 120, lambda: programs.run(
        "fuzz", ["sh", "-c", 'exec "$@" >&2', "sh", settings.path("tests/fuzz/run"), "--smoke", "--seconds", "5"],
        settings.log("fuzz"), limit=1800))


def _sanitize(settings):
    for kinds, tests in _SANITIZED.items():
        kind = kinds.partition(",")[0]
        yield Job(f"sanitize {kind}", 660, lambda kinds=kinds, kind=kind, tests=tests:
                  run_sanitized(settings, kinds, kind, tests))


def run_sanitized(settings, kinds, kind, tests):
    """Builds these tests again in a directory of their own with these sanitizers, and runs them."""
    directory, label = f"{settings.build}-{kind}", f"sanitize {kind}"
    # With what the sanitizers add to the code g++ takes variables in Boost for uninitialized, and tests the address
    # of a thread-local variable for null by flags that are gone once the linker has made its "add" a "lea".
    options = ["-Dwerror=false", f"-Db_sanitize={kinds}", "-Db_lundef=false", "-Dpython=",
               *(f"-D{language}_args=-fno-sanitize=null" for language in ("c", "cpp"))]
    faults = build_apart(settings, label, directory, options,
                         ["daemon/morpheusd", "daemon/ctl/morpheusctl", *(f"tests/{test}" for test in tests)])
    if faults:
        return faults
    # programs of the tests that have to die are children of theirs
    environment = {"MORPHEUS_BUILD_DIR": directory, "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
                   "TSAN_OPTIONS": f"suppressions={settings.path('tests/unit/sdk/tsan.supp')}:halt_on_error=1:"
                                   "die_after_fork=0"}
    results = []
    for test in tests:
        results += catch_program(settings, f"{label} {test}", os.path.join(directory, "tests", test),
                                 environment=environment)
    return results


def _compilers(settings):
    yield Job("compilers clang", 700, lambda: run_clang(settings))


def run_clang(settings):
    """Builds everything again with clang, where a warning is an error, and runs the unit programs of that build.
    Each file by itself, so that none lives on what another one includes."""
    directory, label = f"{settings.build}-clang", "compilers clang"
    faults = build_apart(settings, label, directory, ["-Dwerror=true", "-Dunity=off"], [], {"CC": "clang-19", "CXX": "clang++-19"})
    if faults:
        return faults
    results = [Result(PASS, label, "builds without a warning")]
    unit = os.path.join(directory, "tests", "unit")
    for name in sorted(name for name in os.listdir(unit) if name.endswith("_tests")):
        results += catch_program(settings, f"{label} {name}", os.path.join(unit, name),
                                 environment={"MORPHEUS_BUILD_DIR": directory})
    return results


def build_apart(settings, label, directory, options, targets, environment=None):
    """Builds these targets, all of them if none is named, in a directory of their own. A failure if that fails."""
    log = settings.log(f"{label} build")
    with open(log, "w", encoding="utf-8") as output:
        def run(*command):
            return subprocess.run(command, stdout=output, stderr=output, env={**os.environ, **(environment or {})},
                                  check=False).returncode
        if not os.path.exists(os.path.join(directory, "build.ninja")):
            run("meson", "setup", directory, settings.root, *options)
        if run("ninja", "-C", directory, *targets) == 0:
            return []
    return [Result(FAIL, label, f"does not build (log: {log})")]


def _system(settings):
    yield Job("system", 900, lambda: run_system(settings), uses_one_core=True)


def run_system(settings):
    """Builds the packages, and boots a Debian of its own with them; see tests/system/run."""
    log = settings.log("system packages")
    with open(log, "w", encoding="utf-8") as output:
        built = subprocess.run([settings.path("packaging/build")], stdout=output, stderr=output, check=False)
    if built.returncode != 0:
        return [Result(FAIL, "system", f"the packages do not build (log: {log}; needed: {_PACKAGES_FOR_SYSTEM})")]
    packages = settings.built("package")
    to_stderr = ["sh", "-c", 'exec "$@" >&2', "sh"]
    results = programs.run("system contents", [*to_stderr, settings.path("tests/system/contents"), packages],
                           settings.log("system contents"))
    log = settings.log("system")
    return results + programs.run("system", [
        *to_stderr, settings.path("tests/system/run"), "newest", packages, settings.built("tests/system/system_app"),
        log + ".machine"], log, limit=3600, on_result=settings.on_result)


def _fresh(settings):
    for release in fresh.RELEASES:
        yield Job(f"fresh {release}", 2400, lambda release=release: fresh.run_release(settings, release))


def _documents(settings):
    yield Job("documents", 3600, lambda: run_documents(settings))


def run_documents(settings):
    """The documents' commands that build and measure, as a newcomer types them: in a copy of the source tree."""
    _forget(settings.log("documents"))
    with tempfile.TemporaryDirectory() as scratch:
        tree, blocks = os.path.join(scratch, "tree"), os.path.join(scratch, "blocks")
        if not is_clone(settings.root):
            return [Result(SKIP, "documents", "this is no clone")]
        subprocess.run(["git", "clone", "-q", "--shared", settings.root, tree], check=True)
        copy_changes(settings.root, tree)
        subprocess.run([settings.path("tests/commands.py"), settings.root, "dev", blocks], check=True)
        return [_run_block(settings, tree, os.path.join(blocks, name)) for name in sorted(os.listdir(blocks))]


def _run_block(settings, tree, block):
    with open(block, encoding="utf-8") as file:
        name = file.readline().removeprefix("# ").rstrip("\n")
    environment = {key: value for key, value in os.environ.items() if key != "MORPHEUS_BUILD_DIR"}
    with open(settings.log("documents"), "a", encoding="utf-8") as log:
        log.write(f"=== {name}\n")
        log.flush()
        ended = subprocess.run(["timeout", "--kill-after=10", "3600", "sh", "-e", block], cwd=tree, env=environment,
                               stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False)
    result = Result(PASS if ended.returncode == 0 else FAIL, "documents", name)
    settings.on_result(result)
    return result


def _cpython(settings):
    yield from _python(settings, "cpython", settings.path("tests/cpython"), 900)


_JOBS_OF = {"kernel": _kernel, "fuzz": _fuzz, "sanitize": _sanitize, "compilers": _compilers, "cpython": _cpython,
            "system": _system, "fresh": _fresh, "documents": _documents}


def jobs_of(settings, part):
    return list(_JOBS_OF[part](settings) if part in _JOBS_OF else native_jobs(settings, part))


def share_out(jobs, number, count):
    """The jobs of share `number` (from 1) of `count`: each job goes to the share that has least to do so far, the
    longest first; the same on every machine."""
    loads, mine = [0] * count, []
    for job in sorted(jobs, key=lambda j: (-j.seconds, j.label)):
        least = loads.index(min(loads))
        loads[least] += job.seconds
        if least == number - 1:
            mine.append(job)
    return [job for job in jobs if job in mine]
