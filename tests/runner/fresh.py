# SPDX-License-Identifier: GPL-2.0-only
"""The part fresh: a newcomer's commands in Debian releases that have next to nothing installed (tests/fresh/)."""
from __future__ import annotations

import os
import shutil
import subprocess
import tempfile

import programs
from results import FAIL, SKIP, Result, Run
from sources import copy_changes, is_clone

RELEASES = ("12", "13")
_LIMIT = 4 * 3600


def run_release(settings, release):
    label = f"fresh {release}"
    if os.geteuid() != 0:
        return [Result(SKIP, label, "only root can make a Debian root file system")]
    if not is_clone(settings.root):
        return [Result(SKIP, label, "this is no clone")]
    log = settings.log(label)
    # beside the build directory: a root with all packages takes some gigabytes
    directory = f"{settings.build}-fresh-{release}"
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    try:
        make_sources(settings.root, os.path.join(directory, "sources"))
        root = os.path.join(directory, "root")
        results = programs.run(label, ["sh", "-c", 'exec "$@" >&2', "sh", settings.path("tests/fresh/run"), release,
                                       os.path.join(directory, "sources"), root],
                               log, limit=_LIMIT, on_result=settings.on_result)
        return results + results_inside(settings, label, root)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def make_sources(root, directory):
    """A clone of the tree as it is, uncommitted changes included, and the tarball of the same."""
    clone = os.path.join(directory, "morpheus")

    def do(*command):
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd=root)

    do("git", "clone", "-q", "--no-hardlinks", root, clone)
    copy_changes(root, clone)
    do("git", "-C", clone, "add", "--all")
    author = ("-c", "user.name=fresh", "-c", "user.email=fresh@localhost", "-c", "commit.gpgSign=false")
    do("git", "-C", clone, *author, "commit", "-q", "--allow-empty", "-m", "The tree as it is")
    with tempfile.TemporaryDirectory() as build:
        # the tests run where the tarball is unpacked
        do("meson", "setup", build, clone, "-Dtests=false", "-Ddaemon=false", "-Dpython=")
        do("meson", "dist", "-C", build, "--no-tests", "--formats", "gztar")
        made = os.path.join(build, "meson-dist")
        for name in os.listdir(made):
            if name.endswith(".tar.gz"):
                shutil.copy(os.path.join(made, name), directory)


def results_inside(settings, label, root):
    """What ./dev test counted there; its logs are kept beside ours."""
    logs, kept = os.path.join(root, "root/morpheus/build/logs"), settings.built("logs", label.replace(" ", "-"))
    shutil.rmtree(kept, ignore_errors=True)
    if os.path.isdir(logs):
        shutil.copytree(logs, kept)
    stored = os.path.join(kept, "results.json")
    if not os.path.exists(stored):
        return [Result(FAIL, label, "./dev test left no results")]
    return [Result(each.word, f"{label} {each.label}", each.test, each.seconds) for each in Run.load(stored).results]
