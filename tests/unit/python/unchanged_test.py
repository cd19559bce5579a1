# SPDX-License-Identifier: GPL-2.0-only
"""python -m morpheus leaves a program as it is: what it prints, how it ends, what it finds."""
import os
import re
import signal
import subprocess
import sys
import textwrap

import pytest


def outcome(command, environment, cwd, flags=()):
    done = subprocess.run([sys.executable, *flags, *command], capture_output=True, timeout=60, cwd=cwd,
                          env={**os.environ, **environment})
    return done.returncode, *(re.sub(rb" at 0x[0-9a-f]+", b"", output) for output in (done.stdout, done.stderr))


def assert_same(tmp_path, *program, environment=(), flags=(), status=0):
    """The program alone, and under -m morpheus with its loops watched."""
    environment = dict(environment)
    alone = outcome(program, environment, tmp_path, flags)
    with_us = outcome(("-m", "morpheus", "--blame", *program), environment, tmp_path, flags)
    assert with_us == alone
    assert alone[0] == status, alone
    return alone[1]


@pytest.fixture
def write(tmp_path):
    def write(source, name="program.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source))
        return name

    return write


SHOWS_ITSELF = """
    import sys
    names = {name: value for name, value in globals().items() if name not in ("__builtins__", "__loader__", "names")}
    print(sorted(globals()), {k: str(v) for k, v in names.items()}, type(__loader__).__name__, __builtins__)
    print(sys.argv, sys.path, sys.modules["__main__"].__dict__ is globals(), sys._getframe().f_code.co_filename)
    print(sorted(sys.flags), sys.excepthook is sys.__excepthook__, sys.warnoptions)
    if __spec__: print(__spec__.name, __spec__.origin)
"""


def test_it_finds_the_same_main_arguments_and_path(tmp_path, write):
    assert_same(tmp_path, write(SHOWS_ITSELF), "a", "--blame", "-m")
    assert_same(tmp_path, str(tmp_path / "program.py"))
    assert_same(tmp_path, write(SHOWS_ITSELF, "deep/er/program.py"))
    assert_same(tmp_path, "-m", "program", "x")
    write(SHOWS_ITSELF, "package/__main__.py")
    write("", "package/__init__.py")
    assert_same(tmp_path, "-m", "package", "x")
    assert_same(tmp_path, "package", "x")


def test_a_symbolic_link_is_followed_to_the_programs_directory(tmp_path, write):
    write("import beside, sys; print(beside.VALUE, sys.path[0], __file__)", "real/program.py")
    write("VALUE = 7", "real/beside.py")
    os.symlink("real/program.py", tmp_path / "link.py")
    assert_same(tmp_path, "link.py")


def test_an_archive_and_compiled_code_run(tmp_path, write):
    write(SHOWS_ITSELF, "app/__main__.py")
    subprocess.run([sys.executable, "-m", "zipapp", "app"], cwd=tmp_path, check=True)
    assert_same(tmp_path, "app.pyz", "x")
    write(SHOWS_ITSELF)
    code = "import py_compile; py_compile.compile('program.py', 'compiled.pyc')"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert_same(tmp_path, "compiled.pyc", "x")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="since Python 3.11")
@pytest.mark.parametrize("what", ["program.py", "package", "-m"])
def test_a_safe_path_stays_safe(tmp_path, write, what):
    write(SHOWS_ITSELF)
    write(SHOWS_ITSELF, "package/__main__.py")
    where = {"PYTHONSAFEPATH": "1"}
    if what == "-m":
        assert_same(tmp_path, "-m", "json.tool", "--help", environment=where)
    else:
        assert_same(tmp_path, what, environment=where)


def test_a_name_that_is_not_utf_8_is_a_name(tmp_path):
    name = b"n\xe4me.py"
    (tmp_path / os.fsdecode(name)).write_text("import asyncio, sys\nasyncio.run(asyncio.sleep(0))\nprint(ascii(sys.argv))")
    assert b"\\udce4" in assert_same(tmp_path, os.fsdecode(name), environment={"LC_ALL": "C.UTF-8"})


