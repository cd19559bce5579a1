# SPDX-License-Identifier: GPL-2.0-only
"""What python -m morpheus does: runs a program as the interpreter itself would, and its event loops
with safe points.

Nothing of this package is in the program's __main__, its arguments, its path or its tracebacks; it
has no thread until the first loop runs, and asyncio is not imported before the program does.
"""
import importlib.machinery
import io
import os
import pkgutil
import runpy
import sys
import types
from typing import Any, Dict, List, NoReturn, Optional, Union

from . import every_loop, worker

USAGE = """\
usage: python3 -m morpheus [--blame[=SECONDS]] [--socket PATH] [--name NAME]
                           (-m MODULE | SCRIPT) [ARG...]
       python3 -m morpheus --attach PID [--blame=SECONDS]

Runs a Python program unchanged, with a safe point between every two callbacks of each asyncio event
loop that it runs (uvloop's, too): there the thread gives up its CPU when the kernel hints it to,
through morpheusd. Without a daemon the program runs as usual.

  --blame[=SECONDS]   log the callbacks that take longer (default 0.1 s), with their time on the CPU,
                      preempted and blocked; logger morpheus.blame
  --socket PATH       the daemon's socket (default $MORPHEUS_SOCKET, else
                      /run/morpheus/morpheusd.sock)
  --name NAME         what operators see (default the program's name)
  --attach PID        print the slow callbacks of a program that runs already, with the tasks that
                      await them (Python 3.14)

example: python3 -m morpheus --blame -m uvicorn app:app
"""


def fail(message: str) -> NoReturn:
    print(f"morpheus: {message}; see python3 -m morpheus --help", file=sys.stderr)
    sys.exit(64)


class Options:
    blame: Union[None, bool, float] = None
    socket: Optional[str] = None
    name: Optional[str] = None
    module: Optional[str] = None
    attach: Optional[str] = None
    program: List[str]

    def __init__(self, words: List[str]) -> None:
        while words and words[0].startswith("-") and words[0] != "-m":
            word, *words = words
            option, has_value, value = word.partition("=")
            if option in ("--help", "-h"):
                print(USAGE, end="")
                sys.exit()
            if option == "--blame":
                self.blame = self._seconds(value) if has_value else True
                continue
            if option not in ("--socket", "--name", "--attach"):
                fail(f"no option {word}")
            if not has_value:
                if not words:
                    fail(f"{option} needs a value")
                value, *words = words
            setattr(self, option[2:], value)
        if words[:1] == ["-m"]:
            if len(words) < 2:
                fail("-m needs a module")
            self.module = words[1]
            words = words[1:]
        if self.attach is not None and (words or not self.attach.isdecimal()):
            fail("--attach needs a process, and no program")
        if self.attach is None and not words:
            fail("no program to run")
        self.program = words

    def to_attach(self) -> Dict[str, str]:
        """What worker.attach() is to be given."""
        default_name = (self.module or os.path.basename(self.program[0]))[:16]
        options = {"name": worker.name_for_operators(default_name)}
        for option, value in (("name", self.name), ("socket", self.socket)):
            try:
                size = len((value or "").encode())
            except UnicodeEncodeError:
                fail(f"--{option}: not UTF-8")
            if option == "name" and size > worker.MOST_NAME_BYTES:
                fail(f"the name is longer than {worker.MOST_NAME_BYTES} bytes")
            if value:
                options[option] = value
        return options

    @staticmethod
    def _seconds(text: str) -> float:
        try:
            seconds = float(text)
        except ValueError:
            seconds = 0.0
        if not 1e-4 <= seconds <= 3600:
            fail(f"--blame={text}: not a number of seconds from 0.0001 to 3600")
        return seconds



def _report_as_the_programs(error: BaseException) -> None:
    """Lets the interpreter end as it does for this error, but without our frames in the report."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_frame.f_code.co_filename == __file__:
        traceback = traceback.tb_next
    hook = sys.excepthook
    if not callable(hook):
        return

    def report(kind: Any, value: BaseException, _: Any) -> None:
        sys.excepthook = hook
        hook(kind, value.with_traceback(traceback), traceback)

    sys.excepthook = report


def _read_code(path: str) -> types.CodeType:
    with io.open_code(path) as file:
        code = pkgutil.read_code(file)  # of a .pyc
    if code is None:
        with io.open_code(path) as file:
            code = compile(file.read(), path, "exec", dont_inherit=True)
    assert isinstance(code, types.CodeType)
    return code


def _fresh_main() -> Dict[str, Any]:
    """The namespace of __main__ as the interpreter makes it. The module stays the same."""
    namespace = sys.modules["__main__"].__dict__
    builtins = namespace["__builtins__"]
    namespace.clear()
    namespace.update(__name__="__main__", __doc__=None, __package__=None, __loader__=None, __spec__=None,
                     __builtins__=builtins)
    if sys.version_info < (3, 14):
        namespace["__annotations__"] = {}
    return namespace


def _run_script(program: str) -> None:
    """A file, or a directory or archive that holds a __main__."""
    namespace = _fresh_main()
    path = os.path.join(os.getcwd(), program)
    is_path_safe = getattr(sys.flags, "safe_path", sys.flags.isolated)
    if pkgutil.get_importer(path) is not None:
        sys.path[: 0 if is_path_safe else 1] = [path]
        runpy._run_module_as_main("__main__", False)  # type: ignore[attr-defined]
        return
    if not is_path_safe:
        sys.path[0] = os.path.dirname(os.path.realpath(program))
    is_code = path.endswith(".pyc")
    loader = importlib.machinery.SourcelessFileLoader if is_code else importlib.machinery.SourceFileLoader
    namespace.update(__file__=path, __cached__=None, __loader__=loader("__main__", path))
    exec(_read_code(path), namespace)


def _run_module(module: str) -> None:
    _fresh_main()
    runpy._run_module_as_main(module)  # type: ignore[attr-defined]


def main() -> None:
    options = Options(sys.argv[1:])
    if options.attach is not None:
        from . import remote  # imports asyncio

        is_given = options.blame is not None and options.blame is not True
        return remote.watch(int(options.attach), float(options.blame or 0) if is_given else 0.1)
    program = options.program[0]
    worker.set_launch_options(**options.to_attach())
    if options.module is None and not os.path.exists(program):
        fail(f"no program {program}")
    every_loop.watch(options.blame)
    sys.argv = options.program
    try:
        if options.module is not None:
            _run_module(options.module)
        else:
            _run_script(program)
    except SystemExit:
        raise
    except BaseException as error:
        _report_as_the_programs(error)
        raise
