"""The first minute of who starts the console: a code on the terminal, the page that asks for it, and a reset."""

import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time

import httpx
import pytest

from tests.server.client import browser, log_in
from tests.server.conftest import (
    CONSOLE,
    HOST,
    SOURCE,
    command_for,
    environment_for,
    free_port,
)

SECONDS = 30
PASSWORD = "seven green bottles"
COMMON = "correct horse battery staple"


def as_in_a_terminal():
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # which is ignored where the tests run in the background


class Terminal:
    """A program on a terminal of its own, and the person in front of it."""

    def __init__(self, command, cwd, environment):
        self.shown = ""
        self._read = 0
        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(
            command, cwd=cwd, env=environment, stdin=slave, stdout=slave, stderr=slave,
            start_new_session=True, preexec_fn=as_in_a_terminal)
        os.close(slave)

    def wait_for(self, text):
        """Read on until the text is there, after what was waited for before."""
        deadline = time.monotonic() + SECONDS
        while text not in self.shown[self._read:]:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._master], [], [], left)[0]:
                raise AssertionError(f"no {text!r} on the terminal:\n{self.shown}")
            try:
                self.shown += os.read(self._master, 4096).decode()
            except OSError:
                raise AssertionError(f"it ended before {text!r}:\n{self.shown}") from None
        self._read = self.shown.index(text, self._read) + len(text)

    def type(self, text):
        self.press(text + "\n")

    def press(self, keys):
        time.sleep(0.05)  # the prompt is there a moment before the echo is off
        os.write(self._master, keys.encode())

    def stop(self):
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def close(self):
        self.stop()
        os.close(self._master)


class Place:
    """Where a console that a terminal started is found."""

    tls = False
    unix_socket = None

    def __init__(self, port):
        self.url = f"http://{HOST}:{port}"


@pytest.fixture
def demo(tmp_path):
    """`demo(kind)`: the console's program on a terminal, and where it will serve."""
    terminals = []

    def start(kind="builtin-cpython", *arguments):
        port = free_port()
        environment = {
            **os.environ, **environment_for(kind), "HOST": HOST, "PORT": str(port),
            "CONSOLE_DATA": str(tmp_path), "PYTHONPATH": str(SOURCE), "PYTHONUNBUFFERED": "1"}
        terminals.append(Terminal([*command_for(kind, "main.py", "", ""), *arguments], CONSOLE, environment))
        return terminals[-1], Place(port)
    yield start
    for terminal in terminals:
        terminal.close()


def reached(place):
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            with browser(place) as client:
                return client.get("/login").status_code in (200, 302)
        except httpx.TransportError as error:  # the port is not open yet
            assert time.monotonic() < deadline, error
        time.sleep(0.05)


TWO_PYTHONS = pytest.mark.parametrize("kind", ["builtin-cpython", "builtin-micropython"])


def code_on(terminal, place):
    terminal.wait_for("The console is on " + place.url)
    return re.search(r"type this code: (\S+)", terminal.shown).group(1)


def claim(client, code, password=PASSWORD, again=None):
    return client.post("/claim", data={
        "code": code, "username": "anna", "password": password, "again": again or password})


@TWO_PYTHONS
def test_V1_the_terminal_shows_a_code_and_the_page_asks_for_it(demo, tmp_path, kind):
    terminal, place = demo(kind)
    code = code_on(terminal, place)
    assert reached(place)
    with browser(place) as client:
        for path in ("/", "/login", "/figures", "/console.js", "/people"):
            assert client.get(path).headers["location"] == "/claim", path
        assert 'autocomplete="new-password"' in client.get("/claim").text
        assert not (tmp_path / "users.json").exists()
        answer = claim(client, code)
        assert (answer.status_code, answer.headers["location"]) == (302, "/")
        assert "Logged in as anna" in client.get("/").text
        assert client.get("/keys").status_code == 200  # which needs a fresh login
        assert client.get("/claim").status_code == 404
    with browser(place) as other:
        assert claim(other, code).status_code in (404, 405)
        assert log_in(other, PASSWORD, username="anna").headers["location"] == "/"
    assert PASSWORD not in terminal.shown


def test_the_page_says_what_is_wrong_until_all_is_right(demo):
    terminal, place = demo()
    code = code_on(terminal, place)
    assert reached(place)
    with browser(place) as client:
        for answer, status, said in (
                (claim(client, "aaaaa-aaaaa"), 403, "That is not the code."),
                (claim(client, code, "too short"), 400, "use at least 15 characters"),
                (claim(client, code, COMMON), 400, "one of the first that anybody would try"),
                (claim(client, code, PASSWORD, PASSWORD + "!"), 400, "The two passwords differ."),
                (claim(client, code, code + code), 400, "the code is no password")):
            assert answer.status_code == status and said in answer.text, said
            assert 'value="anna"' in answer.text
        assert claim(client, code.upper().replace("-", " ")).status_code == 302


@TWO_PYTHONS
def test_V4_the_second_start_shows_no_code_and_a_reset_forgets_the_owner(demo, kind):
    terminal, place = demo(kind)
    code = code_on(terminal, place)
    assert reached(place)
    with browser(place) as client:
        assert claim(client, code).status_code == 302
        cookies = dict(client.cookies)
    terminal.stop()
    terminal, place = demo(kind)
    terminal.wait_for("The console is on")
    assert "type this code" not in terminal.shown
    assert reached(place)
    with browser(place, cookies=cookies) as client:
        assert client.get("/").status_code == 200
    terminal.stop()
    terminal, place = demo(kind, "reset")
    new = code_on(terminal, place)
    assert new != code
    assert "has forgotten its owner" in terminal.shown
    assert reached(place)
    with browser(place, cookies=cookies) as client:
        assert client.get("/").headers["location"] == "/claim"
        assert claim(client, code).status_code == 403
        assert claim(client, new).status_code == 302
    with browser(place, cookies=cookies) as client:
        assert client.get("/").headers["location"] == "/login?next=/"


def test_without_a_terminal_there_is_a_code_each_time(start_console, kind):
    servers = [start_console(kind, claim=False) for _ in range(3)]
    assert len({server.code for server in servers}) == 3
    for server in servers:
        assert re.fullmatch(r"[0-9a-hjkmnp-tv-z]{5}-[0-9a-hjkmnp-tv-z]{5}", server.code)
    with browser(server) as client:
        assert claim(client, server.code).status_code == 302
