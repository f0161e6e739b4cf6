"""The throttle in Redis: the rules of the one in memory, for all processes together."""

import asyncio
import random

import pytest
from client import Client, basic  # of tests/portable
from clock import FakeClock
from microdot import Microdot
from stores_contract import error_of

from dotlatch.auth import BasicAuth
from dotlatch.login import Login
from dotlatch.server.errors import StoreUnavailable
from dotlatch.server.redis_throttle import RedisThrottle
from dotlatch.session import Session
from dotlatch.throttle import Throttle
from tests.stores.backends import Backends, ServerClock, counted
from tests.stores.kinds import REDIS, TIMEOUT

pytestmark = pytest.mark.parametrize("stores", REDIS, indirect=True)

HOUR, DAY = 3600, 86400
STEPS = (0, 0, 0, 0.1, 0.9, 1, 2, 5, 30, 300, 900, HOUR, 7 * HOUR, DAY, 3 * DAY)
VERBS = ("wrong", "wrong", "wrong", "wrong", "wrong", "succeeded", "undecided")


async def fail(throttle, account, source, times=1):
    for _ in range(times):
        assert await throttle.attempt(account, source) == 0


async def lock(throttle, clock, account, times):
    """So many failures, each as early as it may be; the wait after the last."""
    wait = 0
    while times or not wait:
        wait = await throttle.attempt(account, f"near {times}")
        if not wait:
            times -= 1
        elif times:
            await clock.advance(wait)
    return wait


