#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The commands of the documents. A tag says which test runs a block of commands:

  run     tests/integration/docs_test.py, on this machine, beside morpheusd with the fake backend
  walk    the kernel test "walk: ...", on a real kernel, in the order of docs/walk.md
  system  tests/system/steps, as root of a Debian 13 with systemd
  dev     ./dev test documents, in a copy of the source tree
  ci      .ci/run, line for line

In Markdown the tag follows the language (```sh run); in a manual page it is a comment before the
display (.\\" sh run).

usage: commands.py SOURCE_ROOT TAG DIRECTORY

Writes each block of TAG to a script in DIRECTORY, numbered. The first line is a comment that names
the block.
"""
import os
import re
import sys
from typing import NamedTuple

TAGS = ("run", "walk", "system", "dev", "ci")


class Block(NamedTuple):
    document: str
    line: int
    tag: str
    text: str

    @property
    def name(self):
        return f"{self.document}: {self.text.splitlines()[0]}"


def documents(root):
    """README.md first: installing comes first."""
    pages = [name for name in os.listdir(root) if name.endswith(".md") and name != "README.md"]
    for directory, _, files in os.walk(os.path.join(root, "docs")):
        pages += [os.path.relpath(os.path.join(directory, name), root) for name in files if name.endswith(".md")]
    return ["README.md", *sorted(pages)]


def manual_pages(root):
    return sorted("docs/man/" + f for f in os.listdir(os.path.join(root, "docs/man")) if f[-1].isdigit())


def blocks(root):
    """All blocks of commands; those without a tag have the tag ''."""
    in_markdown = re.compile(r"^( *)```(?:sh|bash|shell|console)\b *([^\n]*)\n(.*?)^ *```", re.S | re.M)
    in_manual = re.compile(r'^()\.\\" sh *([^\n]*)\n\.Bd [^\n]*\n(.*?)^\.Ed', re.S | re.M)
    for paths, pattern in ((documents(root), in_markdown), (manual_pages(root), in_manual)):
        for path in paths:
            with open(os.path.join(root, path), encoding="utf-8") as file:
                text = file.read()
            for found in pattern.finditer(text):
                yield Block(path, text.count("\n", 0, found.start()) + 1, found[2].strip(), found[3])


def main():
    if len(sys.argv) != 4 or sys.argv[2] not in TAGS:
        print(__doc__, file=sys.stderr)
        return 64
    root, tag, directory = sys.argv[1:]
    os.makedirs(directory, exist_ok=True)
    for number, block in enumerate(block for block in blocks(root) if block.tag == tag):
        with open(os.path.join(directory, f"{number:02}"), "w", encoding="utf-8") as script:
            script.write(f"# {block.name}\n{block.text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
