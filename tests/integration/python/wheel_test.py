# SPDX-License-Identifier: GPL-2.0-only
"""The wheel, built by meson-python from this source tree, in a virtual environment."""
import os
import shutil
import subprocess
import sys
import zipfile

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
MINUTES = 600
OTHERS = ("python3.9", "python3.10", "python3.12", "python3.13", "python3.14")


def without_our_paths():
    return {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=MINUTES, env=without_our_paths(), **options)
    assert done.returncode == 0, f"{command}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    pytest.importorskip("mesonpy")
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), ROOT)
    [path] = out.iterdir()
    return path


def test_it_holds_the_package_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert "linux" in wheel.name
    assert {"morpheus/__init__.py", "morpheus/py.typed", "morpheus/_core.pyi", "morpheus/_core.abi3.so"} <= set(names)
    assert all(name.startswith(("morpheus/", "morpheus-")) and ".data/" not in name for name in names)


def test_it_runs_from_a_virtual_environment_against_the_daemon(wheel, daemon, tmp_path):
    run(sys.executable, "-m", "venv", str(tmp_path))
    python = str(tmp_path / "bin/python3")
    run(python, "-m", "pip", "install", "--no-index", str(wheel))
    code = f"""
import morpheus, asyncio, time
async def main():
    end = time.monotonic() + 20
    while morpheus.stats().acks < 3 and time.monotonic() < end:
        await asyncio.sleep(0)
    return morpheus.stats().acks, morpheus.__file__
morpheus.attach(socket={daemon.socket!r})
print(*morpheus.run(main()), morpheus.__version__)
"""
    acks, file, version = run(python, "-c", code, cwd=tmp_path).split()
    assert int(acks) >= 3 and file.startswith(str(tmp_path)) and version in wheel.name
    libraries = run("ldd", os.path.join(os.path.dirname(file), "_core.abi3.so"))
    assert "libmorpheus" not in libraries


def is_usable(python):
    return subprocess.run([python, "-c", "import asyncio"], capture_output=True).returncode == 0


def test_the_same_build_serves_other_versions(wheel, tmp_path):
    """The limited API holds what it promises: one file for 3.9 and later."""
    others = [python for python in map(shutil.which, OTHERS) if python and is_usable(python)]
    if not others:
        pytest.skip("no other Python on this machine")
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = """
import asyncio, morpheus, sys
async def main():
    async with morpheus.critical():
        await asyncio.sleep(0)
        return await morpheus.acheckpoint(), morpheus.critical_depth()
print(morpheus.run(main(), blame=True), morpheus.checkpoint(), list(morpheus.AdaptiveCheckpointer().over(range(3))))
"""
    for python in others:
        assert run(python, "-c", code, cwd=tmp_path).strip() == "(None, 1) False [0, 1, 2]", python


def test_a_free_threaded_python_builds_from_source(tmp_path):
    """Against headers of such a Python: the module says that it needs no GIL."""
    python = next(filter(None, map(shutil.which, ("python3.14t", "python3.13t"))), None)
    if python is None:
        pytest.skip("no free-threaded Python on this machine")
    run("meson", "setup", str(tmp_path), ROOT, f"-Dpython={python}", "-Ddaemon=false", "-Dtests=false", "-Dwheel=true")
    run("ninja", "-C", str(tmp_path))
    code = ("import sys; sys.path.insert(0, sys.argv[1]); import morpheus, sysconfig; morpheus.attach();"
            "print(sys._is_gil_enabled(), morpheus.checkpoint())")
    assert run(python, "-c", code, str(tmp_path / "sdk/python")).split() == ["False", "False"]
