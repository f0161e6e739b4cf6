"""The list of ended tokens in Redis: sessions in cookies, which a log-out in any process ends in all of them."""

import asyncio
import random

import pytest
from client import Client  # of tests/portable
from microdot import Microdot
from redis.asyncio import Redis
from stores_contract import error_of

from dotlatch.login import Login
from dotlatch.portable import now, random_id
from dotlatch.revoked import Revoked
from dotlatch.server import redis_revoked, revoking
from dotlatch.server.errors import StoreUnavailable
from dotlatch.server.redis_revoked import RedisRevoked
from dotlatch.session import Session, session_of, with_session
from dotlatch.stores import MemoryStore
from tests.stores.backends import Backends, counted
from tests.stores.kinds import REDIS, TIMEOUT

pytestmark = pytest.mark.parametrize("stores", REDIS, indirect=True)

KEY = "0123456789abcdef0123456789abcdef"
DAY = 86400


class Site:
    """One process of an app whose sessions are in cookies."""

    def __init__(self, revoked, **options):
        self.app = app = Microdot()
        self.meanwhile = None  # what happens while a slow page is made
        Session(app, secret_key=KEY, revoked=revoked, **options)
        login = Login()

        @login.user_loader
        async def load(user_id):
            return {"id": user_id, "password_hash": "x"}

        @app.post("/login")
        async def log_in(request):
            return await login.login_user(request, {"id": "anna", "password_hash": "x"},
                                          remember="remember" in request.args)

        @app.post("/logout")
        async def log_out(request):
            await login.logout_user(request)
            return "bye"

        @app.post("/logout/slow")
        async def log_out_slowly(request):
            await login.logout_user(request)
            await self.meanwhile()
            return "bye"

        @app.get("/who")
        async def who(request):
            user = await login.get_current_user(request)
            return user["id"] if user else "nobody"

        @app.get("/counter")
        @with_session
        async def counter(request, session):
            return str(session.get("note"))

        @app.get("/plain")
        async def plain(request):
            return "plain"

        @app.post("/slow/<how>")
        @with_session
        async def slow(request, session, how):
            if how == "early":
                session.regenerate()
            await self.meanwhile()
            session["note"] = "late"
            if how == "regenerate":
                session.regenerate()
            session.save()
            return "slow"

        @app.post("/again")
        async def log_in_again(request):  # the password was right, and took its time
            await login.get_current_user(request)
            await self.meanwhile()
            return await login.login_user(request, {"id": "anna", "password_hash": "x"})

        @app.get("/decode")
        async def decode(request):
            try:
                return str(session_of(request).get(request))
            except RuntimeError as error:
                return "error: " + str(error)


async def who(client):
    return (await client.get("/who")).text


async def logged_in(site, remember=False):
    client = Client(site.app)
    await client.post("/login?remember" if remember else "/login")
    assert await who(client) == "anna"
    return client


def sites(stores, count=2, timeout=None):
    backends = Backends(stores)
    return [Site(backends.one(**({"timeout": timeout} if timeout else {})).revoked) for _ in range(count)]


# --- log-outs ---------------------------------------------------------------------------------------

async def test_S3_a_logout_in_one_process_counts_in_the_next_request_to_another(stores):
    here, there = sites(stores)
    anna = await logged_in(here)
    thief = anna.copy(there.app)
    assert await who(thief) == "anna"
    await anna.post("/logout")
    assert await who(thief) == "nobody"
    assert await who(thief.copy(here.app)) == "nobody"


async def test_M2_a_logout_ends_the_remember_me_cookie_and_what_has_come_of_it_everywhere(stores):
    here, there = sites(stores)
    anna = await logged_in(here, remember=True)
    thief = anna.copy(there.app)
    thief.restart()
    assert thief.names() == ["_remember"]
    stolen = thief.copy()
    assert await who(thief) == "anna" and thief.value("session")
    await anna.post("/logout")
    assert [await who(client) for client in (thief, stolen)] == ["nobody", "nobody"]