@pytest.mark.parametrize("seed", range(4))
async def test_it_says_what_the_one_in_memory_says(stores, monkeypatch, seed):
    rules = dict(free=1 + seed, source_free=2 + 3 * seed, overall_free=6 + 4 * seed,
                 longest=(60, 900, 1)[seed % 3])
    chance = random.Random(seed)
    backends = Backends(stores)
    many = [RedisThrottle(backends.one().server, backends.prefix, **rules) for _ in range(2)]
    async with ServerClock(monkeypatch, stores.address) as theirs:
        with FakeClock(ticks=8 * DAY * 1000) as ours:
            single = Throttle(max_entries=400, **rules)
            waited = 0
            for number in range(300):
                account = chance.choice(("anna", "Anna ", "anna", "\ud800", ""))
                source = chance.choice(("192.168.1.7", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", ""))
                wait = await single.attempt(account, source)
                assert await chance.choice(many).attempt(account, source) == wait, (number, account, source)
                verb = chance.choice(VERBS)
                if wait:
                    waited += 1
                elif verb != "wrong":
                    await getattr(single, verb)(account, source)
                    await getattr(chance.choice(many), verb)(account, source)
                step = chance.choice((*STEPS, wait, wait)) if chance.random() < 0.25 else 0
                ours.advance(step)
                await theirs.advance(step)
            assert waited > 5


async def test_L1_of_a_hundred_failures_in_a_row_the_last_is_followed_by_a_day(stores, monkeypatch):
    throttle = Backends(stores).one().throttle
    days = [0] * 4
    passed = number = 0
    async with ServerClock(monkeypatch, stores.address) as clock:
        while passed < 4 * DAY:
            number += 1
            wait = await throttle.attempt("anna", f"far {number}")
            days[min(3, passed // DAY)] += not wait
            await clock.advance(wait)
            passed += wait
    assert days[0] <= 100 and max(days[2:]) <= 10, days


async def test_L1_the_owner_gets_in_from_a_known_place_while_others_guess(stores):
    throttle = Backends(stores).one().throttle
    await fail(throttle, "anna", "192.168.1.7")
    await throttle.succeeded("anna", "192.168.1.7")
    await fail(throttle, "anna", "far", 11)
    assert await throttle.attempt("anna", "far") > 0
    await fail(throttle, "anna", "192.168.1.7")
    await throttle.succeeded("anna", "192.168.1.7")
    assert await throttle.attempt("anna", "far") > 0


async def test_L1_at_once_from_two_processes_no_more_pass_than_one_after_the_other(stores):
    backends = Backends(stores)
    throttles = [backends.one().throttle, backends.one().throttle]
    waits = await asyncio.gather(*[throttles[i % 2].attempt("anna", f"far {i}") for i in range(60)])
    assert sum(wait == 0 for wait in waits) == 11


async def test_a_question_is_one_round_trip(stores):
    backend = Backends(stores).one()
    await fail(backend.throttle, "anna", "far")
    asked = counted(backend)
    await fail(backend.throttle, "anna", "far")
    await backend.throttle.undecided("anna", "far")
    await backend.throttle.succeeded("anna", "far")
    assert asked == ["script"] * 3


async def test_L2_every_count_ends_and_names_nobody(stores):
    backends = Backends(stores)
    throttle = backends.one().throttle
    for number in range(200):
        await throttle.attempt("somebody's name %d" % number + "x" * 5000, f"10.1.{number}.9")
    await fail(throttle, "anna", "192.168.1.7")
    await throttle.succeeded("anna", "192.168.1.7")
    keys = await backends.keys()
    counts = {key: seconds for key, seconds in keys.items() if key[len(backends.prefix):] not in ("secret", "clock")}
    assert 401 <= len(counts) <= 410
    for key, seconds in counts.items():
        assert len(key) < 90 and "somebody" not in key and "10.1" not in key and "anna" not in key
        assert 0 < seconds <= (DAY * 90 if ":known:" in key else DAY // 10 + 2), key


async def test_L2_floods_of_names_neither_fill_the_server_nor_free_a_locked_account(stores, monkeypatch):
    backends = Backends(stores)
    throttle = RedisThrottle(backends.one().server, backends.prefix, overall_free=100)
    async with ServerClock(monkeypatch, stores.address) as clock:
        before = await lock(throttle, clock, "victim", 16)
        passed = sum([await throttle.attempt(f"name {i}", f"far {i}") == 0 for i in range(600)])
        assert passed <= 101
        assert await throttle.attempt("victim", "another") == before
    assert len(await backends.keys()) < 2 * 120


async def test_an_account_is_known_from_so_many_places_and_no_more(stores):
    backends = Backends(stores)
    throttle = RedisThrottle(backends.one().server, backends.prefix, max_known=3)
    for number in range(9):
        await fail(throttle, "anna", f"home {number}")
        await throttle.succeeded("anna", f"home {number}")
        await asyncio.sleep(0.11)  # which was last is told by tenths of seconds
    await fail(throttle, "anna", "far", 11)
    waits = [await throttle.attempt("anna", f"home {number}") for number in (5, 6, 7, 8)]
    assert waits[0] > 0 and waits[1:] == [0, 0, 0]


@pytest.mark.parametrize("step", [-30 * 365 * DAY, -HOUR, -1])
async def test_L5_a_clock_that_is_set_back_neither_ends_a_wait_nor_stops_it(stores, monkeypatch, step):
    throttle = Backends(stores).one().throttle
    async with ServerClock(monkeypatch, stores.address) as clock:
        before = await lock(throttle, clock, "anna", 18)
        assert before == 128
        await clock.advance(step)
        assert before <= await throttle.attempt("anna", "far") <= before + 1
        await clock.advance(before + 1)
        assert await throttle.attempt("anna", "far") == 0


async def test_a_server_that_was_emptied_has_all_processes_count_together_again(stores):
    backends = Backends(stores)
    first, second = backends.one().throttle, backends.one().throttle
    await fail(first, "anna", "far", 3)
    await fail(second, "anna", "far", 3)
    await backends.empty()
    await fail(second, "anna", "far", 6)
    await fail(first, "anna", "far", 5)
    assert await second.attempt("anna", "far") > 0 and await first.attempt("anna", "far") > 0


# --- in an app --------------------------------------------------------------------------------------

class Users:
    """One account, which nobody opens by mistake."""

    async def authenticate(self, name, password):
        return {"id": "anna", "name": "anna"} if (name, password) == ("anna", "right") else None

    async def get_by_id(self, user_id):
        return {"id": user_id}

    load_user = get_by_id


def site(throttle):
    app = Microdot()
    Session(app, secret_key="0123456789abcdef0123456789abcdef")
    login = Login(users=Users(), throttle=throttle)
    auth = BasicAuth(realm="tests", throttle=throttle, allow_http=True)

    @auth.authenticate
    async def check(request, name, password):
        return await Users().authenticate(name, password)

    @app.post("/login")
    async def log_in(request):
        return await login.login(request, request.form["name"], request.form["password"]) or ("no", 401)

    @app.get("/basic")
    @auth
    async def page(request):
        return "in"

    return Client(app)


async def by_form(client, password):
    return (await client.post("/login", form=f"name=anna&password={password}")).status_code


async def by_basic(client, password):
    return (await client.get("/basic", headers=basic("anna", password))).status_code


async def test_L4_a_form_in_one_process_and_basic_in_another_have_one_count(stores):
    backends = Backends(stores)
    first, second = site(backends.one().throttle), site(backends.one().throttle)
    for _ in range(5):
        assert await by_form(first, "wrong") == 401
    for _ in range(6):
        assert await by_basic(second, "wrong") == 401
    refused = await first.post("/login", form="name=anna&password=right")
    assert refused.status_code == 429 and int(refused.headers["Retry-After"]) >= 1
    assert await by_basic(second, "right") == 429


async def test_S11_nobody_gets_in_while_the_server_is_away_and_everybody_when_it_is_back(stores):
    backends = Backends(stores)
    throttle = backends.one(timeout=TIMEOUT).throttle
    client = site(throttle)
    assert await by_form(client, "right") == 302
    stores.server.freeze()
    assert await by_form(client, "right") == 503 and await by_basic(client, "right") == 503
    assert isinstance(await error_of(throttle.attempt("anna", "far")), StoreUnavailable)
    stores.server.thaw()
    assert await by_form(client, "right") == 302
    stores.server.kill()
    assert await by_form(client, "right") == 503
    stores.server.start()
    assert await by_form(client, "right") == 302 and await by_basic(client, "right") == 200


def test_numbers_out_of_bounds_are_refused_at_the_start(stores):
    for wrong in ({"free": 0}, {"free": 81}, {"source_free": 0}, {"overall_free": 60001}, {"longest": 3601},
                  {"max_known": 0}):
        with pytest.raises(ValueError):
            RedisThrottle(stores.address, **wrong)
