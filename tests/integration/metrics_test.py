#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The metrics endpoint from outside: what well-behaved and hostile HTTP clients get, and what a
real Prometheus reports that scrapes it while a worker acknowledges hints.

usage: metrics_test.py SOURCE_ROOT MORPHEUSD MORPHEUSCTL

Prometheus comes from PATH, or from Debian's package, which is fetched and unpacked without being
installed (so that no service is started). Exit status 77 (skipped) if neither is there.
"""
import json
import mmap
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

PATIENCE_SECONDS = 60
LINE = 64
HINT_MS = 20


class Worker(threading.Thread):
    """A client of the daemon with one worker, this thread, that acknowledges every hint."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.ending, self.acknowledged = path, threading.Event(), 0
        self.ready = threading.Event()

    def call(self, link, method, **parameters):
        link.sendall(json.dumps({"method": "io.morpheus.Worker." + method, "parameters": parameters}).encode() + b"\0")
        data, fds, _, _ = socket.recv_fds(link, 65536, 8)
        while not data.endswith(b"\0"):
            data += link.recv(65536)
        reply = json.loads(data[:-1])
        assert "error" not in reply, reply
        return reply["parameters"], fds

    def run(self):
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(self.path)
            reply, fds = self.call(link, "Attach", version_major=1, version_minor=0, workers=1, name="metrics test")
            size = reply["capacity"] * LINE
            kernel = mmap.mmap(fds[reply["kernel_lines"]], size, prot=mmap.PROT_READ)
            runtime = mmap.mmap(fds[reply["runtime_lines"]], size)
            slot = self.call(link, "Register", tid=threading.get_native_id())[0]["slot"]
            self.call(link, "SetState", slot=slot, state="RUNNING")
            self.ready.set()
            last_ack_seq = 0
            while not self.ending.wait(0.001):
                (preempt_seq,) = struct.unpack_from("=Q", kernel, slot * LINE)
                if preempt_seq != last_ack_seq:
                    struct.pack_into("=Q", runtime, slot * LINE + 16, time.monotonic_ns())
                    struct.pack_into("=Q", runtime, slot * LINE + 8, preempt_seq)
                    last_ack_seq, self.acknowledged = preempt_seq, self.acknowledged + 1


def wait_for(what, condition):
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.1)


def get(url, accept=None, method="GET"):
    """Status, content type and body."""
    request = urllib.request.Request(url, method=method, headers={"Accept": accept} if accept else {})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as reply:
            return reply.status, reply.headers["Content-Type"], reply.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.headers["Content-Type"], refusal.read().decode()


def samples(text):
    return {name: float(value) for name, value in re.findall(r"^([a-z_]+(?:{[^}]*})?) (\S+)$", text, flags=re.M)}


# the labels that a sample may have: the daemon's own code bounds the values of each
LABELS = {"reason", "state", "mode", "resource", "name", "le", "version", "kernel", "backend"}


def check_labels(text):
    names = {label for labels in re.findall(r"^[a-z_]+{([^}]*)}", text, flags=re.M) for label in re.findall(r'(\w+)="', labels)}
    assert names <= LABELS, f"labels without a bound: {names - LABELS}"


def check_http(url, status_of_daemon):
    status, kind, text = get(url, "application/openmetrics-text;version=1.0.0")
    assert status == 200 and kind.startswith("application/openmetrics-text") and text.endswith("# EOF\n"), (status, kind)
    status, kind, text = get(url)
    assert status == 200 and kind.startswith("text/plain; version=0.0.4") and "EOF" not in text, (status, kind)
    status, _, text = get(url, method="HEAD")
    assert (status, text) == (200, "")
    assert get(url.replace("/metrics", "/"))[0] == 404
    assert get(url, method="POST")[0] == 405
    assert get(url + "?x=y")[0] == 200
    parts = urllib.parse.urlparse(url)
    check_connection(parts)
    check_hostile(parts, url, status_of_daemon)


