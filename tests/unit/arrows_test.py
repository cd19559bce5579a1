#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Checks the house rules that can be read off the files: which room may include which, file names, licence
lines. Prints each breach as FILE:LINE: what is wrong, and ends with 1 if there is one.

usage: arrows_test.py SOURCE_ROOT
"""
import os
import re
import sys

C_ABI = ("detail/export.h", "error.h", "morpheus.h", "safepoint.h")
# What the files of a room may include: rooms, or single files. A file belongs to the longest of these paths that
# holds it; tests belong to none and may include everything. A generated header belongs to the room that makes it.
ARROWS = {
    "proto": {"proto"},
    "bpf": {"bpf", "bpf/policy.bpf.h", "proto"},
    # pure: unit tests and simulator compile the same text without any kernel header
    "bpf/policy.bpf.h": {"bpf/policy"},
    "bpf/policy": {"bpf/policy", "proto"},
    # the daemon's floors, from the top down: each may use those below it, and every one may log
    "daemon": {"daemon", "daemon/log.hpp", "daemon/socket", "daemon/service", "daemon/state", "daemon/kernel",
               "daemon/config", "proto"},
    "daemon/log.hpp": set(),
    "daemon/socket": {"daemon/socket", "daemon/service", "daemon/state", "daemon/rights", "daemon/config",
                      "daemon/log.hpp", "proto"},
    "daemon/service": {"daemon/service", "daemon/state", "daemon/kernel", "daemon/rights", "daemon/config",
                       "daemon/log.hpp", "proto"},
    "daemon/state": {"daemon/state", "daemon/kernel", "daemon/rights", "daemon/config", "daemon/log.hpp", "proto"},
    "daemon/kernel": {"daemon/kernel", "daemon/config", "daemon/log.hpp", "bpf/morpheus.skel.h", "proto"},
    "daemon/rights": {"daemon/rights", "daemon/config", "proto"},
    "daemon/config": {"daemon/config", "proto"},
    # morpheusctl knows the daemon by its socket only
    "daemon/ctl": {"daemon/ctl", "daemon/ctl/blame", "daemon/ctl/commands", "daemon/ctl/report", "daemon/ctl/top",
                   "daemon/ctl/console", "proto"},
    "daemon/ctl/report": {"daemon/ctl/report", "daemon/ctl/blame", "daemon/ctl/commands", "daemon/ctl/console", "proto"},
    "daemon/ctl/commands": {"daemon/ctl/commands", "daemon/ctl/blame", "daemon/ctl/console", "proto"},
    "daemon/ctl/top": {"daemon/ctl/top", "daemon/ctl/blame", "daemon/ctl/console", "proto"},
    "daemon/ctl/blame": {"daemon/ctl/blame", "daemon/ctl/console", "proto"},
    "daemon/ctl/console": {"daemon/ctl/console", "proto"},
    "sdk/python": {"sdk/python", "proto/scb.h", *("sdk/include/morpheus/" + name for name in C_ABI)},
    # the runtime's floors: where frames live, what threads share, one thread, all of them
    "sdk/src/runtime": {"sdk/src/runtime", "sdk/src/runtime/thread", "sdk/src/runtime/shared", "sdk/src/runtime/frames",
                        "sdk/src/sync", "sdk/include", "proto"},
    "sdk/src/runtime/thread": {"sdk/src/runtime/thread", "sdk/src/runtime/shared", "sdk/src/runtime/frames",
                               "sdk/src/client", "sdk/src/sync", "sdk/include", "proto"},
    "sdk/src/runtime/shared": {"sdk/src/runtime/shared", "sdk/src/sync", "sdk/include", "proto"},
    "sdk/src/runtime/frames": {"sdk/src/runtime/frames", "sdk/src/sync", "sdk/include"},
    "sdk/src/client": {"sdk/src/client", "sdk/src/sync", "sdk/include", "proto"},
    "sdk/src/sync": {"sdk/src/sync", "sdk/include"},
    "sdk/include": {"sdk/include", "proto/scb.h"},  # what is installed
}
GENERATED = {"vmlinux.h": "bpf/vmlinux.h", "morpheus.skel.h": "bpf/morpheus.skel.h",
             "proto/interfaces.hpp": "proto/interfaces.hpp"}
# libbpf's headers have one user each; any room may use other libraries.
OWNED = {"bpf/libbpf.h": "daemon/kernel", "bpf/bpf.h": "daemon/kernel", "bpf/btf.h": "daemon/kernel", "bpf/bpf_helpers.h": "bpf",
         "bpf/bpf_tracing.h": "bpf", "bpf/bpf_core_read.h": "bpf"}

SOURCES = (".h", ".c", ".hpp", ".cpp", ".bash", ".sh", ".py", "meson.build", ".in", ".map")
CODE = (".h", ".c", ".hpp", ".cpp")
FORBIDDEN_WORDS = {"util", "utils", "common", "helper", "helpers", "misc", "manager"}
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')
SPDX = "SPDX-License-Identifier: GPL-2.0-only"
SPDX_WITHIN_LINES = 3  # a #! line may come first


def source_files(root):
    """Every file of the project, relative to its root; build directories and hidden ones left out."""
    for directory, names, files in os.walk(root):
        names[:] = sorted(n for n in names if not n.startswith((".", "build")) and n != "__pycache__")
        for file in sorted(files):
            yield os.path.relpath(os.path.join(directory, file), root)


def room_of(path):
    """The room that a file belongs to; None for tests and what is no part of a room."""
    rooms = [room for room in ARROWS if path == room or path.startswith(room + "/")]
    return max(rooms, key=len, default=None)


def target_of(root, path, name, quoted):
    """The project's file that an include means, or None for a header of the system."""
    if quoted and name in GENERATED:
        return GENERATED[name]
    if name == "morpheus/scb.h":  # installed beside the others
        return "proto/scb.h"
    candidates = ["sdk/include/" + name]
    if quoted:
        candidates = [os.path.normpath(os.path.join(os.path.dirname(path), name)), name, *candidates]
    for candidate in candidates:
        if os.path.isfile(os.path.join(root, candidate)):
            return candidate
    return f"{name}, which does not exist" if quoted else None