async def test_S3_a_process_that_starts_later_knows_what_was_ended(stores):
    backends = Backends(stores)
    here = Site(backends.one().revoked)
    anna = await logged_in(here)
    copies = [anna.copy() for _ in range(3)]
    await anna.post("/logout")
    there = Site(backends.one().revoked)
    assert [await who(copy.copy(there.app)) for copy in copies] == ["nobody"] * 3


@pytest.mark.parametrize("remember", [False, True])
async def test_S3_a_logout_counts_before_its_response_which_may_never_come(stores, remember):
    here, there = sites(stores)
    anna = await logged_in(here, remember)
    copies, seen = [anna.copy(there.app), anna.copy(there.app)], []
    copies[0].restart()

    async def look():
        seen.extend([await who(copy) for copy in copies])

    here.meanwhile = look
    await anna.post("/logout/slow")
    assert seen == ["nobody", "nobody"]


async def test_others_stay_logged_in(stores):
    here, there = sites(stores)
    people = [await logged_in(here) for _ in range(20)]
    for person in people[::2]:
        await person.post("/logout")
    assert [await who(person.copy(there.app)) for person in people[1::2]] == ["anna"] * 10


@pytest.mark.parametrize("is_elsewhere", [True, False])
@pytest.mark.parametrize("how", ["save", "regenerate", "early"])
async def test_S11_a_logout_wins_over_a_handler_that_saves_late(stores, how, is_elsewhere):
    here, there = sites(stores)
    anna = await logged_in(here if is_elsewhere else there)
    other = anna.copy(there.app)
    ben = await logged_in(there)

    async def log_out():
        await who(ben)  # by which the server hears all that this process knows
        await anna.post("/logout")

    there.meanwhile = log_out
    assert (await other.post("/slow/" + how)).text == "slow"
    assert [await who(other), await who(other.copy(here.app))] == ["nobody", "nobody"]


async def test_S11_a_login_takes_nothing_over_from_a_session_that_was_ended_elsewhere_meanwhile(stores):
    here, there = sites(stores)
    anna = await logged_in(here)

    async def nothing():
        pass

    here.meanwhile = nothing
    await anna.post("/slow/save")
    other = anna.copy(there.app)

    async def log_out():
        await other.post("/logout")

    here.meanwhile = log_out
    await anna.post("/again")
    assert await who(anna) == "anna" and (await anna.get("/counter")).text == "None"


async def test_a_session_that_goes_on_under_another_id_does_so_everywhere(stores):
    here, there = sites(stores)
    anna = await logged_in(here)

    async def nothing():
        pass

    there.meanwhile = nothing
    moved = anna.copy(there.app)
    await moved.post("/slow/regenerate")
    assert await who(anna) == "nobody" and await who(moved) == "anna" and await who(moved.copy(here.app)) == "anna"


# --- what it costs ----------------------------------------------------------------------------------

async def test_a_request_with_a_cookie_is_one_round_trip_and_one_without_is_none(stores):
    backend = Backends(stores).one()
    site = Site(backend.revoked)
    anna = await logged_in(site)
    asked = counted(backend)
    for page in ("/who", "/counter", "/who"):
        await anna.get(page)
    assert asked == ["script"] * 3
    await anna.get("/plain")
    await Client(site.app).get("/who")
    assert len(asked) == 3
    await anna.post("/logout")
    assert len(asked) == 5  # once to look, once to tell


async def test_sessions_have_to_be_loaded_first(stores):
    site = sites(stores, 1)[0]
    anna = await logged_in(site)
    assert (await anna.get("/decode")).text.startswith("error: these sessions are loaded by")


async def test_a_store_has_no_need_of_the_list(stores):
    backend = Backends(stores).one()
    asked = counted(backend)
    anna = await logged_in(Site(backend.revoked, store=MemoryStore()))
    thief = anna.copy()
    await anna.post("/logout")
    assert await who(thief) == "nobody" and asked == []


# --- faults -----------------------------------------------------------------------------------------

