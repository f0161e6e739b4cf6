"""Real servers on loopback for the tests: each of the four ways a dotlatch app is served.

`console` is the console example, `serve(path, kind)` any other app: a file that defines
`create_app(app)` and adds its routes to the Microdot instance it is given, over TLS or on a UNIX
socket where that is asked for. `kind` is what both run on; a test that takes any of the two and
`kind` runs once for each. `start_console` starts one by hand. All have a folder of their own for
their data, and are stopped when the test ends; when it fails, what they printed is shown.
"""

import os
import re
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from dotlatch import strength
from tests.harness.interpreters import PLAIN, ROOT, SOURCE, Variant
from tests.server.client import browser

KINDS = ("builtin-cpython", "builtin-micropython", "uvicorn", "gunicorn")
CONSOLE = ROOT / "examples" / "console"
HOST = "127.0.0.1"
CPYTHON, MICROPYTHON = PLAIN
WATCH = ROOT / "tests" / "harness" / "site"  # has CPython's servers look for secrets in what they say

# A cold start compiles.
START_SECONDS = 60
STOP_SECONDS = 5
SHOWN_LINES = 100


def new_password():
    """A password that no other server has, and none of the one in a thousand that pass for common ones."""
    while True:
        password = f"{secrets.token_hex(8)} lantern"
        if not strength.is_common(password) and not strength.is_common(strength.stem(password)):
            return password


class Server:
    """A server process: where it is, what it printed, and the folder it keeps its data in."""

    def __init__(self, kind, command, cwd, data, environment=None, tls=False, unix_socket=None):
        self.kind = kind
        self.data = data
        self.port = free_port()
        self.tls = tls
        self.unix_socket = unix_socket
        self.url = f"{'https' if tls else 'http'}://{HOST}:{self.port}"
        self._command = [part.format(port=self.port) for part in command]
        self._cwd = cwd
        self._environment = environment or {}
        self._log = data.with_name(data.name + ".log")
        self._process = None

    def start(self):
        environment = dict(
            os.environ, HOST=HOST, PORT=str(self.port), CONSOLE_DATA=str(self.data),
            # gunicorn keeps a socket in the home folder: a test has its own.
            HOME=str(self.data), PYTHONUNBUFFERED="1", PYTHONPATH=f"{SOURCE}:{WATCH}",
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

    def add_arguments(self, *arguments):
        """More for the command line, from the next start on."""
        self._command += arguments

    def restart(self):
        """The same data, port and program in a new process: what a reboot leaves."""
        self.stop()
        self.start()

    def alive(self):
        return self._process is not None and self._process.poll() is None

    def output(self):
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    @property
    def code(self):
        """The code that the console has printed last, for who is to own it."""
        found = re.findall(r"type this code: (\S+)", self.output())
        assert found, f"the console printed no code:\n{self.output()}"
        return found[-1]

    def claim(self):
        """Become the owner of the console, `admin` by name, and log out; `password` is the password."""
        self.password = new_password()
        with browser(self) as client:
            answer = client.post("/claim", data={
                "code": self.code, "username": "admin", "password": self.password,
                "again": self.password})
            assert (answer.status_code, answer.headers["location"]) == (302, "/"), answer.text
            client.post("/logout")
        return self

    def exchange(self, request, timeout=10, done=False):
        """Send these bytes as they are and return all that comes back until the end.

        With `done`, the client says that nothing more will come, as it must after a request
        that promises more than it holds. A server that answers before it has read everything
        resets the connection when it closes it; what it said before that still counts.
        """
        received = b""
        with self._connect(timeout) as connection:
            try:
                connection.sendall(request)
                if done:
                    connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            try:
                while chunk := connection.recv(65536):
                    received += chunk
            except ConnectionError:
                pass
        return received

    def _connect(self, timeout):
        if self.unix_socket:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(timeout)
            connection.connect(self.unix_socket)
            return connection
        connection = socket.create_connection((HOST, self.port), timeout)
        return trusting().wrap_socket(connection) if self.tls else connection

    def _wait_until_it_answers(self):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if not self.alive():
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


def trusting():
    """A TLS client that takes any certificate: the tests make their own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


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
if sys.implementation.name == 'micropython':
    sys.path.append({harness!r})
    import watch
    watch.tell()
    watch.install()
app = Microdot()
app = served.create_app(app) or app
if __name__ == '__main__':
    context = None
    if {certificate!r}:
        import ssl
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*{certificate!r})
    app.run(host={host!r}, port={port}, ssl=context)
"""


def write_launcher(folder, path, kind, port, certificate=()):
    microdot = {
        "uvicorn": "dotlatch.server.asgi", "gunicorn": "dotlatch.server.wsgi"}.get(kind, "microdot")
    launcher = folder / "serve_for_tests.py"
    launcher.write_text(LAUNCHER.format(
        path=path, folder=str(path.parent), harness=str(WATCH.parent), module=path.stem, microdot=microdot,
        host=HOST, port=port, certificate=tuple(str(path) for path in certificate)))
    return launcher


def make_certificate(folder, kind):
    """A certificate for 127.0.0.1 and its key: DER where MicroPython is to read it, else PEM."""
    key, certificate = folder / "tls.key", folder / "tls.crt"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=" + HOST],
        check=True, capture_output=True, timeout=60)
    if not variant_of(kind).micropython:
        return certificate, key
    der = folder / "tls.crt.der", folder / "tls.key.der"
    for command, path, target in (("x509", certificate, der[0]), ("ec", key, der[1])):
        subprocess.run(["openssl", command, "-in", path, "-outform", "DER", "-out", target],
                       check=True, capture_output=True, timeout=60)
    return der


