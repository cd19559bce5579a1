# SPDX-License-Identifier: GPL-2.0-only
"""The source tree under test: a clone, or an unpacked tarball, which has no git."""
from __future__ import annotations

import os
import shutil
import subprocess


def is_clone(root):
    """Whether git knows this tree, and not just a tree around it."""
    return os.path.exists(os.path.join(root, ".git")) and shutil.which("git") is not None


def commit_of(root):
    if not is_clone(root):
        return "unknown"
    asked = subprocess.run(["git", "-C", root, "describe", "--always", "--dirty"], capture_output=True, text=True,
                           check=False)
    return asked.stdout.strip() or "unknown"


def copy_changes(root, clone):
    """What is not committed yet belongs to the tree as well: added, changed and deleted files."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=root,
                            stdout=subprocess.PIPE, check=True).stdout.decode()
    for name in filter(None, listed.split("\0")):
        source, target = os.path.join(root, name), os.path.join(clone, name)
        if os.path.lexists(source):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
        elif os.path.lexists(target):
            os.remove(target)
