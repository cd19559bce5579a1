# SPDX-License-Identifier: GPL-2.0-only
"""Installs what the subjects need, and builds them. One that cannot be built is left out."""
import os
import shutil
import subprocess
import sys

SOURCE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(SOURCE, "../../.."))


class Missing(Exception):
    """Why a subject cannot be built, for the user."""


def note(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def is_installed(package):
    done = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status}", package], capture_output=True, text=True)
    return done.returncode == 0 and done.stdout == "installed"


class Builder:
    def __init__(self, directory):
        self.directory = directory
        os.makedirs(directory, exist_ok=True)
        self.log = os.path.join(directory, "build.log")
        open(self.log, "w", encoding="utf-8").close()

    def _run(self, what, command, **options):
        """Runs a command into the log; Missing with its last line if it fails."""
        with open(self.log, "r+", encoding="utf-8", errors="replace") as log:
            start = log.seek(0, os.SEEK_END)
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, **options)
            if done.returncode == 0:
                return
            log.seek(start)
            lines = [line.strip() for line in log if line.strip()]
        reason = next((line for line in lines if "error" in line.lower() or line.startswith("E:")), (lines or [""])[-1])
        raise Missing(f"{what} failed: {reason} (log: {self.log})")

    def install(self, packages):
        missing = [package for package in packages if not is_installed(package)]
        if not missing:
            return
        names = " ".join(missing)
        if not shutil.which("apt-get"):
            raise Missing(f"needs the Debian packages {names}")
        if os.geteuid() != 0:
            raise Missing(f"needs the packages {names}; install them as root: apt-get install {names}")
        note(f"installing {names} with apt-get")
        apt = ["apt-get", "-y", "-q", "-o", "Acquire::Retries=3", "-o", "DPkg::Lock::Timeout=300"]
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        install = [*apt, "install", "--no-install-recommends", *missing]
        try:
            self._run(f"apt-get install {names}", install, env=environment)
        except Missing:
            self._run("apt-get update", [*apt, "update"], env=environment)
            self._run(f"apt-get install {names}", install, env=environment)

    def build(self, subject):
        """The command that runs the subject."""
        self.install(subject.packages)
        return getattr(self, "_" + subject.build)(subject)

    def _script(self, subject):
        # Debian's, as the peers' packages are
        return ["/usr/bin/python3", os.path.join(SOURCE, subject.name, "subject.py")]

    def _meson(self, subject):
        target = f"tests/bench/runtime/{subject.name}"
        build = os.path.join(self.directory, "release")
        environment = {"CC": "clang-19", "CXX": "clang++-19", **os.environ}
        setup = ["meson", "setup", build, ROOT, "--buildtype", "release", "-Db_ndebug=true", "-Ddaemon=false", "-Dwerror=false"]
        if not os.path.exists(os.path.join(build, "build.ninja")):
            self._run("meson setup", setup, env=environment)
        elif subprocess.run(["ninja", "-C", build, "-t", "query", target], capture_output=True).returncode != 0:
            self._run("meson setup", [*setup, "--reconfigure"], env=environment)  # its library may have been installed since
        self._run("the build", ["ninja", "-C", build, target], env=environment)
        return [os.path.join(build, target)]

    def _copy(self, subject):
        """The sources, where the build may write beside them."""
        copy = os.path.join(self.directory, subject.name)
        shutil.copytree(os.path.join(SOURCE, subject.name), copy, dirs_exist_ok=True)
        return copy

    def _cargo(self, subject):
        copy = self._copy(subject)
        # Debian's compiler and crates, whatever else is on the PATH
        environment = {**os.environ, "PATH": "/usr/bin:/bin", "CARGO_HOME": os.path.join(copy, "home"),
                       "CARGO_TARGET_DIR": os.path.join(copy, "target"), "RUSTFLAGS": "--cfg tokio_unstable",
                       "RUSTC": "/usr/bin/rustc"}
        self._run("cargo", ["/usr/bin/cargo", "build", "--release", "--offline",
                            "--config", 'source.crates-io.replace-with="debian"',
                            "--config", 'source.debian.directory="/usr/share/cargo/registry"'],
                  cwd=copy, env=environment)
        return [os.path.join(copy, "target/release/tokio-subject")]

    def _go(self, subject):
        copy = self._copy(subject)
        environment = {**os.environ, "GOCACHE": os.path.join(copy, "cache"), "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod"}
        self._run("go build", ["/usr/bin/go", "build", "-o", "subject", "."], cwd=copy, env=environment)
        return [os.path.join(copy, "subject")]
