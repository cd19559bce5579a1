#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What a daemon without the right to a real-time thread says of Enforced mode, and the doctor with it.

usage: doctor_test.py MORPHEUSD MORPHEUSCTL
"""
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import unittest

MORPHEUSD, MORPHEUSCTL = sys.argv[1:3]
PATIENCE_S = 30
ORDINARY_UID = 65534
DENIAL = "its canary needs a real-time thread"


def give_up_real_time():
    resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0))
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(ORDINARY_UID)
        os.setuid(ORDINARY_UID)


class Doctor(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        os.chmod(directory.name, 0o777)
        self._socket = os.path.join(directory.name, "m.sock")
        self._config = os.path.join(directory.name, "config.json")

    def start(self, *options):
        with open(self._config, "w", encoding="utf-8") as file:
            file.write("{}")
        daemon = subprocess.Popen([MORPHEUSD, "--backend", "fake", "--socket", self._socket, "--config", self._config,
                                   "--log-level", "off", *options], preexec_fn=give_up_real_time)
        self.addCleanup(daemon.wait)
        self.addCleanup(daemon.terminate)
        self.wait_for(lambda: self.ctl("status").returncode == 0)
        return daemon

    def wait_for(self, condition):
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)

    def ctl(self, *arguments):
        return subprocess.run([MORPHEUSCTL, "--socket", self._socket, *arguments], capture_output=True, text=True,
                              check=False)

    def scheduler(self):
        return json.loads(self.ctl("status", "--json").stdout)["scheduler"]

    def test_without_a_real_time_thread_enforced_mode_is_not_available(self):
        daemon = self.start("--fake-canary")
        self.assertFalse(self.scheduler()["enforced_available"])
        self.assertIn(DENIAL, self.scheduler()["why_not"])
        self.assertIn("CAP_SYS_NICE", self.scheduler()["why_not"])
        told = [line for line in self.ctl("doctor").stdout.splitlines() if line.startswith("limited enforced mode")]
        self.assertEqual(len(told), 1, told)
        self.assertIn(DENIAL, told[0])
        refused = self.ctl("mode", "enforced")
        self.assertEqual(refused.returncode, 77, refused.stderr)
        self.assertIn(DENIAL, refused.stderr)
        self.assertEqual(self.ctl("mode").stdout, "observer\n")
        # what the message advises helps
        with open(self._config, "w", encoding="utf-8") as file:
            json.dump({"canary": {"starved_ms": 0}}, file)
        daemon.send_signal(signal.SIGHUP)
        self.wait_for(lambda: self.scheduler()["enforced_available"])
        self.assertEqual(self.ctl("mode", "enforced").returncode, 0)

    def test_a_scheduler_that_needs_no_canary_is_available(self):
        self.start()
        self.assertTrue(self.scheduler()["enforced_available"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
