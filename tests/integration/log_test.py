#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What the daemon logs: on a terminal or in a file, and where systemd has connected it to the journal.

usage: log_test.py SOURCE_ROOT MORPHEUSD MORPHEUSCTL
"""
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

MORPHEUSD, MORPHEUSCTL = sys.argv[2:4]
PATIENCE_S = 30


class Log(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self._place = directory.name
        self._config = self.path("config.json")
        self._daemon = None

    def path(self, name):
        return os.path.join(self._place, name)

    def configure(self, **values):
        with open(self._config, "w", encoding="utf-8") as file:
            json.dump(values, file)

    def start(self, is_journal, socket="m.sock"):
        with open(self.path("log"), "w", encoding="utf-8") as log:
            there = os.fstat(log.fileno())
            environment = {**os.environ, "JOURNAL_STREAM": f"{there.st_dev}:{there.st_ino + (0 if is_journal else 1)}"}
            self._daemon = subprocess.Popen([MORPHEUSD, "--backend", "fake", "--socket", self.path(socket), "--config",
                                             self._config], stderr=log, env=environment)
        self.addCleanup(self.stop)
        self.wait_for("ready")

    def stop(self):
        self._daemon.terminate()
        self._daemon.wait()

    def log(self):
        with open(self.path("log"), encoding="utf-8") as file:
            return file.read()

    def wait_for(self, text):
        deadline = time.monotonic() + PATIENCE_S
        while text not in self.log():
            self.assertLess(time.monotonic(), deadline, f"{text!r} is not in\n{self.log()}")
            time.sleep(0.01)

    def ctl(self, *arguments, name="morpheusctl"):
        return subprocess.run([name, "--socket", self.path("m.sock"), *arguments], executable=MORPHEUSCTL,
                              capture_output=True, text=True, check=True)

    def test_the_journal_gets_priorities_and_no_second_time(self):
        self.configure()
        self.start(is_journal=True)
        self.configure(metrics="127.0.0.1:1", scope="workers")
        self._daemon.send_signal(signal.SIGHUP)
        self.wait_for("read again")
        lines = self.log().splitlines()
        self.assertIn("<4>metrics stays as it is until morpheusd is restarted", lines)
        self.assertIn("<4>scope stays as it is until morpheusd is restarted", lines)
        self.assertIn("<6>the configuration was read again", lines)
        for line in lines:
            self.assertRegex(line, r"^<[3-7]>[^\[]")

    def test_elsewhere_a_line_has_a_time_and_a_level(self):
        self.configure()
        self.start(is_journal=False)
        for line in self.log().splitlines():
            self.assertRegex(line, r"^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+\] \[morpheusd\] \[\w+\] ")

    def test_a_change_is_logged_with_whom_made_it(self):
        self.configure()
        self.start(is_journal=True)
        self.ctl("mode", "enforced")
        self.ctl("tunables", "set", "slice=4ms")
        who = rf"set by morpheusctl \(pid \d+, uid {os.getuid()}\)$"
        self.assertRegex(self.log(), rf"(?m)^<6>mode enforced: {who}")
        self.assertRegex(self.log(), rf'(?m)^<6>tunables {{.*"slice_ns":4000000}}: {who}')
        self.configure(mode="enforced", tunables={"slice_ns": 3000000})
        self._daemon.send_signal(signal.SIGHUP)
        self.wait_for("read again")
        self.assertRegex(self.log(), r'(?m)^<6>mode enforced: set by the configuration$')
        self.assertRegex(self.log(), r'(?m)^<6>tunables {.*"slice_ns":3000000}: set by the configuration$')
        # nothing else tells of a change, so that these lines are the record of all of them
        told = [line for line in self.log().splitlines() if re.match("<6>(mode|tunables) ", line)]
        self.assertEqual(len(told), 4, told)

    def test_the_reason_of_the_end_has_a_priority_on_each_line(self):
        with open(self.path("log"), "w", encoding="utf-8") as log:
            there = os.fstat(log.fileno())
            ended = subprocess.run([MORPHEUSD, "--backend", "fake", "--socket", self.path("m.sock"), "--mode", "enforced",
                                    "--log-level", "off", "--fake-refuse-enforced", "first line\nsecond line"], stderr=log,
                                   env={**os.environ, "JOURNAL_STREAM": f"{there.st_dev}:{there.st_ino}"}, check=False)
        self.assertEqual(ended.returncode, 69)
        first, second = self.log().splitlines()
        self.assertTrue(first.startswith("<3>cannot start in enforced mode: first line"), first)
        self.assertTrue(second.startswith("<3>second line"), second)

    def test_a_directory_that_is_made_is_told(self):
        self.configure()
        self.start(is_journal=True, socket="run/m.sock")
        self.assertIn(f"<6>made the directory {self.path('run')}", self.log().splitlines())

    def check(self):
        return subprocess.run([MORPHEUSD, "--check-config", "--config", self._config], capture_output=True, text=True,
                              check=False)

    def test_a_configuration_is_checked_for_what_the_daemon_would_say(self):
        self.configure(attach_group="no-such-group")
        ended = self.check()
        self.assertEqual(ended.returncode, 0)
        self.assertIn("group 'no-such-group' does not exist", ended.stderr)
        self._config = self.path("directory")
        os.mkdir(self._config)
        ended = self.check()
        self.assertEqual((ended.returncode, ended.stderr), (78, f"morpheusd: {self._config}: is a directory\n"))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
