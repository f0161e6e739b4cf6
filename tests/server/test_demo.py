"""How the console comes by its first account: asked for on a terminal, made up without one."""

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


class Terminal:
    """A program on a terminal of its own, and the person in front of it."""

    def __init__(self, command, cwd, environment):
        self.shown = ""
        self._read = 0
        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(
            command, cwd=cwd, env=environment, stdin=slave, stdout=slave, stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
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
        time.sleep(0.05)  # the prompt is there a moment before the echo is off
        os.write(self._master, text.encode() + b"\n")

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

    def start(kind="builtin-cpython"):
        port = free_port()
        environment = {
            **os.environ, **environment_for(kind), "HOST": HOST, "PORT": str(port),
            "CONSOLE_DATA": str(tmp_path), "PYTHONPATH": str(SOURCE), "PYTHONUNBUFFERED": "1"}
        terminals.append(Terminal(command_for(kind, "main.py", "", ""), CONSOLE, environment))
        return terminals[-1], Place(port)
    yield start
    for terminal in terminals:
        terminal.close()


def reached(place):
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            with browser(place) as client:
                return client.get("/login").status_code == 200
        except httpx.TransportError as error:  # the port is not open yet
            assert time.monotonic() < deadline, error
        time.sleep(0.05)


def test_the_password_is_asked_for_until_it_is_long_enough_and_typed_twice(demo, tmp_path):
    terminal, place = demo()
    terminal.wait_for("at least 15 characters: ")
    terminal.type("too short")
    terminal.wait_for("That will not do: use at least 15 characters")
    terminal.wait_for("at least 15 characters: ")
    terminal.type("correct horse battery staple")
    terminal.wait_for("That will not do: this is one of the first that anybody would try")
    terminal.wait_for("at least 15 characters: ")
    terminal.type(PASSWORD)
    terminal.wait_for("once more: ")
    terminal.type(PASSWORD + "!")
    terminal.wait_for("These two differ.")
    terminal.wait_for("at least 15 characters: ")
    terminal.type(PASSWORD)
    terminal.wait_for("once more: ")
    assert not (tmp_path / "users.json").exists()
    terminal.type(PASSWORD)
    terminal.wait_for("The console is on http://")
    assert PASSWORD not in terminal.shown
    assert reached(place)
    with browser(place) as client:
        for wrong in ("too short", PASSWORD + "!", ""):
            assert log_in(client, wrong).status_code == 401
        assert log_in(client, PASSWORD).headers["location"] == "/"
        assert "Logged in as admin" in client.get("/").text


def test_the_second_start_asks_for_nothing(demo):
    terminal, _ = demo()
    for _ in range(2):
        terminal.wait_for(": ")
        terminal.type(PASSWORD)
    terminal.wait_for("The console is on")
    terminal.stop()
    terminal, place = demo()
    terminal.wait_for("The console is on")
    assert "assword" not in terminal.shown
    assert reached(place)
    with browser(place) as client:
        assert log_in(client, PASSWORD).status_code == 302


def test_micropython_makes_one_up_on_a_terminal_too(demo):
    terminal, place = demo("builtin-micropython")
    terminal.wait_for("The console is on")
    password = re.search(r"password: (\S+)", terminal.shown).group(1)
    assert reached(place)
    with browser(place) as client:
        assert log_in(client, password).status_code == 302


def test_without_a_terminal_a_password_is_made_up_each_time(start_console, kind):
    passwords = set()
    for _ in range(3):
        server = start_console(kind)
        assert re.fullmatch(r"[a-z0-9]{4}(-[a-z0-9]{4}){4}", server.password)
        assert "this is the only time its password is shown" in server.output()
        passwords.add(server.password)
    assert len(passwords) == 3
    with browser(server) as client:
        assert log_in(client, server.password).status_code == 302
