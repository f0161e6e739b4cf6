"""Two machines whose clocks are a minute apart share sessions, logins, tickets, codes and what was ended.

They are two processes, of which one has a clock that is a minute ahead. What is good once is good once on both. What
lasts for less than that minute may have ended before it came, and then it opens nothing.
"""

import asyncio
import time
from pathlib import Path

import httpx
import pytest

from dotlatch import passwords
from dotlatch.server.sqlalchemy import SQLAlchemyStore
from dotlatch.totp import Totp, new_secret
from dotlatch.users import FileUsers
from tests.server import apps
from tests.server.apps.skewed import LONG, PASSWORD, SHORT
from tests.server.conftest import Server, command_for, write_launcher

APP = Path(next(iter(apps.__path__))) / "skewed.py"
SKEW = 60
STEP = 30
SECONDS = 20
CODES = 3


class Machine:
    """One of the two, as browsers see it."""

    def __init__(self, server, skew):
        self.server = server
        self.skew = skew

    def browser(self, other=None):
        """A new one, or one with all the cookies of another."""
        return httpx.Client(
            base_url=self.server.url, timeout=SECONDS, trust_env=False, headers={"Origin": self.server.url},
            cookies=httpx.Cookies(other.cookies) if other is not None else None)

    def log_in(self, name="anna", **fields):
        browser = self.browser()
        answer = browser.post("/login", data={"name": name, "password": PASSWORD, **fields})
        assert answer.status_code == 302, answer.text
        return browser


async def make_users(path):
    users = FileUsers(str(path))
    secret = new_secret()
    await users.create("anna", PASSWORD)
    for number in range(CODES):
        bert = await users.create(f"bert {number}", PASSWORD)
        assert users.set_second_factor(bert, Totp(secret).stored(), 0, None)
    return secret


@pytest.fixture(scope="module", params=["redis", "postgresql", "cookies"])
def machines(request, redis_server, postgresql_server, tmp_path_factory):
    """The one whose clock is right, and the one that is ahead."""
    redis_server.start()
    postgresql_server.start()
    folder = tmp_path_factory.mktemp("machines")
    with pytest.MonkeyPatch.context() as cheap:
        cheap.setattr(passwords, "ITERATIONS", 2)
        secret = asyncio.run(make_users(folder / "users.json"))
    if request.param == "postgresql":
        asyncio.run(make_table(postgresql_server.url))
    found = []
    try:
        for skew in (0, SKEW):
            data = folder / f"ahead-{skew}"
            data.mkdir()
            name = "serve_for_tests:app"
            command = [*command_for("uvicorn", "", name, name), "--no-access-log"]  # which would show the tickets
            server = Server("uvicorn", command, data, data, {
                "SESSIONS": request.param, "REDIS_URL": redis_server.url, "POSTGRESQL_URL": postgresql_server.url,
                "USERS": str(folder / "users.json"), "SKEW": str(skew)})
            write_launcher(data, APP, "uvicorn", server.port)
            found.append(Machine(server, skew))
            server.start()
        found[0].secret = secret
        yield found
    finally:
        for machine in found:
            machine.server.stop()


async def make_table(url):
    store = SQLAlchemyStore(url)
    await store.create_all()
    await store.close()


@pytest.fixture(params=["the right one first", "the one ahead first"])
def both(request, machines):
    """The two, in both orders."""
    return machines if request.param == "the right one first" else machines[::-1]


def test_a_login_at_one_is_one_at_the_other_and_fresh_there(both):
    first, second = both
    browser = second.browser(first.log_in())
    assert browser.get("/who").text == "anna"
    assert browser.get("/fresh").text == "fresh"


def test_what_one_keeps_in_a_session_the_other_finds(both):
    first, second = both
    there = second.browser(first.log_in())
    assert there.post("/note", data={"note": "kept"}).text == "noted"
    assert first.browser(there).get("/note").text == "kept"