def check_connection(parts):
    """One connection serves one request after the other, in whatever pieces they come, until one ends it."""
    with socket.create_connection((parts.hostname, parts.port), PATIENCE_SECONDS) as link:
        link.sendall(b"GET /metrics HTTP/1.1\r\nHo")
        time.sleep(0.1)
        link.sendall(b"st: x\r\n\r\nHEAD /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        got = b""
        while piece := link.recv(65536):
            got += piece
    first, second = got.split(b"HTTP/1.1 200 OK\r\n")[1:]
    assert b"\r\nConnection: keep-alive\r\n" in first and b"Connection: close\r\n" in second, got
    length = int(re.search(rb"Content-Length: (\d+)", first)[1])
    assert length > 1000 and len(first.split(b"\r\n\r\n", 1)[1]) == length, first
    assert second.endswith(b"\r\n\r\n") and b"Content-Length: " in second, second


def check_hostile(parts, url, status_of_daemon):
    """Peers that send nonsense, too much or nothing hold up neither the endpoint nor the daemon."""
    def connect():
        link = socket.create_connection((parts.hostname, parts.port))
        link.settimeout(PATIENCE_SECONDS)
        return link

    for nonsense in (b"\0\xff\n\n", b"GET /metrics HTTP/9\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
                     b"GET /metrics HTTP/1.1\r\nContent-Length: 9999999999\r\n\r\n"):
        with connect() as link:
            try:
                link.sendall(nonsense)
                while link.recv(65536):
                    pass
            except ConnectionError:
                pass
    silent = [connect() for _ in range(40)]
    assert status_of_daemon() == 0
    for link in silent:
        link.close()
    wait_for("the endpoint again", lambda: responds(url))


def responds(url):
    try:
        return get(url)[0] == 200
    except OSError:
        return False


def find_prometheus(scratch):
    """The paths of prometheus and promtool, or None."""
    found = [shutil.which(name) for name in ("prometheus", "promtool")]
    if all(found):
        return found
    cache = os.path.join(os.environ.get("MORPHEUS_CACHE") or
                         os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "morpheus"),
                         "prometheus")
    programs = [os.path.join(cache, "usr/bin", name) for name in ("prometheus", "promtool")]
    if not all(map(os.path.exists, programs)):
        os.makedirs(cache, exist_ok=True)
        if subprocess.run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", "prometheus"], cwd=scratch,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode != 0:
            return None
        package = [name for name in os.listdir(scratch) if name.endswith(".deb")][0]
        subprocess.run(["dpkg-deb", "-x", package, cache], cwd=scratch, check=True)
        os.remove(os.path.join(scratch, package))
    return programs


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Prometheus:
    def __init__(self, program, scratch, target):
        with open(os.path.join(scratch, "prometheus.yml"), "w", encoding="utf-8") as config:
            config.write("global: {scrape_interval: 1s}\nscrape_configs:\n"
                         f"  - {{job_name: morpheus, static_configs: [{{targets: ['{target}']}}]}}\n")
        self.address = f"127.0.0.1:{free_port()}"
        self.log = open(os.path.join(scratch, "prometheus.log"), "w", encoding="utf-8")
        self.process = subprocess.Popen(
            [program, f"--config.file={scratch}/prometheus.yml", f"--storage.tsdb.path={scratch}/data",
             f"--web.listen-address={self.address}"], stdout=self.log, stderr=self.log)

    def query(self, expression):
        """The values that the expression has now."""
        url = f"http://{self.address}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        try:
            reply = json.loads(get(url)[2])
        except (OSError, ValueError):
            return []
        assert reply.get("status") == "success", reply
        return [float(result["value"][1]) for result in reply["data"]["result"]]

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()


def refuse_something(path):
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(path)
        link.sendall(b'{"method":"io.morpheus.Worker.Fly"}\0')
        assert b"MethodNotFound" in link.recv(65536)


def check_prometheus(prometheus, control, worker):
    one = lambda expression: (prometheus.query(expression) or [None])[0]
    wait_for("a first scrape", lambda: one("up{job='morpheus'}") == 1)
    # a rate needs some scrapes; the one worker gets a hint every HINT_MS
    expected = 1000 / HINT_MS
    rate = wait_for("a rate of hints", lambda: one("rate(morpheus_hints_total{reason='PRESSURE'}[10s])"))
    wait_for("the rate of one hint each 20 ms, about",
             lambda: 0.3 * expected < (one("rate(morpheus_hints_total{reason='PRESSURE'}[10s])") or 0) < 1.3 * expected)
    assert rate > 0
    assert one("morpheus_workers{state='RUNNING'}") == 1
    assert one("morpheus_clients") == 1
    assert one("morpheus_mode{mode='observer'}") == 1
    assert one("morpheus_tunable_seconds{name='slice'}") == 0.005
    assert one("process_start_time_seconds + morpheus_uptime_seconds - time()") < 5
    refused = one("morpheus_refusals_total")
    refuse_something(worker.path)
    wait_for("the count of refusals", lambda: one("morpheus_refusals_total") == refused + 1)
    assert len(prometheus.query("{__name__=~'morpheus_.*'}")) < 150, "the label sets are bounded"
    counted = one("morpheus_acknowledged_total")
    assert 0 < counted <= worker.acknowledged + 1, (counted, worker.acknowledged)
    assert one("morpheus_ack_latency_seconds_count - morpheus_acknowledged_total") == 0
    p99 = one("histogram_quantile(0.99, rate(morpheus_ack_latency_seconds_bucket[10s]))")
    assert 0 < p99 < 9, p99
    worker.ending.set()
    worker.join()
    wait_for("no worker", lambda: one("sum(morpheus_workers)") == 0)
    final = json.loads(control("status", "--json").stdout)["counters"]
    wait_for("the last count", lambda: one("sum(morpheus_hints_total)") == final["hints"])
    assert one("morpheus_acknowledged_total") == final["acknowledged"]
    control("mode", "enforced")
    wait_for("the mode", lambda: one("morpheus_mode{mode='enforced'}") == 1 and one("morpheus_degraded") == 0)


