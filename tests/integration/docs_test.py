#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Holds the documents against the code: links, paths, functions, test names and tables must be true, and blocks
marked "sh run" must run, against morpheusd with the fake backend.

usage: docs_test.py SOURCE_ROOT MORPHEUSD MORPHEUSCTL
"""
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

ROOMS = ("proto", "bpf", "daemon", "sdk", "systemd", "tests", "docs")
PATH = re.compile(r"^(?:%s)/[a-z0-9_./-]*$" % "|".join(ROOMS))  # upper case stands for something else
FUNCTION = re.compile(r"^(?:[A-Za-z]\w*::)?([A-Za-z_]\w*)\(\)$")
START_SECONDS = 10
COMMAND_SECONDS = 30


def read(*parts):
    with open(os.path.join(*parts), encoding="utf-8") as file:
        return file.read()


def without_blocks(text):
    return re.sub(r"^ *```.*?^ *```", "", text, flags=re.S | re.M)


def anchors(text):
    titles = re.findall(r"^#+ (.*)$", without_blocks(text), flags=re.M)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def wrong_links(root, path, text):
    for target in re.findall(r"\]\(([^)]+)\)", without_blocks(text)):
        if re.match(r"[a-z]+://", target):
            continue
        file, _, anchor = target.partition("#")
        there = os.path.normpath(os.path.join(os.path.dirname(path), file)) if file else path
        if not os.path.exists(os.path.join(root, there)):
            yield f"link to {target}: no such file"
        elif anchor and anchor not in anchors(read(root, there)):
            yield f"link to {target}: no such heading"


def source_text(root):
    texts = []
    for room in ROOMS:
        for directory, _, files in os.walk(os.path.join(root, room)):
            texts += [read(directory, f) for f in files
                      if f.endswith((".h", ".c", ".hpp", ".cpp", ".varlink", ".bash", ".build", ".py"))]
    return "\n".join(texts)


def wrong_names(root, text, source):
    for name in re.findall(r"`([^`\n]+)`", without_blocks(text)):
        function = FUNCTION.match(name)
        if PATH.match(name) and not os.path.exists(os.path.join(root, name)):
            yield f"{name}: no such file"
        if function and not re.search(rf"\b{function[1]}\b", source):
            yield f"{name}: nothing of that name in the code"


def wrong_test_names(root, text, source):
    section = text.partition("## Invariants")[2].partition("\n## ")[0]
    names = re.findall(r'"([^"]+)"', section)
    known = set(re.findall(r'TEST_CASE\("([^"]+)"', source)) | set(re.findall(r"test\('([^']+)'", source))
    # the one test that meson registers once for each compiler
    known |= {f"sdk hot path, {compiler}" for compiler in ("gcc", "clang-19")}
    known |= set(re.findall(r'check "([^"]+)"', read(root, "tests", "system", "steps")))
    if len(names) < 10:
        yield "found hardly any test names under Invariants"
    yield from (f'no test is called "{name}"' for name in names if name not in known)


def number(text):
    """A constant of C++: 256 * 1024, 1u << 20, 10'000."""
    text = re.sub(r"\bkMost\b", "(1 << 30)", text.replace("'", ""))
    text = text.replace("MORPHEUS_MAX_WORKERS", "16384")
    return eval(re.sub(r"(\d)u\b", r"\1", text), {"__builtins__": {}})  # digits and operators of our own files


def wrong_limits(root, text):
    defaults = dict(re.findall(r"std::uint32_t (\w+) = ([^;]+);", read(root, "daemon/config.hpp")))
    fields = re.findall(r'LimitField\{"(\w+)", [^,]+, ([^,]+),\s*([^}]+)\}', read(root, "daemon/config.cpp"))
    if len(fields) < 10:
        yield "found hardly any limits in daemon/config.cpp"
    for name, least, most in fields:
        row = f"| `{name}` | {number(defaults[name])} | {number(least)} to {number(most)} |"
        if row not in text:
            yield f"the row of limit {name} should begin: {row}"


def in_units(nanoseconds):
    for factor, unit in ((10**9, "s"), (10**6, "ms"), (10**3, "us")):
        if nanoseconds and nanoseconds % factor == 0:
            return f"{nanoseconds // factor} {unit}"
    return str(nanoseconds)


