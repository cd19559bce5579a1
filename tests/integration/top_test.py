#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""morpheusctl top on a terminal of its own: it draws in place, listens to keys, fits any size, shows
any name, keeps up with 5,000 workers, and leaves the terminal as it found it, however it ends.

usage: top_test.py MORPHEUSD MORPHEUSCTL
"""
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import unicodedata

from metrics_test import PATIENCE_SECONDS, Worker, wait_for

ENTER, LEAVE, HOME = b"\x1b[?1049h\x1b[?25l", b"\x1b[?25h\x1b[?1049l", b"\x1b[H"


class Terminal:
    """A program on a terminal; what it writes gathers in `out`."""

    def __init__(self, command, environment=None, columns=80, lines=24):
        self.out = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
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

    def press(self, keys, what, condition):
        """Types, and waits for a picture that is as expected; returns its lines."""
        drawn = len(pictures(self.out))
        os.write(self.fd, keys)
        self.until(what, lambda out: any(map(condition, pictures(out)[drawn:])))
        return [line.decode() for line in plain(pictures(self.out)[-1])]

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


def columns(line):
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


class Crowd(Worker):
    """A client with a name and many workers that sleep."""

    def __init__(self, path, name, size):
        super().__init__(path)
        self.name_shown, self.size = name, size

    def run(self):
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(self.path)
            self.call(link, "Attach", version_major=1, version_minor=0, workers=self.size, name=self.name_shown)
            threads = [threading.Thread(target=self.ending.wait) for _ in range(self.size)]
            for thread in threads:
                thread.start()
                slot = self.call(link, "Register", tid=thread.native_id)[0]["slot"]
                self.call(link, "SetState", slot=slot, state="RUNNING")
            self.ready.set()
            for thread in threads:
                thread.join()


def check_first_picture(command):
    """It comes soon, and is not empty: the worker has answered hints meanwhile."""
    begun = time.monotonic()
    top = Terminal([*command, "top", "--interval", "60"])
    top.until("a picture", lambda out: out.endswith(b"\x1b[J"))
    assert time.monotonic() - begun < 30
    (row,) = (line.split() for line in plain(pictures(top.out)[0]) if b"metrics test" in line)
    assert float(row[9]) > 0, (row, top.out)  # HINTS, behind WORKER TID PROCESS (two words) DOING %CPU %WAIT %KEPT
    os.write(top.fd, b"q")
    assert top.end() == 0


def check_help_and_choice(command):
    top = Terminal([*command, "top", "--interval", "0.2"])
    top.until("a picture", lambda out: b"WORKER" in out)
    page = top.press(b"?", "the help", lambda out: b"Keys:" in out)
    assert any(line.startswith("  space ") for line in page), page
    more = top.press(b"\x1b[6~", "the rest of it", lambda out: b"Keys:" not in out and b"%KEPT" in out)
    assert more != page
    top.press(b"q", "the workers again", lambda out: b"[q]uit" in out)
    top.press(b"z", "that there is no such key", lambda out: b"there is no key z" in out)
    top.press(b"/nothing", "the prompt", lambda out: b"filter: nothing_" in out)
    top.press(b"\r", "no worker", lambda out: b"0-0 of 0 workers; filter: nothing" in out)
    top.press(b"/" + b"\x7f" * 10 + b"METR\r", "the worker", lambda out: b"1-1 of 1 workers; filter: METR" in out)
    top.press(b"g", "its process", lambda out: b"1-1 of 1 processes" in out and b"WORKERS" in out)
    top.press(b"g", "the workers", lambda out: b"WORKERS" not in out)
    paused = top.press(b" ", "the pause", lambda out: b"; paused" in out)
    drawn = len(pictures(top.out))
    time.sleep(0.7)
    os.write(top.fd, b"\x0c")  # Ctrl-L
    top.until("a picture", lambda out: len(pictures(out)) > drawn and out.endswith(b"\x1b[J"))
    assert [line.decode() for line in plain(pictures(top.out)[-1])] == paused
    top.press(b" ", "that it goes on", lambda out: b"; paused" not in out and [line.decode() for line in plain(out)] != paused)
    os.write(top.fd, b"q")
    assert top.end() == 0


def check_sizes(command, name):
    """Each line fits, nothing scrolls away, and the columns that matter are there."""
    for width, height in ((40, 10), (60, 16), (80, 24), (132, 43), (250, 60)):
        top = Terminal([*command, "top", "--interval", "60", "--sort", "worker"], columns=width, lines=height)
        top.until("a picture", lambda out: out.endswith(b"\x1b[J"))
        lines = [line.decode() for line in plain(pictures(top.out)[0])]
        assert len(lines) == height, (len(lines), height)  # the last one is empty
        assert max(map(columns, lines)) <= width, lines
        (head,) = (line for line in lines if "%KEPT" in line)
        assert {"WORKER", "DOING", "%CPU"} <= set(head.split()), head
        assert "CGROUP" in head if width > 120 else "CGROUP" not in head, head
        (row,) = (line for line in lines if line.startswith("     1 "))
        assert name[:4] in row, row
        assert columns(head[:head.index("DOING")]) == columns(row[:row.index("asleep")]), (head, row)
        os.write(top.fd, b"q")
        assert top.end() == 0


def check_crowd(morpheusd, morpheusctl, scratch):
    """5,000 workers, with names of any kind."""
    path, config = os.path.join(scratch, "crowd.sock"), os.path.join(scratch, "crowd.json")
    with open(config, "w", encoding="utf-8") as file:
        json.dump({"limits": {"workers_per_uid": 8192}}, file)
    threading.stack_size(65536)
    name = "日本語のプロセス, e\u0301te\u0301"
    crowds = [Crowd(path, who, 1000) for who in (name, "\x1b[2J\u009b2J", "load", "load", "load")]
    daemon = subprocess.Popen([morpheusd, "--backend", "fake", "--config", config, "--socket", path, "--log-level", "off"])
    try:
        wait_for("the socket", lambda: os.path.exists(path))
        for crowd in crowds:
            crowd.start()
            assert crowd.ready.wait(PATIENCE_SECONDS)
        command = [morpheusctl, "--socket", path]
        check_sizes(command, name)
        top = Terminal([*command, "top", "--interval", "0.5", "--sort", "worker"])
        top.until("all of them", lambda out: b"1-18 of 5000 workers" in out)
        top.press(b"\x1b[6~", "a page further", lambda out: b"19-36 of 5000 workers" in out)
        os.write(top.fd, b"\x1b")  # the first part of a key
        top.press(b"[F\x1b[A", "near the end", lambda out: b"4982-4999 of 5000 workers" in out)
        lines = top.press(b"g", "the processes", lambda out: b"1-1 of 1 processes" in out)
        assert any(line.startswith("   5000 ") for line in lines), lines
        os.write(top.fd, b"q")
        assert top.end() == 0
        assert b"\x1b[2J" not in top.out and "\u009b".encode() not in top.out
    finally:
        for crowd in crowds:
            crowd.ending.set()
        daemon.kill()
        daemon.wait()


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
    assert re.search(rb"\n +1 +\d+ metrics test +asleep", top.out)
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
    assert len(pictures(counted.out)) == 2
    assert b"\x1b[1m" not in counted.out, "NO_COLOR"
    for kind in ("dumb", ""):
        dumb = Terminal([*command, "top", "-n", "1", "-d", "0.2"], {"TERM": kind})
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
        check_first_picture([morpheusctl, "--socket", path])
        check_keys([morpheusctl, "--socket", path])
        check_help_and_choice([morpheusctl, "--socket", path])
        check_job_control([morpheusctl, "--socket", path])
        check_ends([morpheusctl, "--socket", path], daemon)
        check_crowd(morpheusd, morpheusctl, scratch)
    finally:
        daemon.kill()
        daemon.wait()
        shutil.rmtree(scratch)
    print("top draws, listens and leaves the terminal as it was")
    return 0


if __name__ == "__main__":
    sys.exit(main())
