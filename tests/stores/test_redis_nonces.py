"""Digest nonces in Redis: any process takes what another gave, and each request passes once in all of them."""

import asyncio
import random

import pytest
from clock import FakeClock  # of tests/portable
from microdot import Microdot
from redis.asyncio import Redis
from stores_contract import error_of
from test_digest import Visitor

from dotlatch.digest import DigestAuth
from dotlatch.nonces import GOOD, REPLAY, STALE, Nonces
from dotlatch.portable import b64url_decode, b64url_encode
from dotlatch.server.errors import StoreUnavailable
from dotlatch.server.redis_nonces import RedisNonces
from tests.stores.backends import Backends, ServerClock, counted
from tests.stores.kinds import REDIS, TIMEOUT

pytestmark = pytest.mark.parametrize("stores", REDIS, indirect=True)


async def ready(nonces):
    await nonces.ready()
    return nonces


async def test_D3_any_process_takes_a_nonce_and_a_request_passes_once_in_all(stores):
    backends = Backends(stores)
    first, second = await ready(backends.one().nonces), await ready(backends.one().nonces)
    nonce = first.new()
    assert await second.use(nonce, 1) is GOOD
    assert await first.use(nonce, 1) is REPLAY and await second.use(nonce, 1) is REPLAY
    assert await first.use(nonce, 2) is GOOD and await second.use(nonce, 3) is GOOD
    answers = await asyncio.gather(*[(first, second)[i % 2].use(nonce, 4) for i in range(20)])
    assert answers.count(GOOD) == 1 and answers.count(REPLAY) == 19


@pytest.mark.parametrize("seed", range(3))
async def test_it_says_what_the_nonces_of_one_process_say(stores, seed):
    chance = random.Random(seed)
    shared, single = await ready(Backends(stores).one().nonces), Nonces(300, 32)
    ours, theirs = single.new(), shared.new()
    count, answers = 1, []
    for _ in range(200):
        count = max(0, chance.choice((count + 1, count - 1, count, count + chance.randrange(80),
                                      count - chance.randrange(80), 0xffffffff if chance.random() < 0.01 else count)))
        answers.append(await shared.use(theirs, count))
        assert answers[-1] is single.use(ours, count), count
    assert {GOOD, STALE, REPLAY} == set(answers)


async def test_D3_of_64_requests_each_may_be_overtaken_by_the_others(stores):
    nonces = await ready(Backends(stores).one().nonces)
    nonce, other = nonces.new(), nonces.new()
    assert [await nonces.use(nonce, count) for count in (1000, 937, 936, 937)] == [GOOD, GOOD, STALE, REPLAY]
    assert [await nonces.use(other, count) for count in (1, 65, 2, 1, 2, 128, 65, 66)] == [
        GOOD, GOOD, GOOD, STALE, REPLAY, GOOD, REPLAY, GOOD]


async def test_D2_what_nobody_has_given_is_stale(stores):
    backends = Backends(stores)
    nonces = await ready(backends.one().nonces)
    good = nonces.new()
    raw = b64url_decode(good)
    forged = [b64url_encode(raw[:i] + bytes([raw[i] ^ 1]) + raw[i + 1:]) for i in range(len(raw))]
    other = await ready(Backends(stores).one().nonces)
    for nonce in (*forged, "", "x", good + "A", good[:-1], "made up", "\xe4" * 40, "x" * 5000, other.new()):
        assert await nonces.use(nonce, 1) is STALE, nonce
    assert all(key[len(backends.prefix):] in ("secret", "clock") for key in await backends.keys())
    assert await nonces.use(good, 1) is GOOD


async def test_D2_a_nonce_ends(stores, monkeypatch):
    backends = Backends(stores)
    async with ServerClock(monkeypatch, stores.address) as clock:
        nonces = RedisNonces(backends.one().server, backends.prefix, seconds=100)
        await nonces.ready()
        nonce, unused = nonces.new(), nonces.new()
        assert await nonces.use(nonce, 1) is GOOD
        await clock.advance(95)
        assert await nonces.use(nonce, 2) is GOOD
        await clock.advance(10)
        assert await nonces.use(nonce, 3) is STALE and await nonces.use(unused, 1) is STALE
        await clock.advance(-90)  # and does not come back with the time
        assert await nonces.use(nonce, 4) is STALE and await nonces.use(nonce, 1) is STALE


async def test_L5_a_clock_that_is_set_forward_costs_a_client_one_nonce(stores, monkeypatch):
    backends = Backends(stores)
    async with ServerClock(monkeypatch, stores.address) as server:
        with FakeClock() as clock:
            nonces = await ready(backends.one().nonces)
            clock.advance(10)
            await server.advance(3610)
            assert await nonces.use(nonces.new(), 1) is STALE
            assert await nonces.use(nonces.new(), 1) is GOOD


