"""Bad input of every kind gets a clean answer, the same on every server, and the next one is served."""

import re
import time
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tests.server.apps.guarded import ANSWERED, PASSWORD, TOKEN
from tests.server.client import Answer, browser, request
from tests.server.hostile import GROUPS, OWN

APP = Path(__file__).with_name("apps") / "guarded.py"
SLOW = 3.0  # seconds, on a machine that is busy with other tests


@pytest.fixture
def guarded(serve, kind):
    return serve(APP, kind)


def real_tokens(server):
    """What two logins get, for the cases to bend; the second one's session is `other`."""
    found = {}
    for name in ("session", "other"):
        with browser(server) as client:
            answer = client.post("/login", data={
                "username": "anna", "password": PASSWORD, "remember": "on"})
            assert answer.status_code == 302
            found.setdefault("_remember", client.cookies["_remember"])
            found[name] = client.cookies["session"]
    return found


def ask(server, raw, done=False):
    started = time.monotonic()
    answer = Answer(server.exchange(raw, timeout=SLOW, done=done))
    assert time.monotonic() - started < SLOW
    return answer


def complaint(server, case, own):
    """What is wrong with the answer to a case, or None."""
    expected = case.right + own
    if server.kind == "builtin-micropython":
        expected += case.lenient
    try:
        answer = ask(server, case.raw, case.done)
    except TimeoutError:
        return "it hangs"
    verdict = answer.verdict()
    if not any(fnmatchcase(verdict, right.replace("?", "[?]")) for right in expected):
        return f"{verdict}, not {' or '.join(expected)}"
    location = answer.get("location")
    if location is not None and not stays_here(location):
        return f"it leads to {location!r}"
    if verdict == "401" and not answer.get("www-authenticate"):
        return "a 401 without a challenge"
    return None


def stays_here(location):
    return bool(re.fullmatch(r"/([!-.0-\[\]-~][!-\[\]-~]*)?", location))


@pytest.mark.parametrize("group", GROUPS)
def test_it_is_answered_and_the_next_request_served(guarded, group):
    real = real_tokens(guarded)
    still_fine = request("/token", headers=["Authorization: Bearer " + TOKEN])
    own = OWN.get(guarded.kind, {}).get(group, ())
    wrong = []
    for case in GROUPS[group](real):
        problem = complaint(guarded, case, own)
        if not problem and ANSWERED.encode() not in ask(guarded, still_fine).body:
            problem = "the next request is not served"
        if problem:
            wrong.append(f"{case.name!r}: {problem}")
    assert not wrong, "\n".join([f"{len(wrong)} cases:", *wrong])
    assert guarded.alive()
    if not guarded.kind.startswith("builtin"):  # that one prints what it could not read
        said = guarded.output()
        # uvicorn answers a broken chunk itself and then has no use for the app's answer.
        assert said.count("Traceback") == said.count("h11._util.LocalProtocolError: can't handle")