async def test_S11_nobody_is_known_while_the_server_is_away(stores):
    site = sites(stores, 1, TIMEOUT)[0]
    anna = await logged_in(site)
    stores.server.freeze()
    refused = [await anna.get("/who"), await anna.post("/logout")]
    assert [(one.status_code, one.headers["Retry-After"]) for one in refused] == [(503, "2")] * 2
    assert (await Client(site.app).get("/who")).text == "nobody"
    stores.server.thaw()
    assert await who(anna) == "anna"
    stores.server.kill()
    assert (await anna.get("/who")).status_code == 503
    stores.server.start()
    assert await who(anna) == "anna"


async def test_S3_a_logout_that_could_not_be_told_says_so_and_is_made_good(stores):
    here, there = sites(stores, 2, TIMEOUT)
    anna = await logged_in(here)
    thief = anna.copy(there.app)

    @here.app.post("/cut")
    @with_session
    async def end(request, session):
        stores.server.freeze()
        session.delete()
        return "ended"

    assert (await anna.post("/cut")).status_code == 503
    stores.server.thaw()
    await Client(here.app).post("/login")  # any request that asks
    assert await who(thief) == "nobody"


async def test_S3_what_a_server_has_lost_it_hears_again_from_who_knows_it(stores):
    backends = Backends(stores)
    here = Site(backends.one().revoked)
    anna, ben = await logged_in(here), await logged_in(here)
    thief = anna.copy()
    await anna.post("/logout")
    await backends.empty()
    assert await who(thief) == "nobody"
    assert await who(ben) == "anna"
    there = Site(backends.one().revoked)
    assert await who(thief.copy(there.app)) == "nobody"


@pytest.mark.parametrize("gone", ["", ":ends", ":log", ":by"])
async def test_S3_a_list_of_which_the_server_has_dropped_a_part_is_told_anew(stores, gone):
    backends = Backends(stores)
    here = Site(backends.one().revoked)
    anna, ben = await logged_in(here), await logged_in(here)
    thief = anna.copy()
    await anna.post("/logout")
    client = Redis.from_url(stores.address)
    await client.delete(backends.prefix + "ended" + gone)
    await client.aclose()
    there = Site(backends.one().revoked)
    assert await who(ben.copy(there.app)) == "anna" == await who(ben)
    assert await who(thief.copy(there.app)) == "nobody"


async def test_S3_what_was_acknowledged_outlives_a_crash_of_the_server(stores):
    backends = Backends(stores)
    here = Site(backends.one().revoked)
    anna = await logged_in(here)
    thief = anna.copy()
    await anna.post("/logout")
    stores.server.kill()
    stores.server.start()
    there = Site(backends.one().revoked)
    assert await who(thief.copy(there.app)) == "nobody"


# --- the list itself --------------------------------------------------------------------------------

async def test_every_id_is_ended_in_every_process_until_its_end(stores, monkeypatch):
    monkeypatch.setattr(revoking, "PAGE", 7)
    monkeypatch.setattr(redis_revoked, "PAGE", 7)
    backends = Backends(stores)
    lists = [backends.one().revoked for _ in range(3)]
    chance = random.Random(1)
    time = now()
    added = {}
    for number in range(150):
        one = chance.choice(lists)
        token_id, end = random_id(), time + chance.randrange(1000, 5000)
        one.add(token_id, end)
        added[token_id] = end
        assert one.has(token_id, end)
        if number % 5 == 0:
            await chance.choice(lists).sync()
    for one in lists * 2:
        await one.sync()
    lists.append(backends.one().revoked)
    await lists[-1].sync()
    for one in lists:
        assert all(one.has(token_id, end) for token_id, end in added.items())
        assert not one.has(random_id(), time + 1500) and one.floor(time + 10 ** 6) == 0


async def test_a_full_list_ends_what_ends_first_and_loses_nothing(stores):
    backends = Backends(stores)
    lists = [RedisRevoked(backends.one().server, backends.prefix, limit=20) for _ in range(2)]
    time = now()
    added = {random_id(): time + 1000 + 10 * i for i in range(60)}
    for number, (token_id, end) in enumerate(added.items()):
        lists[number % 2].add(token_id, end)
        await lists[number % 2].sync()
    for one in lists:
        await one.sync()
        assert all(one.has(token_id, end) for token_id, end in added.items())
        assert not one.has(random_id(), time + 2000)
        floor = one.floor(time + 1100)
        assert floor >= time + 1390 and not one.has(random_id(), time + 1100, False, floor)
    assert len(await backends.keys()) == 4