def test_S3_a_logout_at_one_is_one_at_the_other(both):
    first, second = both
    browser = first.log_in()
    thief, there = second.browser(browser), second.browser(browser)
    assert there.post("/logout").text == "bye"
    assert [thief.get("/who").text, first.browser(thief).get("/who").text] == ["nobody", "nobody"]


def test_who_is_remembered_by_one_is_by_the_other(both):
    first, second = both
    browser = first.log_in(remember="on")
    del browser.cookies["session"]
    there = second.browser(browser)
    assert there.get("/who").text == "anna"


def test_M1_two_requests_at_once_with_a_remember_me_cookie_both_pass_whose_clock_ever_is_ahead(both):
    first, second = both
    browser = first.log_in(remember="on")
    del browser.cookies["session"]
    copy = second.browser(browser)
    assert first.browser(browser).get("/who").text == "anna"
    # With a store, there is half a minute for the secret before the last, by the store's own clock.
    assert copy.get("/who").text == "anna"


def test_a_ticket_of_one_opens_once_on_both(both):
    first, second = both
    ticket = first.log_in().post(f"/ticket/{LONG}").text
    answers = [machine.browser().get(f"/ticket/{LONG}", params={"ticket": ticket}).status_code
               for machine in (second, first, second)]
    assert answers == [200, 401, 401]


def test_a_short_ticket_opens_nothing_where_it_has_ended_and_once_where_it_has_not(machines):
    right, ahead = machines
    path = f"/ticket/{SHORT}"
    late = right.log_in().post(path).text
    assert ahead.browser().get(path, params={"ticket": late}).status_code == 401
    assert right.browser().get(path, params={"ticket": late}).status_code == 200
    early = ahead.log_in().post(path).text
    answers = [right.browser().get(path, params={"ticket": early}).status_code for _ in range(2)]
    assert answers == [200, 401]


def test_O2_a_code_that_one_has_taken_the_other_does_not(machines, request):
    right, ahead = machines
    number = ("redis", "postgresql", "cookies").index(request.node.callspec.params["machines"])
    totp, name = Totp(right.secret), f"bert {number}"

    def enter(machine, code):
        return machine.log_in(name).post("/login/code", data={"code": code}).status_code

    of_today, of_ahead = [totp.code_at(int(time.time() + skew) // STEP) for skew in (0, SKEW)]
    assert enter(ahead, of_today) == 401  # it is two steps old there
    assert enter(right, of_today) == 302
    assert [enter(machine, of_today) for machine in machines] == [401, 401]
    assert enter(ahead, of_ahead) == 302  # a phone that is as far ahead
    # It is used up; and the clock of the one behind it is wrong, as far as that one can tell.
    assert [enter(machine, of_ahead) for machine in machines] == [503, 401]


def test_D3_a_digest_nonce_of_one_is_good_at_the_other_and_each_request_once(both):
    first, second = both
    auth = httpx.DigestAuth("anna", PASSWORD)
    with first.browser() as browser:
        assert browser.get("/digest", auth=auth).text == "in"
    with second.browser() as browser:
        answer = browser.get("/digest", auth=auth)
        assert answer.text == "in" and answer.history == []  # with the same nonce
        again = {"Authorization": answer.request.headers["Authorization"]}
    assert [machine.browser().get("/digest", headers=again).status_code for machine in both] == [401, 401]


def test_T5_a_token_of_one_ends_by_the_clock_of_the_one_that_reads_it(machines):
    right, ahead = machines
    for ttl, expected in ((SKEW * 5, "anna"), (SKEW // 2, "no")):
        token = right.browser().get("/token", params={"ttl": ttl}).text
        assert ahead.browser().get("/read", params={"token": token}).text == expected
    token = ahead.browser().get("/token", params={"ttl": SKEW // 2}).text
    assert right.browser().get("/read", params={"token": token}).text == "anna"
