#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The program that runs and counts the tests: nothing that fails may go uncounted.

usage: runner_test.py SOURCE_ROOT
"""
import contextlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from unittest import mock

ROOT = sys.argv.pop(1)
RUNNER = os.path.join(ROOT, "tests", "runner")
sys.dont_write_bytecode = True
sys.path.insert(0, RUNNER)
import coverage  # noqa: E402
import fresh  # noqa: E402
import jobs  # noqa: E402
import mutants  # noqa: E402
import programs  # noqa: E402
import sources  # noqa: E402
import summary  # noqa: E402
from results import FAIL, PASS, SKIP, CannotJoin, Result, Run, join, what_failed  # noqa: E402


def words(results):
    return [result.word for result in results]


def state_of(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "gone"


class Programs(unittest.TestCase):
    def setUp(self):
        self._directory = tempfile.TemporaryDirectory()
        self.addCleanup(self._directory.cleanup)

    def run_script(self, script, **options):
        log = os.path.join(self._directory.name, "log")
        return programs.run("it", ["sh", "-c", script], log, **options)

    def test_each_result_is_counted_by_its_meaning(self):
        results = self.run_script("""
            for word in PASS SKIP XFAIL; do echo ":test-result: $word a $word" >&2; done
            echo "not a result" >&2; echo ":test-result: PASS on the wrong stream" """)
        self.assertEqual(words(results), [PASS, SKIP, PASS])
        self.assertEqual(results[1].test, "a SKIP")
        results = self.run_script(":; echo ':test-result: XPASS x' >&2; echo ':test-result: ERROR y' >&2; exit 2")
        self.assertEqual(words(results), [FAIL, FAIL])

    def test_a_skipped_test_has_its_reason(self):
        results = self.run_script(r"""
            printf 'x:7: \033[33mSKIPPED:\033[0m\nexplicitly with message:\n  needs root,\n  to go on\n\n' >&2
            echo ':test-result: SKIP one' >&2; echo ':test-result: SKIP two' >&2; echo ':test-result: PASS three' >&2""")
        self.assertEqual([str(result) for result in results],
                         ["SKIP it: one (needs root, to go on)", "SKIP it: two", "PASS it: three"])

    def test_colours_and_carriage_returns_of_a_machine_do_not_hide_a_result(self):
        results = self.run_script(r"printf ':test-result: \033[31mFAIL a test\033[0m\r\n' >&2; exit 1")
        self.assertEqual(words(results), [FAIL])
        self.assertEqual(results[0].test, "a test")

    def test_an_end_that_the_results_do_not_explain_is_a_failure(self):
        one = "echo ':test-result: PASS one' >&2;"
        self.assertEqual(words(self.run_script(one + "exit 3")), [PASS, FAIL])
        self.assertEqual(words(self.run_script(one + "kill -SEGV $$")), [PASS, FAIL])
        self.assertEqual(words(self.run_script("exit 1")), [FAIL])
        failing = one + "echo ':test-result: FAIL two' >&2;"
        self.assertEqual(words(self.run_script(failing + "exit 1")), [PASS, FAIL])
        self.assertEqual(words(self.run_script(failing + "exit 125")), [PASS, FAIL, FAIL])

    def test_all_skipped_is_no_failure_but_nothing_at_all_is(self):
        self.assertEqual(words(self.run_script("echo ':test-result: SKIP one' >&2; exit 4")), [SKIP])
        self.assertEqual(words(self.run_script("exit 4")), [FAIL])

    def test_a_program_that_hangs_is_ended_with_what_it_started(self):
        pid_file = os.path.join(self._directory.name, "pid")
        started = time.monotonic()
        results = self.run_script(f"sleep 1000 & echo $! >{pid_file}; echo ':test-result: PASS one' >&2; wait", limit=1)
        self.assertLess(time.monotonic() - started, 30)
        self.assertEqual(words(results), [PASS, FAIL])
        self.assertIn("status 124", results[1].test)
        with open(pid_file, encoding="utf-8") as file:
            pid = file.read().strip()
        self.assertIn(state_of(pid), ("gone", "Z"))

    def test_what_an_ended_program_left_running_is_not_waited_for(self):
        started = time.monotonic()
        results = self.run_script("(sleep 1; echo ':test-result: PASS last words' >&2; exec sleep 1000) & exit 0", limit=60)
        self.assertLess(time.monotonic() - started, 30)
        self.assertEqual(words(results), [PASS])

    def test_what_failed_is_shown_and_what_passed_is_not(self):
        log = "noise\n:test-result: PASS one\nline 1: FAILED:\n  CHECK( x )\n:test-result: FAIL two\nmore\n"
        self.assertEqual(what_failed(log), "line 1: FAILED:\n  CHECK( x )")
        self.assertEqual(what_failed("first\nlast\n", most=1), "last")


class Compilers(unittest.TestCase):
    def clang(self, ninja):
        """run_clang with a meson and a ninja of ours, and one unit program that clang "built"."""
        with tempfile.TemporaryDirectory() as directory:
            build, unit = os.path.join(directory, "build"), os.path.join(directory, "build-clang", "tests", "unit")
            for path in (os.path.join(build, "logs"), unit):
                os.makedirs(path)
            for path, script in ((os.path.join(directory, "meson"), 'echo "$CC $CXX $*"'),
                                 (os.path.join(directory, "ninja"), ninja),
                                 (os.path.join(unit, "some_tests"), "echo ':test-result: PASS one' >&2")):
                with open(path, "w", encoding="utf-8") as file:
                    file.write(f"#!/bin/sh\n{script}\n")
                os.chmod(path, 0o755)
            with mock.patch.dict(os.environ, PATH=f"{directory}:{os.environ['PATH']}"):
                results = jobs.run_clang(jobs.Settings("/source", build))
            with open(os.path.join(build, "logs", "compilers-clang-build.log"), encoding="utf-8") as log:
                return results, log.read(), build

    def test_the_tree_is_built_with_clang_and_its_unit_programs_count(self):
        results, log, build = self.clang("exit 0")
        self.assertEqual(log, f"clang-19 clang++-19 setup {build}-clang /source -Dwerror=true -Dunity=off\n")
        self.assertEqual([(result.word, result.test) for result in results],
                         [(PASS, "builds without a warning"), (PASS, "one")])

    def test_a_warning_of_clang_is_a_failure(self):
        results, log, _ = self.clang("echo 'error: unused [-Werror,-Wunused]'; exit 1")
        self.assertEqual(words(results), [FAIL])
        self.assertIn("unused", log)


class Shares(unittest.TestCase):
    def test_every_job_is_in_exactly_one_share(self):
        every = [jobs.Job(f"job {n}", seconds, list) for n, seconds in enumerate((600, 600, 120, 60, 20, 20, 20, 0))]
        for count in range(1, 10):
            shares = [jobs.share_out(every, number, count) for number in range(1, count + 1)]
            self.assertEqual(sorted(job.label for share in shares for job in share), sorted(job.label for job in every))
        loads = [sum(job.seconds for job in jobs.share_out(every, number, 2)) for number in (1, 2)]
        self.assertEqual(sum(loads), 1440)
        self.assertLessEqual(abs(loads[0] - loads[1]), 20)

    def test_shares_join_to_what_one_run_counts(self):
        one = Run("abc", "m", "1/2", "unit", [Result(PASS, "a", "x"), Result(SKIP, "a", "y")], {"a": 1.0})
        two = Run("abc", "n", "2/2", "unit", [Result(FAIL, "b", "z")], {"b": 2.0})
        self.assertEqual(join([two, one]).closing_line(), "1 passed, 1 failed, 1 skipped")

    def test_what_is_no_whole_does_not_join(self):
        def run(share, commit="abc", selection="unit"):
            return Run(commit, "m", share, selection)
        for runs, why in (([run("1/2")], "missing: the share 2/2"),
                          ([run("1/2"), run("2/2", commit="def")], "commits: abc, def"),
                          ([run("1/2"), run("2/2", selection="fuzz")], "selections: fuzz, unit"),
                          ([run("1/2"), run("2/2"), run("2/2")], "twice"),
                          ([run("1/2"), run("2/3")], "not the shares"),
                          ([run("")], "not the shares")):
            with self.assertRaisesRegex(CannotJoin, why):
                join(runs)


class Parts(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.settings = jobs.Settings(ROOT, directory.name, kernels=())
        os.makedirs(self.settings.built("tests/kernel"))
        with open(self.settings.built("tests/kernel/kernel_tests"), "w", encoding="utf-8"):
            pass

    def test_machines_that_are_left_out_count_as_skipped(self):
        with mock.patch.object(jobs, "_registered", return_value=[]):
            listed = jobs.jobs_of(self.settings, "kernel")
            self.assertEqual([job.label for job in listed], ["kernel native", "kernel machines"])
            self.assertEqual(words(listed[1].run()), [SKIP])
            self.settings.kernels = ("newest",)
            self.assertNotIn("kernel machines", [job.label for job in jobs.jobs_of(self.settings, "kernel")])

    def test_each_release_is_a_job_and_needs_root(self):
        listed = jobs.jobs_of(self.settings, "fresh")
        self.assertEqual([job.label for job in listed], ["fresh 12", "fresh 13"])
        with mock.patch("os.geteuid", return_value=1000):
            self.assertEqual([words(job.run()) for job in listed], [[SKIP], [SKIP]])

    def test_results_from_inside_a_release_are_counted_and_their_absence_fails(self):
        with tempfile.TemporaryDirectory() as root:
            logs = os.path.join(root, "root/morpheus/build/logs")
            os.makedirs(logs)
            self.assertEqual(words(fresh.results_inside(self.settings, "fresh 12", root)), [FAIL])
            self.assertEqual(words(fresh.results_inside(self.settings, "fresh 12", "/nonexistent")), [FAIL])
            Run(results=[Result(PASS, "unit", "x"), Result(SKIP, "kernel", "y")]).save(os.path.join(logs, "results.json"))
            results = fresh.results_inside(self.settings, "fresh 12", root)
            self.assertEqual([str(result) for result in results], ["PASS fresh 12 unit: x", "SKIP fresh 12 kernel: y"])


@unittest.skipUnless(shutil.which("git"), "git is missing")
class Sources(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root, self.clone = os.path.join(directory.name, "root"), os.path.join(directory.name, "clone")
        self.git("init", "-q", self.root)
        for name in ("kept", "changed", "deleted"):
            self.write(name, "old")
        self.git("-C", self.root, "add", ".")
        self.git("-C", self.root, "-c", "user.name=x", "-c", "user.email=x@x", "commit", "-q", "-m", "x")

    def git(self, *arguments):
        subprocess.run(["git", *arguments], check=True)

    def write(self, name, text):
        with open(os.path.join(self.root, name), "w", encoding="utf-8") as file:
            file.write(text)

    def test_a_copy_has_what_is_not_committed(self):
        self.write("changed", "new")
        self.write("added", "new")
        os.remove(os.path.join(self.root, "deleted"))
        self.git("clone", "-q", self.root, self.clone)
        sources.copy_changes(self.root, self.clone)
        self.assertEqual(sorted(os.listdir(self.clone)), [".git", "added", "changed", "kept"])
        with open(os.path.join(self.clone, "changed"), encoding="utf-8") as file:
            self.assertEqual(file.read(), "new")

    def test_a_tarball_inside_another_clone_is_no_clone(self):
        unpacked = os.path.join(self.root, "unpacked")
        os.mkdir(unpacked)
        self.assertTrue(sources.is_clone(self.root))
        self.assertRegex(sources.commit_of(self.root), "^[0-9a-f]{7}")
        self.assertFalse(sources.is_clone(unpacked))
        self.assertEqual(sources.commit_of(unpacked), "unknown")


class CommandLine(unittest.TestCase):
    def call(self, *arguments):
        environment = {**os.environ, "MORPHEUS_BUILD_DIR": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run([sys.executable, RUNNER, *arguments], capture_output=True, text=True, env=environment,
                              check=False)

    def test_what_cannot_be_asked_for_is_named(self):
        for arguments, what in ((["nonsense"], "nonsense"), (["--part", "3/2"], "3/2"), (["--all", "unit"], "--all"),
                                (["--repeat", "0"], "--repeat"), (["--repeat", "x"], "x")):
            ended = self.call(*arguments)
            self.assertEqual(ended.returncode, 64, arguments)
            self.assertIn(what, ended.stderr)
            self.assertEqual(ended.stdout, "")

    def test_joined_files_close_as_one_run(self):
        with tempfile.TemporaryDirectory() as directory:
            names = [os.path.join(directory, name) for name in ("1", "2")]
            Run("abc", "m", "1/2", "unit", [Result(PASS, "a", "x")]).save(names[0])
            Run("abc", "m", "2/2", "unit", [Result(FAIL, "b", "z")]).save(names[1])
            ended = self.call("--join", *names)
            self.assertEqual(ended.returncode, 1)
            self.assertEqual(ended.stdout.splitlines()[-1], "1 passed, 1 failed, 0 skipped")
            ended = self.call("--join", names[0])
            self.assertEqual(ended.returncode, 65)
            self.assertIn("2/2", ended.stderr)

    def test_a_log_that_is_missing_holds_no_results(self):
        self.assertEqual(programs.read("it", "/nonexistent/log"), [])

    def play(self, script):
        """What a script prints that has `runner`, `jobs` and a `report`, and how it ended."""
        with tempfile.TemporaryDirectory() as directory:
            script = f"""