async def test_S3_what_made_room_in_a_full_list_is_not_forgotten_with_the_list(stores):
    backends = Backends(stores)
    here, there = [RedisRevoked(backends.one().server, backends.prefix, limit=20) for _ in range(2)]
    added = {random_id(): now() + 1000 + 10 * i for i in range(60)}
    for token_id, end in added.items():
        here.add(token_id, end)
        await here.sync()
    await backends.empty()
    await there.sync()  # it knows nothing, and comes first
    await here.sync()
    await there.sync()
    assert all(there.has(token_id, end) for token_id, end in added.items())
    assert not there.has(random_id(), max(added.values()) + 1)


async def test_it_says_what_the_list_of_one_process_says(stores):
    backends = Backends(stores)
    shared, single = backends.one().revoked, Revoked(1000)
    chance = random.Random(2)
    time = now()
    known = []
    for _ in range(300):
        by_uptime = chance.random() < 0.2
        token = random_id(), chance.randrange(10, 10000) + (0 if by_uptime else time), by_uptime
        known.append(token)
        if chance.random() < 0.5:
            shared.add(*token)
            single.add(*token)
        if chance.random() < 0.1:
            await shared.sync()
        token = chance.choice(known)
        assert shared.has(*token) == single.has(*token)
        assert shared.floor(*token[1:]) == single.floor(*token[1:])
    assert shared.is_empty is single.is_empty is False and shared.is_lost() is False


async def test_every_key_ends(stores):
    backends = Backends(stores)
    one = backends.one().revoked
    one.add(random_id(), now() + 14 * DAY)
    one.add(random_id(), now() + 10)
    await one.sync()
    keys = await backends.keys()
    assert len(keys) == 4 and all(14 * DAY <= seconds <= 15 * DAY + 1 for seconds in keys.values())


async def test_a_list_of_nothing_ends_too(stores):
    backends = Backends(stores)
    await backends.one().revoked.sync()
    keys = await backends.keys()
    assert len(keys) == 1 and all(0 < seconds <= DAY + 1 for seconds in keys.values())


async def test_what_has_ended_by_itself_is_cleared_away(stores):
    backends = Backends(stores)
    one = backends.one().revoked
    ended = {random_id(): now() - 600 + number for number in range(600)}
    for token_id, end in ended.items():
        one.add(token_id, end)
    await one.sync()
    one.add(random_id(), now() + 1000)
    await one.sync()
    other = backends.one().revoked
    await other.sync()
    assert len(other._ends) < 600
    # A machine whose clock is slow would take them still.
    assert all(each.has(token_id, end) for each in (one, other) for token_id, end in ended.items())


async def test_many_at_once_all_know_all(stores):
    backends = Backends(stores)
    lists = [backends.one().revoked for _ in range(4)]
    end = now() + 1000
    ids = [random_id() for _ in range(80)]

    async def work(number):
        one = lists[number % 4]
        one.add(ids[number], end)
        await one.sync()
        assert one.has(ids[number], end)

    await asyncio.gather(*map(work, range(80)))
    for one in lists:
        await one.sync()
        assert all(one.has(token_id, end) for token_id in ids)


async def test_ids_and_ends_of_other_codecs_are_kept_too(stores):
    backends = Backends(stores)
    here, there = backends.one().revoked, backends.one().revoked
    odd = {"\ud800": now() + 50, "": now() + 50.5, "x" * 10000: now() + 60, "a\nb\0c": 10 ** 30, "\xe4": now() + 70}
    for token_id, end in odd.items():
        here.add(token_id, end)
    await here.sync()
    await there.sync()
    assert all(there.has(token_id, end) for token_id, end in odd.items())