def check_panel(panel):
    """Thresholds begin with the colour of all that is below them; a stat has some. Overrides are of series that exist."""
    defaults = panel["fieldConfig"]["defaults"]
    assert panel["type"] != "stat" or "thresholds" in defaults, panel["title"]
    steps = defaults.get("thresholds", {"mode": "absolute", "steps": [{"value": None}]})
    assert steps["mode"] == "absolute" and steps["steps"][0]["value"] is None, panel["title"]
    above = [step["value"] for step in steps["steps"][1:]]
    assert above == sorted(set(above)), panel["title"]
    for mapping in defaults.get("mappings", []):
        assert mapping["type"] == "value" and all(float(value) in (0, 1) for value in mapping["options"]), panel["title"]
    series = {target["legendFormat"] for target in panel["targets"]}
    for override in panel["fieldConfig"]["overrides"]:
        assert override["matcher"]["options"] in series, f"{panel['title']}: no series {override['matcher']['options']}"


def check_dashboard(root, text):
    """Every metric of the dashboard exists, and its colours and texts are such as Grafana knows. Returns the expressions,
    those of annotations too."""
    with open(os.path.join(root, "docs/grafana/morpheus.json"), encoding="utf-8") as file:
        dashboard = json.load(file)
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    assert len(expressions) > 8
    for panel in dashboard["panels"]:
        check_panel(panel)
    annotations = dashboard["annotations"]["list"]
    assert len({note["name"] for note in annotations}) == len(annotations) > 2
    expressions += [note["expr"] for note in annotations]
    names = {re.sub("{.*", "", name) for name in samples(text)}
    for expression in expressions:
        for name in re.findall(r"(?:morpheus|process)_\w+", expression):
            assert name in names, f"the dashboard asks for {name}, which is not there"
    return expressions


def check_alerts(root, text, promtool):
    """Every metric of the alerts exists, and they say the right things of made-up hosts."""
    with open(os.path.join(root, "docs/prometheus/morpheus.rules.yml"), encoding="utf-8") as file:
        rules = file.read()
    names = {re.sub("{.*", "", name) for name in samples(text)}
    for name in re.findall(r"morpheus_\w+", rules):
        assert name in names, f"an alert asks for {name}, which is not there"
    tested = subprocess.run([promtool, "test", "rules", os.path.join(root, "tests/integration/alerts.test.yml")],
                            capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stdout + tested.stderr


def main():
    if len(sys.argv) != 4:
        print(__doc__, file=sys.stderr)
        return 64
    root, morpheusd, morpheusctl = sys.argv[1], *map(os.path.abspath, sys.argv[2:])
    scratch = tempfile.mkdtemp()
    path = os.path.join(scratch, "m.sock")
    log = open(os.path.join(scratch, "log"), "w+", encoding="utf-8")
    daemon = subprocess.Popen([morpheusd, "--backend", "fake", "--fake-hint-ms", str(HINT_MS), "--socket", path,
                               "--metrics", "127.0.0.1:0"], stderr=log)
    prometheus = worker = None

    def control(*arguments):
        return subprocess.run([morpheusctl, "--socket", path, *arguments], capture_output=True, text=True, check=True)

    try:
        url = wait_for("the endpoint", lambda: re.search(r"http://\S+", open(log.name, encoding="utf-8").read()))[0]
        check_http(url, lambda: control("status").returncode)
        worker = Worker(path)
        worker.start()
        assert worker.ready.wait(PATIENCE_SECONDS)
        text = get(url)[2]
        check_labels(text)
        assert samples(text).keys() == samples(control("metrics").stdout).keys(), "morpheusctl shows the same"
        expressions = check_dashboard(root, text)
        programs = find_prometheus(scratch)
        if programs is None:
            print("no Prometheus here, and apt-get cannot fetch one; the HTTP part has passed")
            return 77
        lint = subprocess.run([programs[1], "check", "metrics"], input=text, capture_output=True, text=True, check=False)
        assert lint.returncode == 0, lint.stdout + lint.stderr
        check_alerts(root, text, programs[1])
        prometheus = Prometheus(programs[0], scratch, urllib.parse.urlparse(url).netloc)
        check_prometheus(prometheus, control, worker)
        for expression in expressions:
            prometheus.query(expression.replace("$__rate_interval", "10s").replace("$instance", ".*"))  # asserts that it parses
    finally:
        if worker:
            worker.ending.set()
        if prometheus:
            prometheus.stop()
        daemon.terminate()
        daemon.wait()
        log.close()
        shutil.rmtree(scratch)
    print("Prometheus reads what the daemon counts")
    return 0


if __name__ == "__main__":
    sys.exit(main())
