# SPDX-License-Identifier: GPL-2.0-only
"""The real morpheusd as a process, with the fake backend unless told otherwise, in a directory of
its own."""
import contextlib
import json
import os
import signal
import socket
import subprocess
import tempfile
import time

BUILD = os.environ["MORPHEUS_BUILD_DIR"]
PATIENCE_S = 30


def eventually(condition, patience_s=PATIENCE_S):
    """Waits until `condition()` is true; false after half a minute."""
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


class DaemonProcess:
    def __init__(self, *arguments, backend="fake"):
        self._directory = tempfile.TemporaryDirectory(prefix="morpheus-python-")
        os.chmod(self._directory.name, 0o755)
        self.socket = os.path.join(self._directory.name, "m.sock")
        self._command = [os.path.join(BUILD, "daemon/morpheusd"), "--backend", backend, "--socket", self.socket,
                         "--log-level", "warn", *arguments]
        self._process = None
        self.start()

    def start(self):
        self._process = subprocess.Popen(self._command)
        if not eventually(self._accepts):
            self.stop(signal.SIGKILL)
            raise RuntimeError("morpheusd does not accept connections")

    def stop(self, number=signal.SIGTERM):
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait()
            self._process = None

    def signal(self, number):
        self._process.send_signal(number)

    def close(self):
        # a killed program writes down nothing of what it counted
        self.stop(signal.SIGTERM if "MORPHEUS_COVERAGE" in os.environ else signal.SIGKILL)
        self._directory.cleanup()

    def _accepts(self):
        if self._process.poll() is not None:
            raise RuntimeError(f"morpheusd ended with status {self._process.returncode}")
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(self.socket) == 0

    def call(self, method, **parameters):
        """One varlink call of io.morpheus.Control; raises RuntimeError with the daemon's error."""
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(PATIENCE_S)
            link.connect(self.socket)
            request = {"method": f"io.morpheus.Control.{method}", "parameters": parameters}
            link.sendall(json.dumps(request).encode() + b"\0")
            reply = b""
            while not reply.endswith(b"\0"):
                part = link.recv(65536)
                if not part:
                    raise RuntimeError(f"{method}: the daemon hung up")
                reply += part
        message = json.loads(reply[:-1])
        if "error" in message:
            raise RuntimeError(f"{method}: {message['error']} {message.get('parameters')}")
        return message.get("parameters", {})

    def workers(self, pid=None):
        """The daemon's list of workers; with `pid` only those of that process."""
        listed = self.call("ListWorkers")["workers"]
        return [worker for worker in listed if pid in (None, worker["pid"])]

    def clients(self):
        return self.call("ListClients")["clients"]


@contextlib.contextmanager
def running_daemon(*arguments, **options):
    daemon = DaemonProcess(*arguments, **options)
    try:
        yield daemon
    finally:
        daemon.close()