async def test_S3_what_a_server_has_lost_of_its_last_moments_it_hears_again(stores):
    backends = Backends(stores)
    here, there = backends.one().revoked, backends.one().revoked
    early, late, end = random_id(), random_id(), now() + 1000
    here.add(early, end)
    await here.sync()
    client = Redis.from_url(stores.address)
    kept = {key: await client.dump(key) for key in await backends.keys()}
    here.add(late, end)
    await here.sync()
    for key, value in kept.items():
        await client.restore(key, 0, value, replace=True)
    await client.aclose()
    await here.sync()
    await here.sync()
    await there.sync()
    assert there.has(early, end) and there.has(late, end)


async def test_S3_what_a_replica_had_not_heard_of_when_it_took_over_it_hears_from_who_knows_it(stores):
    backends = Backends(stores)
    here, there = backends.one().revoked, backends.one().revoked
    early, late, end = random_id(), random_id(), now() + 1000
    here.add(early, end)
    await here.sync()
    await there.sync()
    client = Redis.from_url(stores.address)
    kept = {key: await client.dump(key) for key in await backends.keys()}
    here.add(late, end)
    await here.sync()
    for key, value in kept.items():
        await client.restore(key, 0, value, replace=True)
    await client.aclose()
    there.add(random_id(), end)  # the list is as long as it was, and later
    await there.sync()
    await here.sync()
    await there.sync()
    assert there.has(early, end) and there.has(late, end)


async def test_requests_that_wait_for_a_long_list_have_it_read_once(stores, monkeypatch):
    monkeypatch.setattr(revoking, "PAGE", 10)
    monkeypatch.setattr(redis_revoked, "PAGE", 10)
    backends = Backends(stores)
    here, backend = backends.one().revoked, backends.one()
    ended = {random_id(): now() + 1000 for _ in range(200)}
    for token_id, end in ended.items():
        here.add(token_id, end)
    await here.sync()
    asked = counted(backend)
    waiting = [asyncio.create_task(backend.revoked.sync()) for _ in range(30)]
    await asyncio.sleep(0.001)
    waiting[0].cancel()  # whose client has gone
    await asyncio.gather(*waiting[1:])
    assert all(backend.revoked.has(token_id, end) for token_id, end in ended.items())
    assert len(asked) <= 20 + 1 + 30


async def test_S3_a_server_that_has_lost_a_long_list_has_it_back_before_long(stores):
    backends = Backends(stores)
    here = backends.one().revoked
    ended = {random_id(): now() + 1000 + number for number in range(1200)}
    for token_id, end in ended.items():
        here.add(token_id, end)
    await here.sync()
    await backends.empty()
    last = random_id()
    here.add(last, now() + 1000)
    await here.sync()  # what was just ended comes first
    there = backends.one().revoked
    await there.sync()
    assert there.has(last, now() + 1000)
    for _ in range(4):
        await here.sync()
    await there.sync()
    assert all(there.has(token_id, end) for token_id, end in ended.items())


async def test_S3_no_logout_that_was_acknowledged_is_lost_when_the_server_is_killed_under_load(stores):
    backends = Backends(stores)
    here = Site(backends.one().revoked)
    people = [await logged_in(here) for _ in range(60)]
    copies = [person.copy() for person in people]
    statuses = {}

    async def log_out(number):
        if number == 30:
            stores.server.kill()
            stores.server.start()
        statuses[number] = (await people[number].post("/logout")).status_code

    for number in range(20):
        await log_out(number)
    await asyncio.gather(*map(log_out, range(20, 60)))
    there = Site(backends.one().revoked)
    left = [await who(copy.copy(there.app)) for copy in copies]
    assert {left[number] for number in statuses if statuses[number] == 200} == {"nobody"}
    assert list(statuses.values()).count(200) >= 20 and set(statuses.values()) <= {200, 503}


async def test_a_server_that_is_not_there_is_one_error(stores):
    one = RedisRevoked("redis://127.0.0.1:9", timeout=TIMEOUT)
    one.add(random_id(), now() + 1000)
    assert isinstance(await error_of(one.sync()), StoreUnavailable)
    with pytest.raises(ValueError):
        RedisRevoked(stores.address, limit=0)