@pytest.mark.parametrize("ending, status", [
    ("sys.exit(3)", 3),
    ("sys.exit('a message')", 1),
    ("raise SystemExit", 0),
    ("1 / 0", 1),
    ("f()", 1),
    ("raise KeyboardInterrupt", -signal.SIGINT),
    ("os.kill(os.getpid(), signal.SIGINT); time.sleep(1)", -signal.SIGINT),
    ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
    ("sys.excepthook = lambda kind, error, traceback: print(kind, traceback.tb_frame.f_code.co_name); 1 / 0", 1),
    ("asyncio.run(main())", 1),
    ("atexit.register(f); threading.Thread(target=f).start()", 0),
    ("def syntax error", 1),
    ("import nothing_of_that_name", 1),
    ("warnings.warn('mine', DeprecationWarning)", 0),
    ("os._exit(4)", 4),
    ("os.abort()", -signal.SIGABRT),
])
@pytest.mark.parametrize("how", [("program.py",), ("-m", "program")])
def test_it_ends_the_same(tmp_path, write, ending, status, how):
    write(f"""
        import asyncio, atexit, os, signal, sys, threading, time, warnings
        async def main():
            await asyncio.sleep(0)
            raise KeyError('mine')
        def f(): raise ValueError from OSError('cause')
        {ending}
    """)
    assert_same(tmp_path, *how, status=status)


def test_what_is_not_there_is_said_by_the_interpreter(tmp_path):
    assert_same(tmp_path, "-m", "nothing_of_that_name", status=1)


def test_its_main_lives_until_the_end(tmp_path, write):
    assert assert_same(tmp_path, write("""
        import atexit, pickle, threading
        class C: pass
        def show(): print(pickle.loads(pickle.dumps(C())).__class__.__name__)
        atexit.register(show)
        threading.Thread(target=lambda: threading.main_thread().join() or show()).start()
    """)) == b"C\nC\n"


@pytest.mark.parametrize("kind", ["fork", "spawn", "forkserver"])
def test_processes_of_multiprocessing_find_its_functions(tmp_path, write, kind):
    assert assert_same(tmp_path, write(f"""
        import multiprocessing
        def square(x): return x * x
        if __name__ == "__main__":
            with multiprocessing.get_context("{kind}").Pool(2) as pool:
                print(pool.map(square, range(4)))
    """)) == b"[0, 1, 4, 9]\n"


def test_it_has_the_modules_and_threads_of_its_own_only(tmp_path, write):
    assert_same(tmp_path, write("""
        import os, sys
        print("asyncio" in sys.modules, "logging" in sys.modules, len(os.listdir("/proc/self/task")))
        import asyncio, signal, threading
        async def main():
            await asyncio.sleep(0.01)
            return [thread.name for thread in threading.enumerate()], threading.active_count()
        print(asyncio.run(main()), signal.getsignal(signal.SIGINT) is signal.default_int_handler)
    """))


def test_a_program_that_attaches_by_itself_is_not_disturbed(tmp_path, write):
    assert assert_same(tmp_path, write("""
        import asyncio, morpheus
        async def main():
            morpheus.attach(name="app", max_workers=10)
            morpheus.detach()
            morpheus.attach(name="another", register=False)
            return morpheus.status().link.name
        print(asyncio.run(main()))
        try:
            morpheus.attach(name="a third")
        except morpheus.MorpheusError:
            print("once only")
        morpheus.detach()
        morpheus.attach(name="app"); print("attached")
        asyncio.run(asyncio.sleep(0))
    """)) == b"WAITING\nonce only\nattached\n"


def test_a_process_that_may_start_no_thread_runs_unguided(tmp_path, write):
    write("""
        import asyncio, os, resource, sys
        if os.getuid() == 0:
            os.setgroups([]); os.setgid(65534); os.setuid(65534)
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        async def main():
            await asyncio.sleep(0.01)
            return 42
        print(asyncio.run(main()), flush=True)
        if "morpheus" in sys.modules:
            import morpheus
            print(morpheus.status().unguided > 0, morpheus.status().link.name, file=sys.stderr)
    """)
    done = subprocess.run([sys.executable, "-m", "morpheus", "--blame", "program.py"], capture_output=True, text=True,
                          timeout=60, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "42\n"), done.stderr
    assert "unguided" in done.stderr and done.stderr.splitlines()[-1] == "True NONE"


def test_gevent_finds_nothing_imported_before_it_patches(tmp_path, write):
    pytest.importorskip("gevent")
    assert b"greenlets 3" in assert_same(tmp_path, write("""
        import gevent.monkey
        gevent.monkey.patch_all()
        import gevent, threading, time
        done = []
        def work(): time.sleep(0.01); done.append(threading.get_ident())
        for thread in [threading.Thread(target=work) for _ in range(3)]: thread.start()
        time.sleep(0.1)
        print("greenlets", len(set(done)))
    """))
