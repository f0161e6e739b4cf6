"""Real servers on loopback for the tests: each of the four ways a dotlatch app is served.

`console` is the console example, `serve(path, kind)` any other app: a file that defines
`create_app(app)` and adds its routes to the Microdot instance it is given. `kind` is what both
run on; a test that takes any of the two and `kind` runs once for each. `start_console` starts
one by hand. All have a folder of their own for their data, and are stopped when the test ends;
when it fails, what they printed is shown.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.harness.interpreters import PLAIN, ROOT, SOURCE, Variant

KINDS = ("builtin-cpython", "builtin-micropython", "uvicorn", "gunicorn")
CONSOLE = ROOT / "examples" / "console"
HOST = "127.0.0.1"
CPYTHON, MICROPYTHON = PLAIN

# A cold start compiles, and hashes the first password on an interpreter without a JIT.
START_SECONDS = 60
STOP_SECONDS = 5
SHOWN_LINES = 100


class Server:
    """A server process: where it is, what it printed, and the folder it keeps its data in."""

    def __init__(self, kind, command, cwd, data, environment=None):
        self.kind = kind
        self.data = data
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        self._command = [part.format(port=self.port) for part in command]
        self._cwd = cwd
        self._environment = environment or {}
        self._log = data.with_name(data.name + ".log")
        self._process = None

    def start(self):
        environment = dict(
            os.environ, HOST=HOST, PORT=str(self.port), CONSOLE_DATA=str(self.data),
            # gunicorn keeps a socket in the home folder: a test has its own.
            HOME=str(self.data), PYTHONUNBUFFERED="1", PYTHONPATH=str(SOURCE),
            **self._environment)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self._cwd, env=environment, stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        self._wait_until_it_answers()

    def stop(self):
        if self._process is None:
            return
        # The group: gunicorn has workers, and MicroPython may have none left to pass it on.
        _signal_group(self._process, signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        _signal_group(self._process, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def restart(self):
        """The same data, port and program in a new process: what a reboot leaves."""
        self.stop()
        self.start()

    def alive(self):
        return self._process is not None and self._process.poll() is None

    def output(self):
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    @property
    def password(self):
        """The password of `admin` that the console made up, having no terminal to ask on."""
        found = re.search(r"password: (\S+)", self.output())
        assert found, f"the console printed no password:\n{self.output()}"
        return found.group(1)

    def exchange(self, request, timeout=10):
        """Send these bytes as they are and return all that comes back until the end.

        A server that answers before it has read everything resets the connection when it
        closes it; what it said before that still counts.
        """
        received = b""
        with socket.create_connection((HOST, self.port), timeout) as connection:
            try:
                connection.sendall(request)
                connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            try:
                while chunk := connection.recv(65536):
                    received += chunk
            except ConnectionResetError:
                pass
        return received

    def _wait_until_it_answers(self):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"{self.kind} ended at once:\n{self.output()}")
            # An open port is not enough: gunicorn opens it before it loads the app.
            try:
                if self.exchange(b"GET /is-it-up HTTP/1.0\r\n\r\n"):
                    return
            except OSError:
                pass
            time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"{self.kind} did not answer on port {self.port}:\n{self.output()}")


def _signal_group(process, number):
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass


def free_port():
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def command_for(kind, main, asgi, wsgi):
    """How each kind is started; `{port}` is filled in by the server."""
    if kind == "uvicorn":
        return [sys.executable, "-m", "uvicorn", asgi, "--host", HOST, "--port", "{port}"]
    if kind == "gunicorn":
        # One worker: what a test puts into memory must be there for its next request.
        return [sys.executable, "-m", "gunicorn", wsgi, "--bind", HOST + ":{port}"]
    return [*variant_of(kind).command(), main]


def variant_of(kind) -> Variant:
    return MICROPYTHON if kind == "builtin-micropython" else CPYTHON


def environment_for(kind):
    if not variant_of(kind).micropython:
        return {}
    return {"MICROPYPATH": f"{SOURCE}:{MICROPYTHON.microdot()}:.frozen"}


LAUNCHER = """\
# Written by the tests: serves {path}.
import sys
sys.path.insert(0, {folder!r})
from {microdot} import Microdot
import {module} as served
app = Microdot()
app = served.create_app(app) or app
if __name__ == '__main__':
    app.run(host={host!r}, port={port})
"""


def write_launcher(folder, path, kind, port):
    microdot = {"uvicorn": "microdot.asgi", "gunicorn": "microdot.wsgi"}.get(kind, "microdot")
    launcher = folder / "serve_for_tests.py"
    launcher.write_text(LAUNCHER.format(
        path=path, folder=str(path.parent), module=path.stem, microdot=microdot,
        host=HOST, port=port))
    return launcher


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def servers():
    """The servers of one test, in the order they were started."""
    started = []
    yield started
    for server in reversed(started):
        server.stop()


@pytest.fixture
def start_console(servers, tmp_path):
    """`start_console(kind)`: the console example, with a new data folder each time."""
    def start(kind, **environment):
        data = tmp_path / f"console-{len(servers)}"
        data.mkdir()
        server = Server(
            kind, command_for(kind, "main.py", "asgi:app", "wsgi:app"), CONSOLE, data,
            {**environment_for(kind), **environment})
        servers.append(server)
        server.start()
        return server
    return start


@pytest.fixture
def console(start_console, kind):
    return start_console(kind)


@pytest.fixture
def serve(servers, tmp_path):
    """`serve(path, kind)`: the app of a file that defines `create_app(app)`."""
    def start(path, kind, **environment):
        data = tmp_path / f"app-{len(servers)}"
        data.mkdir()
        name = "serve_for_tests"
        server = Server(
            kind, command_for(kind, name + ".py", name + ":app", name + ":app"), data, data,
            {**environment_for(kind), **environment})
        write_launcher(data, Path(path).resolve(), kind, server.port)
        servers.append(server)
        server.start()
        return server
    return start


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    servers = getattr(item, "funcargs", {}).get("servers", [])
    if report.when == "call" and servers:
        kinds = " and ".join(dict.fromkeys(server.kind for server in servers))
        report.user_properties.append(("python", kinds))
    if report.failed:
        for server in servers:
            tail = "\n".join(server.output().splitlines()[-SHOWN_LINES:])
            report.sections.append((f"{server.kind} printed", tail))
    return report
