#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""morpheusctl top on a terminal of its own: it draws in place, listens to keys, fits the width, and
leaves the terminal as it found it, however it ends.

usage: top_test.py MORPHEUSD MORPHEUSCTL
"""
import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

from metrics_test import PATIENCE_SECONDS, Worker, wait_for

ENTER, LEAVE, HOME = b"\x1b[?1049h\x1b[?25l", b"\x1b[?25h\x1b[?1049l", b"\x1b[H"


class Terminal:
    """A program on a terminal of 80 columns; what it writes gathers in `out`."""

    def __init__(self, command, environment=None):
        self.out = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
            os.execvpe(command[0], command, {**os.environ, "TERM": "xterm", **(environment or {})})
        self.before = termios.tcgetattr(self.fd)

    def until(self, what, condition):
        end = time.monotonic() + PATIENCE_SECONDS
        while not condition(self.out):
            assert time.monotonic() < end, f"never: {what}; so far {self.out[-500:]!r}"
            self.read()

    def read(self):
        if not select.select([self.fd], [], [], 0.1)[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # the other end is closed
            return False
        self.out += data
        return bool(data)

    def end(self):
        """The exit status."""
        while self.read():
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def pictures(out):
    return out.split(HOME)[1:]


def plain(picture):
    # the terminal makes \r\r\n of \r\n
    return re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", picture).replace(b"\r", b"").split(b"\n")


def check_keys(command):
    top = Terminal([*command, "top", "--interval", "0.2"])
    top.until("three pictures", lambda out: len(pictures(out)) >= 3)
    os.write(top.fd, b"l")
    top.until("the other order", lambda out: b"[l]ost*" in out)
    os.write(top.fd, b"q")
    assert top.end() == 0
    assert top.out.startswith(ENTER) and top.out.endswith(LEAVE), top.out
    assert b"\x1b[2J" not in top.out, "clearing the whole screen flickers"
    for picture in pictures(top.out):
        for line in plain(picture):
            assert len(line) <= 80, line
    assert re.search(rb"\n +1 +\d+ metrics test", top.out)
    assert b"\x1b[1m" in top.out, "the head is bold"


def check_job_control(command):
    top = Terminal([*command, "top", "--interval", "30"])
    top.until("a picture", lambda out: b"WORKER" in out)
    for _ in range(2):
        raw = termios.tcgetattr(top.fd)
        assert not raw[3] & termios.ECHO
        drawn = len(pictures(top.out))
        os.write(top.fd, b"\x1a")  # Ctrl-Z
        assert os.WIFSTOPPED(os.waitpid(top.pid, os.WUNTRACED)[1])
        top.until("the shell's own screen", lambda out: out.endswith(LEAVE))
        assert termios.tcgetattr(top.fd) == top.before
        os.kill(top.pid, signal.SIGCONT)
        top.until("the picture again", lambda out: len(pictures(out)) > drawn)
        assert termios.tcgetattr(top.fd) == raw, (termios.tcgetattr(top.fd), raw)
    drawn = len(pictures(top.out))
    fcntl.ioctl(top.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 10, 40, 0, 0))
    top.until("a picture of the new size", lambda out: len(pictures(out)) > drawn and out.endswith(b"\x1b[J"))
    assert max(map(len, plain(pictures(top.out)[-1]))) == 40
    os.write(top.fd, b"q")
    assert top.end() == 0
    assert termios.tcgetattr(top.fd) == top.before


def check_ends(command, daemon):
    counted = Terminal([*command, "top", "-n", "2", "-d", "0.2"], {"NO_COLOR": "1"})
    assert counted.end() == 0
    assert len(pictures(counted.out)) == 3  # the first has no rates yet
    assert b"\x1b[1m" not in counted.out, "NO_COLOR"
    dumb = Terminal([*command, "top", "-n", "1", "-d", "0.2"], {"TERM": "dumb"})
    assert dumb.end() == 0
    assert b"\x1b" not in dumb.out and b"WORKER" in dumb.out
    ended = Terminal([*command, "top", "-d", "30"])
    ended.until("a picture", lambda out: b"WORKER" in out)
    os.kill(ended.pid, signal.SIGTERM)
    assert ended.end() == 0 and ended.out.endswith(LEAVE)
    orphan = Terminal([*command, "top", "-d", "0.2"])
    orphan.until("a picture", lambda out: b"WORKER" in out)
    daemon.kill()
    assert orphan.end() == 3
    # the message stands on the shell's own screen, where the operator sees it
    assert b"morpheusd has closed the connection" in orphan.out.partition(LEAVE)[2], orphan.out[-300:]


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 64
    morpheusd, morpheusctl = map(os.path.abspath, sys.argv[1:])
    scratch = tempfile.mkdtemp()
    path = os.path.join(scratch, "m.sock")
    daemon = subprocess.Popen([morpheusd, "--backend", "fake", "--fake-hint-ms", "50", "--socket", path, "--log-level", "off"])
    try:
        wait_for("the socket", lambda: os.path.exists(path))
        worker = Worker(path)
        worker.start()
        assert worker.ready.wait(PATIENCE_SECONDS)
        check_keys([morpheusctl, "--socket", path])
        check_job_control([morpheusctl, "--socket", path])
        check_ends([morpheusctl, "--socket", path], daemon)
    finally:
        daemon.kill()
        daemon.wait()
        shutil.rmtree(scratch)
    print("top draws, listens and leaves the terminal as it was")
    return 0


if __name__ == "__main__":
    sys.exit(main())
