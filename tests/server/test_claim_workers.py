"""A device without an owner under several workers, of which some start later than others."""

import os
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

APP = Path(__file__).with_name("apps") / "claimed.py"
WORKERS = {"gunicorn": 4, "uvicorn": 2}
SECONDS = 30
PASSWORD = "seven green bottles"
TOO_SHORT = "seven green"


class Device:
    """The app, which several processes are; each request has a connection of its own."""

    def __init__(self, server, workers):
        self.server = server
        self.workers = workers

    def codes(self, workers=None):
        """What each process has printed, once so many have."""
        return until(lambda: self._printed(), lambda found: len(found) >= (workers or self.workers))

    def _printed(self):
        found = re.findall(r"process (\d+) says: type this code: (\S+)", self.server.output())
        assert len(dict(found)) == len(found)  # each once
        return dict(found)

    def client(self, cookies=()):
        return httpx.Client(base_url=self.server.url, timeout=SECONDS, trust_env=False, cookies=dict(cookies),
                            headers={"Connection": "close", "Origin": self.server.url})

    def claim(self, code, password=PASSWORD, name="anna"):
        client = self.client()
        return client, client.post("/claim", data={
            "code": code, "username": name, "password": password, "again": password})

    def all_say(self, processes, ask, expected):
        """Ask until each process has answered, and hold every answer against what is expected of it."""
        def look(seen=set()):  # noqa: B006  # it is to grow
            with ThreadPoolExecutor(4) as pool:
                for text in pool.map(lambda _: ask(), range(8)):
                    said = re.search(expected, text)
                    assert said, text
                    seen.add(said.group(1))
            return seen
        until(look, lambda seen: seen >= set(processes))


def until(look, is_done):
    deadline = time.monotonic() + SECONDS
    while not is_done(found := look()):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


@pytest.mark.parametrize("kind", WORKERS)
def test_V2_V3_all_workers_ask_for_one_code_whenever_they_start_and_one_claim_wins(serve, kind):
    device = Device(serve(APP, kind, arguments=["--workers", str(WORKERS[kind])]), WORKERS[kind])
    codes = device.codes()
    code, = set(codes.values())

    def refused():
        while (answer := device.claim(code, TOO_SHORT)[1]).status_code == 409:  # one claim at a time
            pass
        return answer.text

    # Each takes the code, and none the password.
    device.all_say(codes, refused, r"That will not do: it is too short for process (\d+)")
    gone = next(iter(codes))
    os.kill(int(gone), signal.SIGKILL)
    later = device.codes(device.workers + 1)
    assert set(later.values()) == {code}
    running = set(later) - {gone}
    device.all_say(running, refused, r"That will not do: it is too short for process (\d+)")

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda number: device.claim(code, name=f"user{number}"), range(6)))
    assert {answer.status_code for _, answer in answers} <= {302, 404, 405, 409}
    (owner, _), = [(client, answer) for client, answer in answers if answer.status_code == 302]
    cookies = dict(owner.cookies)
    device.all_say(running, lambda: device.client(cookies).get("/").text, r"user\d in process (\d+)")
    assert device.claim(code)[1].status_code in (404, 405)
    assert sorted(path.name for path in device.server.data.glob("secret.key*")) == ["secret.key", "secret.key.lock"]

    device.server.restart()
    assert device.client(cookies).get("/").text.startswith("user")
    assert set(device.codes()) == set(later)
