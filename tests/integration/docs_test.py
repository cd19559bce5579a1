#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Holds the documents against the code: links, names of files, functions, types and tests, and
tables must be true, and so must the names in comments and messages (tests/names.py). Examples must
compile. A tag of every block of commands says which test runs it (tests/commands.py); those marked
"run" run here, beside morpheusd with the fake backend, and so do the examples of morpheusctl --help.

usage: docs_test.py SOURCE_ROOT BUILD_ROOT
"""
import ast
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import commands  # noqa: E402  (tests/commands.py)
import guarantees  # noqa: E402
from names import Names, without_blocks  # noqa: E402

WIDTH = 100
HISTORY = "CHANGELOG.md"  # may name what is gone
# What the examples in C++ take for granted.
PRELUDE = "bool work();\n"
PRELUDE_OF_FRAGMENT = """
#include <morpheus/adapters/asio.hpp>
#include <morpheus/cancellation.hpp>
#include <morpheus/channel.hpp>
#include <morpheus/scope.hpp>
#include <boost/asio/ip/tcp.hpp>
using namespace std::chrono_literals;
std::uint64_t step(std::uint64_t);
morpheus::task<void> compact(int), summarise(int), use(int);
extern int logs, device, peer;
morpheus::task<void> heartbeat(int), serve(int);
morpheus::task<int> ask(int);
extern morpheus::channel<int> inbox;
extern boost::asio::ip::tcp::endpoint endpoint;
"""
START_SECONDS = 10
COMMAND_SECONDS = 30


def read(*parts):
    with open(os.path.join(*parts), encoding="utf-8") as file:
        return file.read()


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


def wrong_width(text):
    for line in without_blocks(text).splitlines():
        if len(line) > WIDTH and not line.startswith("|"):
            yield f"longer than {WIDTH} columns: {line[:40]}..."


def wrong_test_names(root, text, code):
    source = "\n".join(code.values())
    # a long title is several strings
    known = {re.sub(r'"\s*"', "", title) for title in re.findall(r'TEST_CASE\(\s*"((?:[^"]|"\s*")+)"', source)}
    known |= set(re.findall(r"test\('([^']+)'", source))
    # the one test that meson registers once for each compiler
    known |= {f"sdk hot path, {compiler}" for compiler in ("gcc", "clang-19")}
    known |= set(re.findall(r'check "([^"]+)"', read(root, "tests", "system", "steps")))
    for table in guarantees.TABLES:
        rows = list(guarantees.rows_of(text, table))
        if len(rows) < 7:
            yield f"found hardly any rows under {table}"
        for row in rows:
            if not row.tests and row.guards != "every kernel test runs on stock Debian kernels":
                yield f"no test guards {row.promise!r}"
            yield from (f'no test is called "{name}"' for name in row.tests if name not in known)


def number(text):
    """A constant of C++: 256 * 1024, 1u << 20, 10'000."""
    text = re.sub(r"\bkMost\b", "(1 << 30)", text.replace("'", ""))
    text = text.replace("MORPHEUS_MAX_WORKERS", "16384")
    return eval(re.sub(r"(\d)u\b", r"\1", text), {"__builtins__": {}})  # digits and operators of our own files


def wrong_limits(root, text):
    defaults = dict(re.findall(r"std::uint32_t (\w+) = ([^;]+);", read(root, "daemon/config/config.hpp")))
    fields = re.findall(r'LimitField\{"(\w+)", [^,]+, ([^,]+),\s*([^}]+)\}', read(root, "daemon/config/config.cpp"))
    if len(fields) < 10:
        yield "found hardly any limits in daemon/config/config.cpp"
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
    source = read(root, "daemon/config/tunables.hpp")
    defaults = dict(re.findall(r"\.(\w+) = ([\d']+)", source))
    fields = re.findall(r'TunableField\{"(\w+)", [^,]+, ([\d\']+), ([\d\']+)\}', source)
    if len(fields) < 5:
        yield "found hardly any tunables in daemon/config/tunables.hpp"
    for name, least, most in fields:
        row = f"| `{name}` | {in_units(number(defaults[name]))} | {in_units(number(least))} to {in_units(number(most))}"
        if row not in text:
            yield f"the row of tunable {name} should begin: {row}"


def wrong_statuses(root, text):
    for path, program in (("daemon/exit_status.hpp", "morpheusd"), ("daemon/ctl/console/exit_status.hpp", "morpheusctl")):
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


