#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Runs clang-tidy, with the checks of .clang-tidy, over every C++ source and header of the product.

usage: tidy_test.py SOURCE_ROOT BUILD_ROOT [CLANG_TIDY]

clang-tidy spends most of its time on the headers of libraries. So many sources are pasted into one,
and the lines of the findings are mapped back. A paste that was clean is checked again only after
its text, a header of ours, the flags or clang-tidy's version has changed: the build directory
stores a hash of these.
"""
import bisect
import concurrent.futures
import hashlib
import json
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
import tree

# What is pasted together: the folders, into how many pastes, and the expensive header that the
# sources include.
POOLS = {"sdk": (("proto/", "sdk/src/", "sdk/include/"), 1, None),
         "daemon": (("daemon/",), 2, None),
         "options": (("daemon/",), 1, "#include <CLI/"),
         "http": (("daemon/",), 1, "#include <boost/beast/")}
PUBLIC_HEADERS = "sdk/include/"
# headers that need a library which may be missing
OPTIONAL = {"sdk/include/morpheus/adapters/tbb.hpp": "tbb/task_arena.h"}
FLAGS = ("-I", "-D", "-std=", "-pthread")
# The analyzer follows fewer paths through a function than it would by itself, in half the time.
ANALYZER = ["-Xclang", "-analyzer-config", "-Xclang", "max-nodes=75000"]
INCLUDE = re.compile(r'^ *# *include *["<]([^">]+)[">]', re.M)
INTERNAL = re.compile(r"^namespace \{$.*?^\}  // namespace$", re.M | re.S)
DECLARED = re.compile(r"^(?!using )[A-Za-z][^\n({=;]*?\b([A-Za-z_]\w*) ?[({=;\[]", re.M)
CONSTANT = re.compile(r"k[A-Z]\w*")
USING = re.compile(r"^using (?:\w+::)+(\w+);$", re.M)
FINDING = re.compile(r"^(\S.*?):(\d+):\d+: (?:warning|error): (.*)$", re.M)
DOES_NOT_COMPILE = "[clang-diagnostic-error"


class Paste:
    """Several sources in one, with a table of the lines at which each begins."""

    def __init__(self, name, flags):
        self.name, self.flags = name, flags
        self.lines, self.starts, self.paths, self.names = [], [], [], set()

    def add(self, path, text):
        # another source's constant of the same name: renamed, which moves no line
        for name in filter(CONSTANT.fullmatch, self.names & internal_names(text)):
            text = re.sub(rf"\b{name}\b", f"{name}_{len(self.paths)}", text)
        self.starts.append(len(self.lines))
        self.paths.append(path)
        self.lines += text.splitlines()
        self.names |= internal_names(text)

    def has_place_for(self, text):
        return all(map(CONSTANT.fullmatch, self.names & internal_names(text)))

    def origin(self, line):
        """The source and its line that a line of the paste comes from, both counted from 1."""
        index = bisect.bisect_right(self.starts, line - 1) - 1
        return self.paths[index], line - self.starts[index]

    def text(self):
        return "\n".join(self.lines) + "\n"


def internal_names(text):
    """What a source names for itself: two sources with such a name in common go into two pastes."""
    names = {name for part in INTERNAL.findall(text) for name in DECLARED.findall(part)}
    return names | {"main"} if re.search(r"^int main\(", text, re.M) else names


def unused_usings(path, text):
    """What clang-tidy misses where another source in the paste uses the name."""
    for found in USING.finditer(text):
        if len(re.findall(rf"\b{found[1]}\b", text)) == 1:
            line = text.count("\n", 0, found.start()) + 1
            yield path, line, f"{found[1]} is unused [misc-unused-using-decls]"


def including(headers):
    """A source that includes these headers: not every header is included by a source of ours."""
    lines = []
    for path in headers:
        needed = OPTIONAL.get(path)
        name = path.removeprefix(PUBLIC_HEADERS)
        lines += [f"#if __has_include(<{needed}>)"] if needed else []
        lines += [f'#include "{name}"'] + ["#endif"] * bool(needed)
    return "\n".join(lines)


def pastes_of(root, pool, count, sources, headers, flags):
    pastes = [Paste(f"{pool}_{number}", flags) for number in range(count)]
    for path in sources:
        text = tree.read(root, path)
        fitting = [paste for paste in pastes if paste.has_place_for(text)]
        if not fitting:
            fitting = [Paste(f"{pool}_{len(pastes)}", flags)]
            pastes += fitting
        min(fitting, key=lambda paste: len(paste.lines)).add(path, text)
    pastes[-1].add(f"the headers of {pool}", including(headers))
    return pastes


def included_text(text, directories, seen):
    """The text of each header of ours that a source includes, and that those include."""
    for name in INCLUDE.findall(text):
        candidates = (os.path.join(directory, name) for directory in directories)
        path = next(filter(os.path.isfile, candidates), None)
        if path and path not in seen:
            seen.add(path)
            yield tree.read("", path)
            yield from included_text(tree.read("", path), directories, seen)


class Tidy:
    def __init__(self, root, build, program):
        self.root, self.build = os.path.realpath(root), os.path.realpath(build)
        self.program = program
        self.work = os.path.join(self.build, "tests/unit/style/tidy")
        os.makedirs(self.work, exist_ok=True)
        self.config = os.path.join(self.root, ".clang-tidy")
        version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
        self.basis = version.stdout + tree.read("", self.config)

    def commands(self):
        """The words of the command that compiles each source."""
        with open(os.path.join(self.build, "meson-info/intro-targets.json"), encoding="utf-8") as file:
            groups = [group for target in json.load(file) for group in target["target_sources"]]
        return {self.name_of(source): group["parameters"]
                for group in groups if group.get("language") == "cpp"
                for source in [*group["sources"], *group.get("unity_sources", [])]}

    def name_of(self, path):
        return os.path.relpath(path, self.root)

    def hash_of(self, paste):
        directories = [os.path.normpath(os.path.join(self.build, flag[2:]))
                       for flag in paste.flags if flag.startswith("-I")]
        ours = [d for d in directories if (d + "/").startswith((self.root + "/", self.build + "/"))]
        parts = (self.basis, *paste.flags, paste.text(), *included_text(paste.text(), ours, set()))
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def findings(self, file, flags):
        command = [self.program, f"--config-file={self.config}", "--quiet", file, "--", *flags]
        done = subprocess.run(command, cwd=self.build, capture_output=True, text=True)
        found = [(os.path.normpath(os.path.join(self.build, path)), int(line), what)
                 for path, line, what in FINDING.findall(done.stdout)]
        if done.returncode and not found:
            found.append((file, 1, f"{self.program} failed: {done.stderr.strip()}"))
        return found

    def breaches(self, paste):
        """The findings in a paste as (path, line, text); each is found but once."""
        file = os.path.join(self.work, paste.name + ".cpp")
        stamp = os.path.join(self.work, paste.name + ".clean")
        now = self.hash_of(paste)
        if os.path.isfile(stamp) and tree.read("", stamp) == now:
            return set()
        with open(file, "w", encoding="utf-8") as output:
            output.write(paste.text())
        found = self.findings(file, paste.flags)
        wrong = [(line, what) for path, line, what in found if path == file and DOES_NOT_COMPILE in what]
        if wrong:  # two sources use a name for two things, mostly
            path, line = paste.origin(wrong[0][0])
            return {(path, line, f"does not compile in one source with the others of {paste.name}: {wrong[0][1]}")}
        breaches = set()
        for path, line, what in found:
            if path == file:
                breaches.add((*paste.origin(line), what))
            elif not path.startswith(self.build + "/"):  # a generated header is not ours to mend
                breaches.add((self.name_of(path), line, what))
        if not breaches:
            with open(stamp, "w", encoding="utf-8") as output:
                output.write(now)
        return breaches


def all_pastes(tidy, paths, commands):
    def expensive_header(path):
        text = tree.read(tidy.root, path) if path.endswith(".cpp") else ""
        return next((header for _, _, header in POOLS.values() if header and header in text), None)

    for pool, (folders, count, header) in POOLS.items():
        mine = [p for p in paths if p.startswith(folders) and expensive_header(p) == header]
        sources = [path for path in mine if path in commands]
        flags = [word for path in sources for word in commands[path] if word.startswith(FLAGS)]
        flags = [*dict.fromkeys(flags), *ANALYZER]
        headers = [path for path in mine if path.endswith(".hpp")]
        yield from pastes_of(tidy.root, pool, count, sources, headers, flags)


def main():
    if len(sys.argv) not in (3, 4):
        print(__doc__, file=sys.stderr)
        return 64
    program = sys.argv[3] if len(sys.argv) == 4 else "clang-tidy-19"
    tree.need(program)
    tidy = Tidy(sys.argv[1], sys.argv[2], program)
    commands = tidy.commands()
    folders = tuple(folder for folders, _, _ in POOLS.values() for folder in folders)
    paths = [path for path in tree.files_in(tidy.root, "c++") if path.startswith(folders)]
    found = {(path, 1, "no build compiles this source")
             for path in paths if path.endswith(".cpp") and path not in commands}
    found.update(*(unused_usings(path, tree.read(tidy.root, path)) for path in paths))
    work = sorted(all_pastes(tidy, paths, commands), key=lambda paste: -len(paste.lines))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = found.union(*pool.map(tidy.breaches, work))
    breaches = (f"{path}:{line}: {what}" for path, line, what in sorted(found))
    return tree.report(breaches, len(paths), 200)


if __name__ == "__main__":
    sys.exit(main())
