# SPDX-License-Identifier: GPL-2.0-only
"""python -m morpheus: unchanged programs, and the messages to its user."""
import subprocess
import sys
import textwrap

import pytest


def run(*arguments, **options):
    return subprocess.run([sys.executable, "-m", "morpheus", *map(str, arguments)], capture_output=True, text=True,
                          timeout=60, **options)


@pytest.fixture
def program(tmp_path):
    def write(source, name="program.py"):
        path = tmp_path / name
        path.write_text(textwrap.dedent(source))
        return path

    return write


def test_a_script_runs_with_its_arguments_and_its_own_directory(program):
    program("VALUE = 7", "beside.py")
    script = program("""
        import sys, beside
        if __name__ == "__main__":
            print(sys.argv[1:], beside.VALUE, __file__ == sys.argv[0])
            sys.exit(3)
    """)
    done = run(script, "a", "--blame")
    assert (done.stdout, done.returncode, done.stderr) == ("['a', '--blame'] 7 True\n", 3, "")


def test_a_module_runs(tmp_path):
    done = run("-m", "json.tool", "-", input='{"a":1}', cwd=tmp_path)
    assert done.stdout == '{\n    "a": 1\n}\n'


SLOW = """
    import asyncio, sys, time
    async def hog():
        end = time.thread_time() + 0.3
        while time.thread_time() < end: pass
    {kind}
    import morpheus
    async def main():
        await asyncio.sleep(0)
        await asyncio.ensure_future(hog())
        print(morpheus.is_registered())
    asyncio.run(main())
    print(morpheus.is_registered())
"""


@pytest.mark.parametrize("kind", ["", "import uvloop; uvloop.install()"])
def test_loops_that_the_program_makes_are_workers_and_are_watched(program, kind):
    if kind:
        pytest.importorskip("uvloop")
    done = run("--blame=0.1", program(SLOW.format(kind=kind)))
    assert done.stdout == "True\nFalse\n", done.stderr
    assert "hog" in done.stderr and "on the CPU" in done.stderr and "line " in done.stderr


def test_a_traceback_is_the_programs(program):
    done = run(program("1 / 0"))
    assert done.returncode == 1 and "ZeroDivisionError" in done.stderr


@pytest.mark.parametrize("arguments, message", [
    ([], "no program to run"),
    (["-m"], "-m needs a module"),
    (["--nonsense", "x.py"], "no option --nonsense"),
    (["--blame=soon", "x.py"], "not a number of seconds"),
    (["--socket"], "--socket needs a value"),
    (["--name", "n" * 65, "x.py"], "longer than 64 bytes"),
    (["/nonexistent.py"], "no program /nonexistent.py"),
])
def test_wrong_usage_gets_a_message(arguments, message):
    done = run(*arguments)
    assert done.returncode == 64
    assert message in done.stderr and "--help" in done.stderr


def test_help_teaches():
    done = run("--help")
    assert done.returncode == 0 and "example:" in done.stdout
