# SPDX-License-Identifier: GPL-2.0-only
"""The package's types are complete, and its stubs are those of the C part."""
import os
import subprocess
import sys

import pytest

import morpheus

PACKAGE = os.path.dirname(morpheus.__file__)
# what a C slot does not say about its arguments
UNTYPED = "morpheus._core.Adaptive.__call__\nmorpheus._core.critical.__init__\n"


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    """One for all tests: most of the time goes into the standard library's stubs."""
    pytest.importorskip("mypy")
    os.environ["MYPY_CACHE_DIR"] = str(tmp_path_factory.mktemp("mypy"))


def run_mypy(tmp_path, *arguments):
    return subprocess.run([sys.executable, "-m", *arguments], capture_output=True, text=True, cwd=tmp_path,
                          timeout=300)


def test_the_package_is_strictly_typed_from_python_3_9_on(tmp_path):
    done = run_mypy(tmp_path, "mypy", "--strict", "--python-version", "3.9", PACKAGE)
    assert done.returncode == 0, done.stdout


def test_a_users_program_is_checked_by_its_types(tmp_path):
    (tmp_path / "user.py").write_text(
        "import morpheus\n"
        "async def main() -> int:\n"
        "    with morpheus.critical():\n"
        "        reveal_type(morpheus.checkpoint())\n"
        "    reveal_type(await morpheus.acheckpoint())\n"
        "    return 1\n"
        "reveal_type(morpheus.run(main(), blame=0.5))\n"
        "reveal_type([x for x in morpheus.AdaptiveCheckpointer().over('ab')])\n"
        "morpheus.set_priority('high')\n"
    )
    done = run_mypy(tmp_path, "mypy", "--strict", "user.py")
    for part in ('"builtins.bool"', '"Union[builtins.bool, None]"', '"builtins.int"', '"builtins.list[builtins.str]"',
                 'user.py:9: error: Argument 1 to "set_priority"', "Found 1 error"):
        assert part in done.stdout


def test_the_stubs_show_what_the_extension_has(tmp_path):
    (tmp_path / "untyped").write_text(UNTYPED)
    done = run_mypy(tmp_path, "mypy.stubtest", "--allowlist", "untyped", "morpheus._core")
    assert done.returncode == 0, done.stdout
