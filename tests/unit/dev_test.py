#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What the entry script says: one line while it works, the reason when it fails, and never a log of hundreds of lines.

usage: dev_test.py SOURCE_ROOT
"""
import os
import pty
import subprocess
import sys
import tempfile
import unittest

ROOT = sys.argv.pop(1)
DEV = os.path.join(ROOT, "dev")

STEPS = 200
BUILD = """
rule touch
  command = touch $out
rule compile
  command = for n in 1 2 3; do echo "note: $$n"; done; echo "x:7:1: error: no such thing" >&2; exit 1
"""


class Dev(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self._build = os.path.join(directory.name, "build")
        os.mkdir(self._build)

    def write_build(self, last=""):
        """A build directory of many small steps."""
        steps = "".join(f"build {n}: touch\n" for n in range(STEPS))
        with open(os.path.join(self._build, "build.ninja"), "w", encoding="utf-8") as file:
            file.write(BUILD + steps + last)

    def call(self, *arguments, **options):
        environment = {**os.environ, "MORPHEUS_BUILD_DIR": self._build}
        return subprocess.run([DEV, *arguments], text=True, env=environment, check=False,
                              **{"capture_output": True, **options})

    def test_a_build_is_told_in_a_line(self):
        self.write_build()
        ended = self.call("build")
        self.assertEqual((ended.returncode, ended.stdout), (0, ""), ended.stderr)
        self.assertRegex(ended.stderr, rf"(?m)^build: {STEPS} of {STEPS} in \d+ s$")
        self.assertLess(len(ended.stderr.splitlines()), 5)
        ended = self.call("build")
        self.assertEqual((ended.returncode, ended.stderr), (0, ""), "with nothing to do there is nothing to say")

    def test_on_a_terminal_the_line_changes(self):
        self.write_build()
        ours, theirs = pty.openpty()
        ended = self.call("build", capture_output=False, stderr=theirs)
        os.close(theirs)
        said = b""
        while True:
            try:
                said += os.read(ours, 65536)
            except OSError:
                break
        os.close(ours)
        self.assertEqual(ended.returncode, 0)
        self.assertGreater(said.count(b"\r\x1b[Kbuild: "), 2)
        self.assertEqual(said.count(b"\n"), 1)

    def test_a_failure_gives_the_reason_and_the_log(self):
        self.write_build("build broken: compile " + " ".join(map(str, range(STEPS))) + "\n")
        ended = self.call("build")
        self.assertEqual(ended.returncode, 1)
        lines = ended.stderr.splitlines()
        self.assertIn("x:7:1: error: no such thing", lines)
        self.assertNotIn("note: 1", lines)
        log = os.path.join(self._build, "logs", "build.log")
        self.assertEqual(lines[-1], f"dev: the build failed (log: {log})")
        with open(log, encoding="utf-8") as file:
            self.assertIn("note: 1", file.read())

    def test_what_cannot_be_done_is_named(self):
        for arguments, what in (([], "no command"), (["nonsense"], "nonsense"), (["build", "nonsense"], "nonsense"),
                                (["setup", "--for", "nonsense"], "nonsense"), (["setup", "--for"], "--for"),
                                (["demo", "--mode", "nonsense"], "nonsense")):
            ended = self.call(*arguments)
            self.assertEqual(ended.returncode, 64, (arguments, ended.stderr))
            self.assertIn(what, ended.stderr)
            self.assertIn("./dev", ended.stderr)

    def test_each_command_explains_itself(self):
        commands = ("setup", "build", "demo", "test", "vm", "bench", "fuzz", "package", "btf", "vmlinux")
        ended = self.call("--help")
        self.assertEqual(ended.returncode, 0)
        for command in commands:
            self.assertRegex(ended.stdout, rf"(?m)^  {command} ")
            helped = self.call(command, "--help")
            self.assertEqual(helped.returncode, 0, helped.stderr)
            self.assertTrue(helped.stdout.startswith("usage: "), (command, helped.stdout[:80]))
            self.assertLess(max(map(len, helped.stdout.splitlines())), 121, command)


if __name__ == "__main__":
    unittest.main()