def may_include(room, target):
    return target in ARROWS[room] or room_of(target) in ARROWS[room]


def breaches_of_includes(root, path, lines):
    room = room_of(path)
    if room is None:
        return
    for number, line in enumerate(lines, 1):
        found = INCLUDE.match(line)
        if not found:
            continue
        name, quoted = (found[1], True) if found[1] else (found[2], False)
        if OWNED.get(name, room) != room:
            yield number, f"{room} includes <{name}>, which only {OWNED[name]} may"
        target = target_of(root, path, name, quoted)
        if target is not None and not may_include(room, target):
            yield number, f"{room} includes {target}; it may include {', '.join(sorted(ARROWS[room]))}"


def read_source(root, path):
    """The lines of a source file or script; None for anything else."""
    with open(os.path.join(root, path), "rb") as file:
        content = file.read()
    if not path.endswith(SOURCES) and not content.startswith(b"#!"):
        return None
    return content.decode().splitlines()


def breaches(root):
    for path in source_files(root):
        # stand-ins for headers of others keep the names that those gave them
        for part in () if path.startswith("tests/sim/kernel/bpf/") else path.split("/"):
            if FORBIDDEN_WORDS & set(re.split(r"[^a-z]+", part.lower())):
                yield f"{path}:1: a name that says nothing: {part}"
        lines = read_source(root, path)
        if lines is None:
            continue
        if not any(SPDX in line for line in lines[:SPDX_WITHIN_LINES]):
            yield f"{path}:1: no line {SPDX}"
        if path.endswith(CODE):
            for number, what in breaches_of_includes(root, path, lines):
                yield f"{path}:{number}: {what}"


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 64
    root = sys.argv[1]
    found = list(breaches(root))
    seen = sum(1 for path in source_files(root) if room_of(path) and path.endswith(CODE))
    if seen < 50:  # a test that looks at nothing passes for ever
        found.append(f"{root}:1: only {seen} source files found in the rooms")
    for breach in found:
        print(breach)
    print(f"{seen} source files of the rooms, {len(found)} breaches")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