import importlib.util, sys, threading, time
sys.path.insert(0, {RUNNER!r})
spec = importlib.util.spec_from_file_location("runner", {os.path.join(RUNNER, "__main__.py")!r})
runner = importlib.util.module_from_spec(spec)
spec.loader.exec_module(runner)
import jobs
run = runner.Run()
report = runner.Report(runner.Settings({ROOT!r}, {directory!r}), run)
{script}"""
            return subprocess.run([sys.executable, "-B", "-c", script], capture_output=True, text=True, check=False)

    def test_a_job_that_cannot_run_fails_and_the_next_one_runs(self):
        ended = self.play("""
def missing(): raise FileNotFoundError("no such program")
runner.play([jobs.Job("gone", 1, missing), jobs.Job("there", 1, lambda: [runner.Result("PASS", "a", "x")])], report)
print(run.closing_line())
""")
        self.assertEqual(ended.stdout.splitlines()[-1:], ["1 passed, 1 failed, 0 skipped"], ended.stderr)

    def test_jobs_that_use_one_core_run_two_at_a_time_and_the_others_alone(self):
        ended = self.play("""
running, seen, lock = set(), [], threading.Lock()
def job(name, uses_one_core):
    def work():
        with lock:
            running.add(name)
            seen.append("".join(sorted(running)))
        time.sleep(0.2)
        with lock:
            running.remove(name)
        return []
    return jobs.Job(name, 1, work, uses_one_core)
