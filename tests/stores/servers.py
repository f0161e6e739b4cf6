"""A Redis, a Valkey and a PostgreSQL of the tests' own, on loopback: started, killed, frozen and stopped."""

import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

HOST = "127.0.0.1"
START_SECONDS = 30
STOP_SECONDS = 10
SHOWN_LINES = 30


class Missing(Exception):
    """A program that the tests start is not installed."""


class Server:
    """A server process with a folder and a port, which outlive it."""

    def __init__(self):
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="dotlatch-tests-"))
        self._log = self.folder / "log"
        self._process = None
        self._as_user = {}

    def start(self):
        """Start it, unless it is running, and wait until it answers."""
        if self._process is not None and self._process.poll() is None:
            return
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True, **self._as_user)
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{self.command()[0]} does not answer:\n{self.output()}")
            time.sleep(0.02)

    def stop(self, how=signal.SIGTERM):
        """End it, by force when it does not end by itself."""
        if self._process is None:
            return
        self.thaw()
        self._process.send_signal(how)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self):
        """kill -9: nothing is written that was not written yet."""
        for pid in self._family():
            _signal(pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def freeze(self):
        """It keeps its connections, and the kernel takes new ones, but nobody answers."""
        for pid in self._family():
            _signal(pid, signal.SIGSTOP)

    def thaw(self):
        for pid in self._family():
            _signal(pid, signal.SIGCONT)

    def output(self):
        lines = self._log.read_text(errors="replace").splitlines() if self._log.exists() else []
        return "\n".join(lines[-SHOWN_LINES:])

    def remove(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def pid(self):
        return self._process.pid

    def _family(self):
        """The process, and then its children, which PostgreSQL has in sessions of their own."""
        if self._process is None:
            return []
        pid = self._process.pid
        try:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except OSError:
            children = []
        return [pid, *map(int, children)]


class Redis(Server):
    def __init__(self, *arguments):
        super().__init__()
        self._program = self.program()
        self._arguments = arguments
        self.url = f"redis://{HOST}:{self.port}/0"

    def program(self):
        return _program(("redis-server",))

    def command(self):
        # What was acknowledged is in the file before, though perhaps not on the disk.
        return [self._program, "--bind", HOST, "--port", str(self.port), "--dir", str(self.folder),
                "--save", "", "--appendonly", "yes", *self._arguments]

    def answers(self):
        return b"+PONG" in self.say("PING")

    def say(self, *words):
        """What it answers to one inline command, as it comes."""
        try:
            with socket.create_connection((HOST, self.port), 2) as connection:
                connection.sendall(" ".join(words).encode() + b"\r\n")
                return connection.recv(65536)
        except OSError:
            return b""


class Valkey(Redis):
    def program(self):
        from tests.stores import valkey  # here: the checks of pages import this file alone
        return valkey.set_up()


class PostgreSQL(Server):
    def __init__(self):
        super().__init__()
        self._program = _program(
            ("postgres", *sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"), reverse=True)))
        self.url = f"postgresql+asyncpg://tests@{HOST}:{self.port}/postgres"
        if os.geteuid() == 0:  # it refuses to run as root
            user = pwd.getpwnam("postgres")
            self._as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        initdb = Path(self._program).resolve().with_name("initdb")
        subprocess.run(
            [initdb, "--pgdata", "data", "--username=tests", "--auth=trust", "--encoding=UTF8",
             "--no-locale", "--no-sync"],
            cwd=self.folder, check=True, capture_output=True, timeout=60, **self._as_user)

    def command(self):
        return [self._program, "-D", "data", "-p", str(self.port), "-c", "listen_addresses=" + HOST,
                "-c", "unix_socket_directories=", "-c", "fsync=off"]

    def stop(self, how=signal.SIGINT):  # "fast": it does not wait for clients to leave
        super().stop(how)

    def kill(self):
        family = self._family()
        super().kill()
        # It does not start again while a child of the old one has its memory.
        deadline = time.monotonic() + STOP_SECONDS
        while any(_is_running(pid) for pid in family) and time.monotonic() < deadline:
            time.sleep(0.02)

    def answers(self):
        """It says more than "starting up" to somebody who comes in."""
        parameters = b"user\0tests\0database\0postgres\0\0"
        hello = (8 + len(parameters)).to_bytes(4, "big") + b"\0\3\0\0" + parameters
        try:
            with socket.create_connection((HOST, self.port), 2) as connection:
                connection.sendall(hello)
                return connection.recv(1) == b"R"
        except OSError:
            return False


def free_port():
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def _program(names):
    for name in names:
        path = shutil.which(name)
        if path:
            return path
    raise Missing(f"{names[0]} is not installed, and these tests start it: `make setup` installs it")


def _signal(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
