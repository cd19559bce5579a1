#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Checks that no page, comment, message or name uses a word that the project has given up: pronouns in place of the
noun that is meant, retired names (docs/architecture.md has the words in use), and notes of unfinished work.

usage: words_test.py SOURCE_ROOT
"""
import os
import re
import sys

sys.dont_write_bytecode = True
import tree

PRONOUNS = r"\b(?:whoever|whomever|whom|nobody|somebody|anybody|everybody)\b"
RETIRED = r"\bdearer?\b|bereave|keep_house|house_keeper|tell_of_groups|\bPoolWorker\b|\bWorkerPool\b|\bThreadWorker\b"
UNFINISHED = r"\b(?:TODO|FIXME|XXX|HACK)\b"
WORDS = re.compile(f"{PRONOUNS}|{RETIRED}|{UNFINISHED}", re.I)
UNFINISHED_CASE = re.compile(UNFINISHED)
TITLES = re.compile(r'TEST_CASE\((?:\s*"[^"]*")+|check "[^"]*"')  # test names are sentences of their own
PAGES = (".md", ".1", ".3", ".5", ".8", ".varlink", ".in", ".service", ".socket")
# where such a word is meant: the licence, this list, and the page that quotes test names
EXEMPT = {"LICENSE", "tests/unit/style/words_test.py", "docs/guarantees.md"}
# the user of that name, and templates for temporary names
MEANT = re.compile(r"""kNobody|getpwnam\("nobody"\)|["'(=:/ ]nobody["':)]|mktemp|XXXXXX|-u nobody|user nobody""")


def breaches_of(root, path):
    text = TITLES.sub(lambda title: "\n" * title[0].count("\n"), tree.read(root, path) or "")
    for number, line in enumerate(text.splitlines(), 1):
        found = WORDS.search(line)
        if not found or MEANT.search(line):
            continue
        if found[0].upper() in ("TODO", "FIXME", "XXX", "HACK") and not UNFINISHED_CASE.search(line):
            continue
        yield f"{path}:{number}: {found[0]}"


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 64
    root = os.path.abspath(sys.argv[1])
    paths = [path for path in tree.source_files(root)
             if path not in EXEMPT and (tree.language(root, path) or path.endswith(PAGES))]
    found = [breach for path in paths for breach in breaches_of(root, path)]
    return tree.report(found, len(paths), 500)


if __name__ == "__main__":
    sys.exit(main())