runner.play([job("a", True), job("B", False), job("c", True), job("D", False), job("e", True)], report)
print(*seen)
""")
        self.assertRegex(ended.stdout.splitlines()[-1], "^B D a ac (ae|ce)$", ended.stderr)

    def test_repetitions_that_differ_are_named(self):
        run = Run(results=[Result(PASS, "a", "x"), Result(FAIL, "a", "x"), Result(PASS, "a", "y"), Result(PASS, "a", "y")])
        self.assertEqual(summary.tests_that_differ(run), ["a: x"])
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            summary.close(run)
        self.assertEqual(printed.getvalue().splitlines()[-1], "3 passed, 1 failed, 0 skipped")


class Mutants(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = os.path.join(directory.name, "root")
        self.tree = os.path.join(directory.name, "build", "mutants", "tree")
        self.write("code", "return true;")
        mutants.mirror(self.root, self.tree)
        self.laboratory = mutants._Laboratory(jobs.Settings(self.root, os.path.join(directory.name, "build")), "unit/x_tests")
        self.laboratory._build = lambda targets: True

    def write(self, name, text):
        os.makedirs(self.root, exist_ok=True)
        with open(os.path.join(self.root, name), "w", encoding="utf-8") as file:
            file.write(text)

    def code(self):
        with open(os.path.join(self.tree, "code"), encoding="utf-8") as file:
            return file.read()

    def judge(self, old, unbroken, broken):
        """The word for a mutant whose test comes to these words; what the test saw of the code."""
        seen = []

        def run_tests(tests, _):
            seen.append(self.code())
            return [Result(broken, "x", test) for test in tests]
        self.laboratory._run_tests = run_tests
        mutant = mutants.mutation.Mutant("p", "b", "code", old, "false", "unit/x_tests", ("t",))
        result = self.laboratory._try(mutant, {"t": unbroken})
        self.assertEqual(self.code(), "return true;")
        return result.word, seen

    def test_a_mutant_must_be_noticed_by_a_test_that_passes_without_it(self):
        self.assertEqual(self.judge("true", PASS, FAIL), (PASS, ["return false;"]))
        self.assertEqual(self.judge("true", PASS, PASS), (FAIL, ["return false;"]))
        self.assertEqual(self.judge("true", PASS, SKIP), (FAIL, ["return false;"]))
        self.assertEqual(self.judge("true", FAIL, FAIL), (FAIL, []))
        self.assertEqual(self.judge("true", SKIP, SKIP), (SKIP, []))

    def test_a_mutant_that_is_stale_or_does_not_compile_is_an_error_of_the_list(self):
        self.assertEqual(self.judge("nothing", PASS, FAIL), (FAIL, []))
        self.assertEqual(self.judge("r", PASS, FAIL), (FAIL, []))  # occurs more than once
        self.laboratory._build = lambda targets: False
        self.assertEqual(self.judge("true", PASS, FAIL), (FAIL, []))

    def test_only_what_differs_is_copied_and_then_it_is_new(self):
        self.write("other", "x")
        mutants.mirror(self.root, self.tree)
        for name in ("code", "other"):
            os.utime(os.path.join(self.tree, name), (1000, 1000))
        self.write("code", "return 1;")
        os.utime(os.path.join(self.root, "code"), (500, 500))
        mutants.mirror(self.root, self.tree)
        self.assertEqual(os.stat(os.path.join(self.tree, "other")).st_mtime, 1000)
        self.assertGreater(os.stat(os.path.join(self.tree, "code")).st_mtime, 1000)
        os.remove(os.path.join(self.root, "other"))
        mutants.mirror(self.root, self.tree)
        self.assertEqual(os.listdir(self.tree), ["code"])

    def test_titles_select_themselves(self):
        self.assertEqual(mutants.select(["a, b", "[c]"]), r"a\, b,\[c]")


class Coverage(unittest.TestCase):
    def test_the_summary_counts_by_room_and_lists_what_was_not_reached(self):
        def line(number, count, *branches):
            return {"line_number": number, "count": count, "branches": [{"count": b} for b in branches]}
        summary = coverage.summarise([
            {"file": "proto/a", "lines": [line(1, 5, 1, 0), line(2, 0)], "functions": [
                {"lineno": 1, "name": "f", "execution_count": 5}, {"lineno": 2, "name": "g<int>", "execution_count": 0},
                {"lineno": 2, "name": "g<long>", "execution_count": 3}, {"lineno": 9, "name": "h", "execution_count": 0}]},
            {"file": "proto/b", "lines": [line(1, 0)], "functions": [{"lineno": 1, "name": "i", "execution_count": 0}]}])
        self.assertRegex(summary, r"(?m)^proto +1/3   33 % +1/2   50 %$")
        self.assertTrue(summary.endswith("ran:\n  proto/b\nfunctions that were not called:\n  proto/a:9: h\n"))


if __name__ == "__main__":
    unittest.main()