class Desk:
    """A directory to type commands in, with morpheusd (fake backend) running and the programs at
    hand."""

    def __init__(self, root, build):
        self.directory = tempfile.mkdtemp()
        socket_path = self.path("daemon.sock")
        os.mkdir(self.path("bin"))
        os.symlink(build, self.path("build"))
        os.symlink(os.path.join(build, "daemon/morpheusd"), self.path("bin/morpheusd"))
        os.symlink("/usr/bin/python3", self.path("bin/python3"))
        shutil.copy(os.path.join(root, "sdk/python/examples/asyncio_jobs.py"), self.path("jobs.py"))
        self.environment = {**os.environ, "PATH": f"{self.path('bin')}:{os.environ['PATH']}", "MORPHEUS_SOCKET": socket_path,
                            "PYTHONPATH": os.path.join(build, "sdk/python"), "PYTHONDONTWRITEBYTECODE": "1"}
        with open(self.path("bin/morpheusctl"), "w", encoding="utf-8") as wrapper:
            wrapper.write('#!/bin/sh\ncase " $* " in *" --socket "*) ;; *) set -- --socket ' + socket_path + ' "$@" ;; esac\n'
                          f'exec {build}/daemon/ctl/morpheusctl "$@"\n')
        os.chmod(wrapper.name, 0o755)
        self.process = subprocess.Popen([self.path("bin/morpheusd"), "--backend", "fake", "--fake-hint-ms", "20", "--socket",
                                         socket_path, "--log-level", "off"])
        # a worker to see
        self.worker = subprocess.Popen([self.path("bin/python3"), self.path("jobs.py"), "600"], env=self.environment,
                                       stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        while self.run('morpheusctl workers --json | grep -q RUNNING'):
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError("morpheusd did not start, or no worker came")
            time.sleep(0.02)

    def path(self, name):
        return os.path.join(self.directory, name)

    def run(self, text):
        """What went wrong, or None. A command that runs until Ctrl-C gets one, and processes in the
        background are ended."""
        text = re.sub(r"^(.*--follow)", r"timeout --preserve-status --signal=INT 2 \1", text, flags=re.M)
        shell = subprocess.Popen(["sh", "-e", "-c", text], env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                 text=True, cwd=self.directory, start_new_session=True)
        try:
            shell.wait(COMMAND_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        status = shell.poll()
        try:
            os.killpg(shell.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        _, errors = shell.communicate()
        return None if status == 0 else f"status {status}: {errors.strip()}"

    def stop(self):
        for process in (self.worker, self.process):
            process.kill()
            process.wait()
        shutil.rmtree(self.directory)


def wrong_blocks(root, desk):
    """Blocks that nothing runs, and what goes wrong in those that run here."""
    by_ci = read(root, ".ci/run")
    for block in commands.blocks(root):
        where = f"{block.document}:{block.line}"
        if block.tag not in commands.TAGS:
            yield f"{where}: nothing runs these commands; tests/commands.py lists the tags"
        if block.tag == "walk" and block.document != "docs/walk.md":
            yield f"{where}: only docs/walk.md is walked"
        if block.tag == "ci":
            yield from (f"{where}: .ci/run does not run {line}" for line in block.text.splitlines()
                        if not re.search(rf"^(?:exec )?{re.escape(line)}$", by_ci, flags=re.M))
        if block.tag == "run" and (failure := desk.run(block.text)):
            yield f"{where}: {block.text.strip()!r}: {failure}"


def wrong_examples(root, desk):
    """The examples in the help of morpheusctl and of each command, which has its own; an explanation follows after
    two blanks."""
    ctl = desk.path("bin/morpheusctl")
    seen = {}
    for command in ("", *sorted(set(re.findall(r"^  ([a-z][a-z-]*)\s", help_of([ctl]).partition("Exit status")[0], flags=re.M)))):
        lines = help_of([ctl, *command.split()]).partition("Examples:")[2].splitlines()
        examples = [re.split(r"\s{2,}", line.strip())[0] for line in lines if line.strip().startswith("morpheusctl ")]
        if not examples or tuple(examples) in seen:
            yield f"morpheusctl {command} --help: has no examples of its own"
        seen[tuple(examples)] = command
        if command and not all(example.startswith("morpheusctl " + command) for example in examples):
            yield f"morpheusctl {command} --help: has examples of another command"
    for example in sorted({example for examples in seen for example in examples}):
        # a fault of this host is no fault of the example
        if failure := desk.run(example + (" || [ $? = 4 ]" if example.endswith(" doctor") else "")):
            yield f"morpheusctl --help: {example!r}: {failure}"
    desk.run("morpheusctl mode observer")


def wrong_configurations(root, desk):
    """Examples of the configuration, as the daemon itself reads them."""
    texts = [(path, text) for path in commands.documents(root)
             for text in re.findall(r"^```json\n(.*?)^```", read(root, path), flags=re.S | re.M)]
    page = read(root, "docs/man/morpheusd.json.5").partition(".Sh EXAMPLES")[2]
    texts += [("docs/man/morpheusd.json.5", text) for text in re.findall(r"^\.Bd [^\n]*\n(.*?)^\.Ed", page, flags=re.S | re.M)]
    if len(texts) < 2:
        yield "found hardly any examples of the configuration"
    for path, text in texts:
        with open(desk.path("example.json"), "w", encoding="utf-8") as file:
            file.write(text)
        if failure := desk.run("morpheusd --check-config --config example.json"):
            yield f"{path}: {text!r}: {failure}"


def wrong_programs(root, build, path, text):
    """Examples in C++ compile, those without a function as the body of a task. Examples in Python are
    right in their syntax, and name what the package has."""
    for number, block in enumerate(re.findall(r"^```cpp\n(.*?)^```", text, flags=re.S | re.M)):
        prelude = PRELUDE if "int main()" in block else PRELUDE_OF_FRAGMENT
        if not re.search(r"^\w.*\) \{$", block, flags=re.M):
            block = f"morpheus::task<void> example(morpheus::runtime& runtime) {{ {{\n{block}}} co_return; }}\n"
        done = subprocess.run(["g++", "-std=c++20", "-fsyntax-only", "-x", "c++", "-I", os.path.join(root, "sdk/include"), "-I",
                               os.path.join(build, "sdk/include"), "-"], input=prelude + block, capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            yield f"example {number + 1} in C++ does not compile: {done.stderr}"
    blocks = re.findall(r"^```python\n(.*?)^```", text, flags=re.S | re.M)
    for block in blocks:
        try:
            compile(block, path, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        except SyntaxError as wrong:
            yield f"example in Python: {wrong}"
    used = sorted({name for block in blocks for name in re.findall(r"\bmorpheus\.(\w+)", block)})
    missing = "import sys, morpheus; print(*(n for n in sys.argv[1:] if not hasattr(morpheus, n)))"
    done = subprocess.run(["/usr/bin/python3", "-c", missing, *used], capture_output=True, text=True, check=True,
                          env={**os.environ, "PYTHONPATH": os.path.join(build, "sdk/python"), "PYTHONDONTWRITEBYTECODE": "1"})
    yield from (f"morpheus.{name}: the Python package has no such name" for name in done.stdout.split())


def wrong_subcommands(text, known):
    for command in re.findall(r"`morpheusctl ([a-z][\w-]*)", text):
        if command not in known:
            yield f"morpheusctl {command}: no such command"


def wrong_commands(root, text):
    known = set(re.findall(r"^  (\w+)  ?", read(root, "dev").partition("usage: ./dev COMMAND")[2].partition("EOF")[0],
                           flags=re.M))
    for command in re.findall(r"\./dev ([a-z]\w*)", text):
        if command not in known:
            yield f"./dev {command}: no such command"


def help_of(command):
    return subprocess.run([*command, "--help"], capture_output=True, text=True, check=False).stdout


def wrong_options(root):
    """Blocks that run elsewhere and seldom: at least their syntax, and that the options of ./dev
    exist."""
    for block in commands.blocks(root):
        if block.tag not in ("dev", "system"):
            continue
        if subprocess.run(["sh", "-n", "-c", block.text], capture_output=True, check=False).returncode != 0:
            yield f"{block.name}: wrong syntax"
        for command, rest in re.findall(r"^\./dev (?!bench)(\w+)(.*?)(?: -- .*)?$", block.text, flags=re.M):
            known = re.findall(r"(?<![\w-])--[a-z][a-z-]*", help_of([os.path.join(root, "dev"), command]))
            yield from (f"{block.name}: ./dev {command} has no option {option}"
                        for option in re.findall(r"--[a-z-]+", rest) if option not in known)


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 64
    root, build = map(os.path.abspath, sys.argv[1:])
    names = Names(root, build)
    subcommands = set(re.findall(r"^  ([a-z-]+)\s", help_of([os.path.join(build, "daemon/ctl/morpheusctl")]), flags=re.M))
    only = {"docs/guarantees.md": lambda text: wrong_test_names(root, text, names.code),
            "docs/operating.md": lambda text: [*wrong_limits(root, text), *wrong_statuses(root, text)],
            "docs/tuning.md": lambda text: wrong_tunables(root, text),
            "docs/protocol.md": lambda text: wrong_interfaces(root, text)}
    documents = commands.documents(root)
    found = [f"{path}: no such file" for path in only if path not in documents]
    for path in documents:
        text = read(root, path)
        wrong = [*wrong_links(root, path, text), *wrong_commands(root, text), *wrong_subcommands(text, subcommands),
                 *wrong_width(text), *wrong_programs(root, build, path, text), *only.get(path, lambda _: [])(text)]
        if path != HISTORY:
            wrong += names.gone_in_page(text)
        found += [f"{path}: {what}" for what in wrong]
    for path, message in names.messages():
        found += [f"{path}: {what}" for what in wrong_commands(root, message)]
    found += names.gone_in_code()
    found += wrong_options(root)
    desk = Desk(root, build)
    try:
        found += [*wrong_blocks(root, desk), *wrong_examples(root, desk), *wrong_configurations(root, desk)]
    finally:
        desk.stop()
    for statement in found:
        print(statement)
    print(f"{len(documents)} documents, {len(names.code)} files of code, {len(found)} untrue statements")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