def wrong_tunables(root, text):
    source = read(root, "daemon/tunables.hpp")
    defaults = dict(re.findall(r"\.(\w+) = ([\d']+)", source))
    fields = re.findall(r'TunableField\{"(\w+)", [^,]+, ([\d\']+), ([\d\']+)\}', source)
    if len(fields) < 5:
        yield "found hardly any tunables in daemon/tunables.hpp"
    for name, least, most in fields:
        row = f"| `{name}` | {in_units(number(defaults[name]))} | {in_units(number(least))} to {in_units(number(most))}"
        if row not in text:
            yield f"the row of tunable {name} should begin: {row}"


def wrong_statuses(root, text):
    for path, program in (("daemon/exit_status.hpp", "morpheusd"), ("daemon/ctl/exit_status.hpp", "morpheusctl")):
        table = text.partition(f"Exit statuses of `{program}`")[2].partition("\nExit ")[0].partition("\n## ")[0]
        told = {int(n) for n in re.findall(r"^\| (\d+) \|", table, flags=re.M)}
        real = {int(n) for n in re.findall(r"^  \w+ = (\d+),", read(root, path), flags=re.M)}
        if told != real:
            yield f"exit statuses of {program}: told {sorted(told)}, real {sorted(real)}"


def wrong_interfaces(root, text):
    for interface in ("Worker", "Control", "Transport"):
        varlink = read(root, f"proto/io.morpheus.{interface}.varlink")
        for name in re.findall(r"^(?:method|error) (\w+)", varlink, flags=re.M):
            if not re.search(rf"`{name}\b", text):
                yield f"io.morpheus.{interface}.{name} is not explained"


class Daemon:
    """morpheusd with the fake backend, and a directory whose morpheusctl talks to it."""

    def __init__(self, morpheusd, morpheusctl):
        self.directory = tempfile.TemporaryDirectory()
        self.socket = os.path.join(self.directory.name, "m.sock")
        with open(os.path.join(self.directory.name, "morpheusctl"), "w", encoding="utf-8") as wrapper:
            wrapper.write(f'#!/bin/sh\nexec {morpheusctl} --socket {self.socket} "$@"\n')
        os.chmod(wrapper.name, 0o755)
        self.process = subprocess.Popen(
            [morpheusd, "--backend", "fake", "--socket", self.socket, "--log-level", "off"])
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError("morpheusd did not start")
            time.sleep(0.02)

    def answers(self):
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(self.socket) == 0

    def run(self, block):
        """What went wrong, or None."""
        environment = {**os.environ, "PATH": f"{self.directory.name}:{os.environ['PATH']}"}
        done = subprocess.run(["sh", "-e", "-c", block], env=environment, capture_output=True, text=True,
                              timeout=COMMAND_SECONDS, cwd=self.directory.name)
        return None if done.returncode == 0 else f"status {done.returncode}: {done.stderr.strip()}"

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.directory.cleanup()


def wrong_blocks(text, daemon):
    for block in re.findall(r"^```sh run\n(.*?)^```", text, flags=re.S | re.M):
        if failure := daemon.run(block):
            yield f"{block.strip()!r}: {failure}"


def wrong_commands(root, text):
    known = set(re.findall(r"^  (\w+)  ?", read(root, "dev").partition("usage: ./dev COMMAND")[2].partition("EOF")[0],
                           flags=re.M))
    for command in re.findall(r"\./dev (\w+)", text):
        if command not in known:
            yield f"./dev {command}: no such command"


