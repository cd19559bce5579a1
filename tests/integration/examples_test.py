#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The examples at work: the HTTP server under wrk, beside CPU-bound tasks, the echo server with
connections from this script, talkative and silent, and the pipeline.

usage: examples_test.py ECHO HTTP PIPELINE        exit 77: wrk is missing
"""
import re
import shutil
import signal
import socket
import subprocess
import sys

SECONDS = 3
CONNECTIONS = 20


class Server:
    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        found = re.match(r"listening on 127\.0\.0\.1:(\d+)", line)
        if not found:
            sys.exit(f"{command}: {line}{self.process.stderr.read()}")
        self.port = int(found[1])

    def stop(self):
        """Returns what the server printed at its end."""
        self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate(timeout=20)
        if self.process.returncode != 0:
            sys.exit(f"server: status {self.process.returncode}: {err}")
        return out


def milliseconds(text):
    value, unit = re.match(r"([\d.]+)(us|ms|s|m)$", text).groups()
    return float(value) * {"us": 0.001, "ms": 1, "s": 1000, "m": 60_000}[unit]


def under_wrk(http, threads, busy):
    server = Server(http, "0", str(threads), str(busy))
    done = subprocess.run(["wrk", "-t", "1", "-c", str(CONNECTIONS), "-d", f"{SECONDS}s", "--timeout", "30s", "--latency",
                           f"http://127.0.0.1:{server.port}/"], capture_output=True, text=True, timeout=60)
    out = server.stop()
    requests = int(re.search(r"(\d+) requests in", done.stdout)[1])
    p99 = milliseconds(re.search(r"^\s*99%\s+(\S+)", done.stdout, re.MULTILINE)[1]) if requests else 0.0
    pieces = int(re.search(r"did (\d+) pieces", out)[1])
    print(f"{threads} threads, {busy} busy tasks: {requests} requests, p99 {p99:.1f} ms, {pieces} pieces of work")
    failures = [text for text in ("Socket errors", "Non-2xx") if text in done.stdout]
    if failures:
        sys.exit(f"wrk reports {failures}: {done.stdout}")
    if requests < CONNECTIONS:  # on a crowded machine the busy tasks' steps take long
        sys.exit("the server served almost no requests")
    if busy and pieces < 100:
        sys.exit("the busy tasks got almost no CPU time")


def echo_to(connection, text):
    connection.sendall(text)
    got = b""
    while len(got) < len(text):
        part = connection.recv(65536)
        if not part:
            sys.exit("the echo server hung up")
        got += part
    return got == text


def with_echo(echo):
    server = Server(echo, "0")
    connections = [socket.create_connection(("127.0.0.1", server.port), timeout=20) for _ in range(CONNECTIONS)]
    for number, connection in enumerate(connections):
        if not echo_to(connection, b"%d" % number * 1000):
            sys.exit("something else came back")
    out = server.stop()
    if "all connections have ended" not in out:
        sys.exit(f"no clean end: {out}")
    for connection in connections:
        if connection.recv(1) != b"":
            sys.exit("a connection is left")
    print(f"echo: {len(connections)} connections served and ended")


def with_silent_clients(echo):
    server = Server(echo, "0", "200")
    silent = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    deaf = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    deaf.settimeout(20)
    try:
        for _ in range(1000):
            deaf.sendall(b"x" * 65536)  # and takes nothing back
        sys.exit("a client that takes nothing keeps its connection")
    except (BrokenPipeError, ConnectionResetError):
        pass
    if silent.recv(1) != b"":
        sys.exit("a client that says nothing keeps its connection")
    server.stop()
    print("echo: silent and deaf clients lost their connections in time")


def through_pipeline(pipeline):
    for threads in ("1", "3"):
        done = subprocess.run([pipeline, "3000", threads], capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0 or f"1 to 3000: {3000 * 3001 * 6001 // 6}" not in done.stdout:
            sys.exit(f"pipeline, {threads} threads: status {done.returncode}: {done.stdout}{done.stderr}")
        print(f"pipeline, {threads} threads: {done.stdout.splitlines()[1]}")


def main():
    if len(sys.argv) != 4:
        print(__doc__, file=sys.stderr)
        return 64
    with_echo(sys.argv[1])
    with_silent_clients(sys.argv[1])
    through_pipeline(sys.argv[3])
    if not shutil.which("wrk"):
        print("skipped: needs wrk")
        return 77
    under_wrk(sys.argv[2], 1, 0)
    under_wrk(sys.argv[2], 1, 2)
    under_wrk(sys.argv[2], 2, 4)
    return 0


sys.exit(main())
