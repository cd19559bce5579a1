#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The manual pages: a formatter finds nothing wrong with them, and they describe exactly the
commands, options, exit statuses, keys of the configuration and functions of the C ABI that exist.
(docs_test.py runs their examples of commands.)

usage: man_test.py SOURCE_ROOT MORPHEUSD MORPHEUSCTL

Exit status 77 (skipped) without mandoc; the rest is still checked.
"""
import os
import re
import shutil
import subprocess
import sys


def read(*parts):
    with open(os.path.join(*parts), encoding="utf-8") as file:
        return file.read()


def help_of(*command):
    return subprocess.run([*command, "--help"], capture_output=True, text=True, check=True).stdout


def long_options(text):
    return set(re.findall(r"--([a-z-]+)", re.split("Exit status|Columns|Examples", text)[0]))


def options_in(page):
    return set(re.findall(r"Fl -([a-z-]+)", page)) | set(re.findall(r"Fl [a-z] , -([a-z-]+)", page))


def statuses_in(page):
    return set(map(int, re.findall(r"^\.It (\d+)$", page, flags=re.M)))


def difference(what, real, described):
    for name in sorted(real - described, key=str):
        yield f"{what} {name} is not described"
    for name in sorted(described - real, key=str):
        yield f"{what} {name} does not exist"


def wrong_ctl(root, page, morpheusctl):
    text = help_of(morpheusctl)
    commands = set(re.findall(r"^  ([a-z-]+)\s", text.partition("ubcommands:")[2].partition("Exit status")[0], flags=re.M))
    assert len(commands) > 10, text
    options = long_options(text)
    for command in commands:
        options |= long_options(help_of(morpheusctl, command))
    looking = page.partition(".Ss Looking")[2].partition(".Sh ENVIRONMENT")[0]
    yield from difference("command", commands, set(re.findall(r"^\.It Cm ([\w-]+)", looking, flags=re.M)))
    yield from difference("option", options, options_in(page))
    real = {int(n) for n in re.findall(r"^  \w+ = (\d+),", read(root, "daemon/ctl/console/exit_status.hpp"), flags=re.M)}
    yield from difference("exit status", real, statuses_in(page))


def wrong_numbers(page, morpheusctl):
    """The bounds and the default of each option that takes a number, other than of a worker or a process."""
    sections = dict(re.findall(r"^\.It Cm ([\w-]+)(.*?)(?=^\.It Cm |^\.Ss )", page, flags=re.M | re.S))
    found = 0
    for command in ("top", "events", "blame", "trace"):
        said = " ".join(sections[command].split())
        for option, least, most, default in re.findall(r"--(\w+) \w+:in \[(\S+) - (\S+)\](?:=(\S+))?", help_of(morpheusctl, command)):
            if option in ("worker", "pid"):
                continue
            found += 1
            wanted = f"from {least} to {most}\\b" + (rf"[\w ]*, by default {default}\b" if default else "")
            if not re.search(wanted, said):
                yield f"{command} --{option} is from {least} to {most}" + (f", by default {default}" if default else "")
    assert found == 6, found


def wrong_daemon(root, page, morpheusd):
    yield from difference("option", long_options(help_of(morpheusd)), options_in(page) - {"json"})
    real = {int(n) for n in re.findall(r"^  \w+ = (\d+),", read(root, "daemon/exit_status.hpp"), flags=re.M)}
    yield from difference("exit status", real, statuses_in(page))


def wrong_configuration(root, page):
    source = read(root, "daemon/config/config.cpp")
    keys = set(re.findall(r'(?:reader\.(?:string|find|read|read_object)\(|read_choice\(reader, )"(\w+)"', source))
    keys |= set(re.findall(r'Field\{"(\w+)"', source + read(root, "daemon/config/tunables.hpp")))
    yield from difference("key", keys, set(re.findall(r"^\.It Va (\w+)", page, flags=re.M)))


def bounds_in_code(root):
    """Of each number of the configuration: default, least and most, where the source gives them as numbers."""
    source = read(root, "daemon/config/config.cpp") + read(root, "daemon/config/tunables.hpp")
    bounds = r"(\d[\d']*|std::uint64_t\{100\} \* MORPHEUS_MAX_CPUS)"
    cpus = re.search(r"MORPHEUS_MAX_CPUS = (\d+)|MORPHEUS_MAX_CPUS (\d+)", read(root, "proto/events.h"))
    percent = 100 * int(cpus[1] or cpus[2])
    for name, least, most in re.findall(rf'"(\w+)", [\w:.&]+, {bounds}, {bounds}[)}}]', source):
        yield name, int(least.replace("'", "")), percent if "CPUS" in most else int(most.replace("'", ""))


def wrong_bounds(root, page, help_of_tunables):
    known = list(bounds_in_code(root))
    assert {"slice_ns", "min_run_ns", "starved_ms", "percent", "message_depth"} <= {name for name, _, _ in known}, known
    described = {name: tuple(map(int, numbers)) for name, *numbers in
                 re.findall(r"^\.It Va (\w+)\n(?:[^.][^\n]*\n)*?Default (\d+), from (\d+) to (\d+)", page, flags=re.M)}
    units = {"": 1, "us": 1000, "ms": 10**6, "s": 10**9}
    helped = {name + "_ns": tuple(int(number) * units[unit or ""] for number, unit in zip(values[::2], values[1::2]))
              for name, *values in re.findall(r"^  (\w+) +(\d+) ?(us|ms|s)? +(\d+) ?(us|ms|s)? to (\d+) ?(us|ms|s)?  ", help_of_tunables, flags=re.M)}
    for name, least, most in known:
        if described.get(name, ())[1:] != (least, most):
            yield f"{name} is from {least} to {most}"
        if name.endswith("_ns") and helped.get(name) != described.get(name):
            yield f"morpheusctl tunables --help says of {name} {helped.get(name)}"


def wrong_quotes(directory, page):
    """Marks that stand beside each other, where a macro has quoted more than was meant."""
    text = subprocess.run(["mandoc", "-T", "ascii", page], cwd=directory, capture_output=True, text=True, check=True).stdout
    for line in re.sub(r".\x08", "", text).splitlines():
        if '""' in line:
            yield f"quotes: {line.strip()}"


def wrong_functions(root, page):
    headers = "".join(read(directory, name)
                      for directory, _, files in os.walk(os.path.join(root, "sdk/include/morpheus"))
                      for name in files if name.endswith(".h"))
    code = re.sub(r"/\*.*?\*/|//[^\n]*", "", headers, flags=re.S)
    functions = set(re.findall(r"\b(morpheus_\w+)\((?=[^;{]*\) MORPHEUS_NOEXCEPT)", code))
    assert len(functions) > 20
    yield from difference("function", functions, set(re.findall(r"^\.Fn (morpheus_\w+) ", page, flags=re.M)))


def wrong_example(root, build, page):
    """The example in C compiles as it stands, within a function."""
    text = re.search(r"^\.Bd [^\n]*\n(.*?)^\.Ed", page.partition(".Sh EXAMPLES")[2], flags=re.S | re.M)[1]
    program = f"#include <morpheus/morpheus.h>\n#include <stddef.h>\nint work(void);\nvoid example(void);\nvoid example(void)\n{{\n{text}}}\n"
    done = subprocess.run(["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-x", "c", "-I",
                           os.path.join(root, "sdk/include"), "-I", os.path.join(build, "sdk/include"), "-"], input=program, capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        yield "the example does not compile: " + done.stderr


def wrong_python(root, page):
    usage = read(root, "sdk/python/morpheus/launch.py").partition('USAGE = """')[2].partition('"""')[0]
    assert "--socket" in usage
    described = set(re.findall(r"^\.It Fl -([a-z-]+)", page, flags=re.M))
    yield from difference("option", set(re.findall(r"--([a-z-]+)", usage.partition("example:")[0])), described)


def main():
    if len(sys.argv) != 4:
        print(__doc__, file=sys.stderr)
        return 64
    root, morpheusd, morpheusctl = sys.argv[1:]
    directory = os.path.join(root, "docs/man")
    build = os.path.join(os.path.dirname(os.path.abspath(morpheusd)), "..")
    pages = sorted(name for name in os.listdir(directory) if name[-1].isdigit())
    found = [("morpheusctl.1", wrong) for wrong in wrong_ctl(root, read(directory, "morpheusctl.1"), morpheusctl)]
    found += [("morpheusctl.1", wrong) for wrong in wrong_numbers(read(directory, "morpheusctl.1"), morpheusctl)]
    found += [("morpheusd.8", wrong) for wrong in wrong_daemon(root, read(directory, "morpheusd.8"), morpheusd)]
    found += [("morpheusd.json.5", wrong) for wrong in wrong_configuration(root, read(directory, "morpheusd.json.5"))]
    found += [("morpheusd.json.5", wrong)
              for wrong in wrong_bounds(root, read(directory, "morpheusd.json.5"), help_of(morpheusctl, "tunables"))]
    found += [("morpheus.3", wrong) for wrong in wrong_functions(root, read(directory, "morpheus.3"))]
    found += [("morpheus.3", wrong) for wrong in wrong_example(root, build, read(directory, "morpheus.3"))]
    found += [("morpheus-python.1", wrong) for wrong in wrong_python(root, read(directory, "morpheus-python.1"))]
    mandoc = shutil.which("mandoc")
    if mandoc:
        lint = subprocess.run([mandoc, "-T", "lint", "-W", "warning", *pages], cwd=directory, capture_output=True,
                              text=True, check=False)
        found += [(page, wrong) for page in pages for wrong in wrong_quotes(directory, page)]
        found += [("mandoc", line) for line in (lint.stdout + lint.stderr).splitlines()]
    for page, wrong in found:
        print(f"{page}: {wrong}")
    print(f"{len(pages)} pages, {len(found)} faults")
    if not found and not mandoc:
        print("mandoc is not installed: the pages' markup is not checked")
        return 77
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
