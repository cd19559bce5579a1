# SPDX-License-Identifier: GPL-2.0-only
"""python -m morpheus: runs an unchanged program whose event loops have safe points."""
import os
import runpy
import sys
from typing import List, NoReturn, Optional

from . import loop, worker

USAGE = """\
usage: python3 -m morpheus [--blame[=SECONDS]] [--socket PATH] [--name NAME]
                           (-m MODULE | SCRIPT) [ARG...]

Runs a Python program unchanged, with a safe point between every two callbacks of each asyncio event
loop that it runs (uvloop's, too): there the thread gives up its CPU when the kernel hints it to,
through morpheusd. Without a daemon the program runs as usual.

  --blame[=SECONDS]   log the callbacks that take longer (default 0.1 s), with their time on the CPU,
                      preempted and blocked; logger morpheus.blame
  --socket PATH       the daemon's socket (default $MORPHEUS_SOCKET, else
                      /run/morpheus/morpheusd.sock)
  --name NAME         what operators see (default the program's name)

example: python3 -m morpheus --blame -m uvicorn app:app
"""


def fail(message: str) -> NoReturn:
    print(f"morpheus: {message}; see python3 -m morpheus --help", file=sys.stderr)
    sys.exit(64)


class Options:
    blame: loop.BlameOption = None
    socket: Optional[str] = None
    name: Optional[str] = None
    module: Optional[str] = None
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
            if option not in ("--socket", "--name"):
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
        if not words:
            fail("no program to run")
        self.program = words

    @staticmethod
    def _seconds(text: str) -> float:
        try:
            seconds = float(text)
        except ValueError:
            seconds = 0.0
        if not 1e-4 <= seconds <= 3600:
            fail(f"--blame={text}: not a number of seconds from 0.0001 to 3600")
        return seconds


def main() -> None:
    options = Options(sys.argv[1:])
    program = options.program[0]
    default_name = options.module or os.path.basename(program)
    sys.argv = list(options.program)
    try:
        worker.attach(socket=options.socket, name=options.name or default_name[:16], register=False)
    except ValueError as error:
        fail(str(error))
    loop.instrument_every_loop(options.blame)
    if options.module is not None:
        runpy.run_module(options.module, run_name="__main__", alter_sys=True)
    else:
        if not os.path.exists(program):
            fail(f"no program {program}")
        sys.path[0] = os.path.dirname(os.path.abspath(program))
        runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main()