def wrong_manifest(root, morpheusd):
    """The Kubernetes manifest against the daemon's options and configuration, and the systemd unit's capabilities."""
    try:
        import yaml
    except ImportError:
        yield from ()
        return
    parts = {part["kind"]: part for part in yaml.safe_load_all(read(root, "docs/kubernetes/morpheus.yaml"))}
    pod = parts["DaemonSet"]["spec"]["template"]["spec"]
    container = pod["containers"][0]
    unit = re.search(r"^AmbientCapabilities=(.*)$", read(root, "systemd/morpheusd.service.in"), flags=re.M)[1].split()
    added = ["CAP_" + name for name in container["securityContext"]["capabilities"]["add"]]
    if sorted(added) != sorted(unit):
        yield f"the manifest adds {added}, the unit {unit}"
    if {m["name"] for m in container["volumeMounts"]} != {v["name"] for v in pod["volumes"]}:
        yield "the manifest mounts other volumes than it has"
    with tempfile.NamedTemporaryFile("w", suffix=".json") as config:
        config.write(parts["ConfigMap"]["data"]["morpheusd.json"])
        config.flush()
        arguments = [config.name if a == "/etc/morpheus/morpheusd.json" else a for a in container["args"]]
        ended = subprocess.run([morpheusd, *arguments, "--help"], capture_output=True, text=True, check=False)
        if ended.returncode != 0:
            yield f"morpheusd refuses the manifest's arguments: {ended.stderr}"
        # the first thing after the configuration is the socket, which cannot be made here
        ended = subprocess.run([morpheusd, *arguments, "--socket", config.name + "/s", "--backend", "fake"],
                               capture_output=True, text=True, check=False, timeout=COMMAND_SECONDS)
        if ended.returncode == 78:
            yield f"morpheusd refuses the manifest's configuration: {ended.stderr}"


def options_of(command):
    done = subprocess.run([*command, "--help"], capture_output=True, text=True, check=False)
    return set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", done.stdout))


def wrong_unrun_blocks(root, text, morpheusctl):
    """Blocks that a test cannot run (they install, need root or minutes): their syntax, and options that exist."""
    for block in re.findall(r"^ *```sh\n(.*?)^ *```", text, flags=re.S | re.M):
        if subprocess.run(["sh", "-n", "-c", block], capture_output=True, check=False).returncode != 0:
            yield f"{block.strip()!r}: wrong syntax"
        for line in block.replace("\\\n", " ").splitlines():
            line = line.partition(" -- ")[0].partition("|")[0]
            words = re.sub(r"(?:^|\s)#.*", "", line).split()
            while words and re.match(r"[A-Z_]+=", words[0]):
                words.pop(0)
            if len(words) > 1 and words[0] == "./dev":
                if words[1] == "bench":
                    continue  # each benchmark has options of its own
                known = options_of([os.path.join(root, "dev"), words[1]])
            elif len(words) > 1 and words[0].endswith("morpheusctl"):
                verb = [word for word in words[1:] if re.fullmatch(r"[a-z]+", word)][:1]
                known = options_of([morpheusctl]) | options_of([morpheusctl, *verb])
            else:
                continue
            for word in words[1:]:
                if word.startswith("--") and word.partition("=")[0] not in known:
                    yield f"{line.strip()}: there is no option {word}"


def main():
    if len(sys.argv) != 4:
        print(__doc__, file=sys.stderr)
        return 64
    root = sys.argv[1]
    source = source_text(root)
    only = {"docs/architecture.md": lambda text: wrong_test_names(root, text, source),
            "docs/operating.md": lambda text: [*wrong_limits(root, text), *wrong_statuses(root, text)],
            "docs/tuning.md": lambda text: wrong_tunables(root, text),
            "docs/protocol.md": lambda text: wrong_interfaces(root, text)}
    documents = ["README.md"] + sorted("docs/" + f for f in os.listdir(os.path.join(root, "docs")) if f.endswith(".md"))
    found = [f"{path}: no such file" for path in only if path not in documents]
    daemon = Daemon(os.path.abspath(sys.argv[2]), os.path.abspath(sys.argv[3]))
    try:
        for path in documents:
            text = read(root, path)
            wrong = [*wrong_links(root, path, text), *wrong_names(root, text, source), *wrong_commands(root, text),
                     *wrong_blocks(text, daemon), *wrong_unrun_blocks(root, text, os.path.abspath(sys.argv[3])),
                     *only.get(path, lambda _: [])(text)]
            found += [f"{path}: {what}" for what in wrong]
        found += [f"docs/kubernetes/morpheus.yaml: {what}" for what in wrong_manifest(root, os.path.abspath(sys.argv[2]))]
    finally:
        daemon.stop()
    for statement in found:
        print(statement)
    print(f"{len(documents)} documents, {len(found)} untrue statements")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