def tls_arguments(kind, certificate, key):
    if kind == "uvicorn":
        return ["--ssl-certfile", str(certificate), "--ssl-keyfile", str(key)]
    return ["--certfile", str(certificate), "--keyfile", str(key)] if kind == "gunicorn" else []


def unix_socket_arguments(kind, path):
    return ["--uds", path] if kind == "uvicorn" else ["--bind", "unix:" + path]


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
    """`start_console(kind)`: the console example, with a new data folder each time.

    It has an owner, unless `claim=False`."""
    def start(kind, arguments=(), claim=True, **environment):
        data = tmp_path / f"console-{len(servers)}"
        data.mkdir()
        command = [*command_for(kind, "main.py", "asgi:app", "wsgi:app"), *arguments]
        server = Server(
            kind, command, CONSOLE, data, {**environment_for(kind), **environment})
        servers.append(server)
        server.start()
        return server.claim() if claim else server
    return start


@pytest.fixture
def console(start_console, kind):
    return start_console(kind)


@pytest.fixture
def serve(servers, tmp_path):
    """`serve(path, kind)`: the app of a file that defines `create_app(app)`.

    `tls`: over TLS; `unix_socket`: on one, where uvicorn and gunicorn can; `arguments`: more of
    them for their command line.
    """
    with tempfile.TemporaryDirectory(prefix="s") as short:  # a socket's path has 107 bytes
        def start(path, kind, tls=False, unix_socket=False, arguments=(), **environment):
            data = tmp_path / f"app-{len(servers)}"
            data.mkdir()
            certificate = make_certificate(data, kind) if tls else ()
            address = f"{short}/{len(servers)}" if unix_socket else None
            name = "serve_for_tests"
            command = [*command_for(kind, name + ".py", name + ":app", name + ":app"), *arguments]
            if tls:
                command += tls_arguments(kind, *certificate)
            if unix_socket:
                command += unix_socket_arguments(kind, address)
            server = Server(kind, command, data, data, {**environment_for(kind), **environment},
                            tls=tls, unix_socket=address)
            write_launcher(data, Path(path).resolve(), kind, server.port, certificate)
            servers.append(server)
            server.start()
            return server
        yield start


@pytest.fixture(scope="module")
def playwright():
    from playwright.sync_api import sync_playwright  # for the tests in a browser alone
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def chromium(playwright):
    from tests.server.chromium import FLAGS, PROGRAM
    launched = playwright.chromium.launch(executable_path=PROGRAM, args=FLAGS)
    yield launched
    launched.close()


@pytest.fixture
def open_page(chromium):
    """`open_page(...)`: a page of a browser with a profile of its own."""
    from tests.server.chromium import MILLISECONDS
    contexts = []

    def open_page(**options):
        context = chromium.new_context(**options)
        context.set_default_timeout(MILLISECONDS)
        contexts.append(context)
        return context.new_page()
    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def page(open_page):
    return open_page()


@pytest.fixture
def later(serve, kind):
    """The console, whose clock can be put forward: `later.wait(3700)`."""
    from tests.server.chromium import LATER, Later
    return Later(serve(LATER, kind).claim())


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