async def test_D3_a_full_table_refuses_what_has_left_it(stores):
    backends = Backends(stores)
    nonces = await ready(RedisNonces(backends.one().server, backends.prefix, max_used=20))
    given = []
    for _ in range(60):
        given.append(nonces.new())
        await asyncio.sleep(0.002)  # the table goes by milliseconds
    for nonce in given:
        assert await nonces.use(nonce, 1) is GOOD
    assert [await nonces.use(nonce, 1) for nonce in given] == [STALE] * 40 + [REPLAY] * 20
    assert [await nonces.use(nonce, 2) for nonce in given] == [STALE] * 40 + [GOOD] * 20
    assert len(await backends.keys()) == 20 + 4


async def test_D3_a_nonce_whose_count_the_server_has_dropped_begins_none_anew(stores):
    backends = Backends(stores)
    nonces = await ready(backends.one().nonces)
    nonce = nonces.new()
    assert await nonces.use(nonce, 1) is GOOD
    client = Redis.from_url(stores.address)
    count = [key for key in await backends.keys() if await client.type(key) == b"string" and ":nonce:" in key]
    assert await client.delete(*count) == 1
    await client.aclose()
    assert await nonces.use(nonce, 1) is STALE


async def test_D3_nothing_is_kept_of_nonces_that_nobody_uses(stores):
    backends = Backends(stores)
    nonces = await ready(backends.one().nonces)
    assert len({nonces.new() for _ in range(10000)}) == 10000
    assert len(await backends.keys()) <= 2


async def test_every_key_ends_and_a_question_is_one_round_trip(stores):
    backends = Backends(stores)
    backend = backends.one()
    await backend.nonces.ready()
    asked = counted(backend)
    for _ in range(5):
        await backend.nonces.ready()
        assert await backend.nonces.use(backend.nonces.new(), 1) is GOOD
    assert asked == ["script"] * 5
    keys = {key[len(backends.prefix):]: seconds for key, seconds in (await backends.keys()).items()}
    assert len(keys) == 8
    assert all(0 < keys[key] <= 600 for key in keys if key not in ("secret", "clock"))


async def test_a_server_that_was_emptied_gives_new_ones_and_takes_no_old_ones(stores):
    backends = Backends(stores)
    first, second = await ready(backends.one().nonces), await ready(backends.one().nonces)
    nonce = first.new()
    assert await first.use(nonce, 1) is GOOD
    await backends.empty()
    assert await second.use(second.new(), 1) is STALE  # by which it hears of the new secret
    assert await first.use(nonce, 1) is not GOOD
    assert await second.use(second.new(), 1) is GOOD


async def test_a_process_hears_of_a_new_secret_from_the_nonces_of_another(stores):
    backends = Backends(stores)
    with FakeClock() as clock:
        first, second = await ready(backends.one().nonces), await ready(backends.one().nonces)
        await backends.empty()
        await second.use(second.new(), 1)
        clock.advance(6)
        assert await first.use(second.new(), 1) is GOOD


async def test_before_the_server_was_asked_there_is_none(stores):
    with pytest.raises(StoreUnavailable):
        RedisNonces(stores.address).new()
    for wrong in ({"seconds": 0}, {"max_used": 0}):
        with pytest.raises(ValueError):
            RedisNonces(stores.address, **wrong)


# --- in an app --------------------------------------------------------------------------------------

def site(nonces):
    app = Microdot()
    auth = DigestAuth(realm="tests", nonces=nonces)
    users = {"anna": {"id": "anna", "digest_ha1": auth.make_ha1("anna", "right")}}

    @auth.authenticate
    async def find(request, name):
        return users.get(name)

    @app.get("/")
    @auth
    async def index(request):
        return "in"

    return app


def visitor(app):
    return Visitor(app, "anna", "right")


async def test_D3_a_request_that_one_process_has_taken_is_a_replay_in_another(stores):
    backends = Backends(stores)
    here, there = site(backends.one().nonces), site(backends.one().nonces)
    anna = visitor(here)
    assert (await anna.ask()).status_code == 401
    anna.app = there
    header = anna.header(anna.credentials())
    assert (await anna.raw(header)).text == "in"
    for app in (here, there):
        thief = visitor(app)
        answer = await thief.raw(header)
        assert answer.status_code == 401 and "stale" not in str(answer.headers["WWW-Authenticate"])
    anna.app = here
    assert (await anna.send()).text == "in"


async def test_D2_a_nonce_of_another_server_is_stale_and_its_client_comes_again(stores):
    here = site(Backends(stores).one().nonces)
    anna = visitor(site(Backends(stores).one().nonces))
    await anna.ask()
    anna.app = here
    answer = anna.hear(await anna.send())
    assert answer.status_code == 401 and "stale=true" in str(answer.headers["WWW-Authenticate"])
    assert (await anna.send()).text == "in"


async def test_S11_while_the_server_is_away_nobody_gets_in(stores):
    backends = Backends(stores)
    anna = visitor(site(backends.one(timeout=TIMEOUT).nonces))
    late = visitor(site(backends.one(timeout=TIMEOUT).nonces))
    await anna.ask()
    stores.server.freeze()
    assert (await anna.send()).status_code == 503
    assert (await late.ask()).status_code == 503  # it has nothing to sign a nonce with
    stores.server.thaw()
    assert (await late.visit()).text == "in" and (await anna.visit()).text == "in"
    assert await error_of(backends.one().nonces.use("x", 1)) is None
