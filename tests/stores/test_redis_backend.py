"""Tickets in Redis, and the backend that has all parts over one pool of connections."""

import asyncio

import pytest
from client import Client  # of tests/portable
from microdot import Microdot
from redis.asyncio import Redis
from stores_contract import error_of, new

from dotlatch.auth import TokenAuth
from dotlatch.portable import random_id
from dotlatch.server.errors import StoreUnavailable
from dotlatch.server.redis import RedisBackend, RedisServer
from dotlatch.server.redis_tickets import SKEW
from dotlatch.tickets import TicketAuth
from tests.stores.backends import Backends, counted
from tests.stores.kinds import REDIS, TIMEOUT

pytestmark = pytest.mark.parametrize("stores", REDIS, indirect=True)

KEY = "0123456789abcdef0123456789abcdef"


# --- tickets ----------------------------------------------------------------------------------------

async def test_an_id_is_new_once_in_all_processes(stores):
    backends = Backends(stores)
    tickets = [backends.one().tickets, backends.one().tickets]
    for ticket_id in (random_id(), "an id of another kind", "x" * 5000, "\ud800"):
        answers = await asyncio.gather(*[tickets[i % 2].add(ticket_id, 30) for i in range(20)])
        assert sorted(answers) == [False] * 19 + [True]
    assert await tickets[0].add(random_id(), 30) is True
    keys = await backends.keys()
    assert len(keys) == 5
    for key, seconds in keys.items():
        assert len(key) < 100 and 25 + SKEW < seconds <= 30 + SKEW


def site(used):
    app = Microdot()
    token, ticket = TokenAuth(allow_http=True), TicketAuth(KEY, used=used, anywhere=True)

    @token.authenticate
    async def check(request, text):
        return {"id": "anna"} if text == "right" else None

    @ticket.user_loader
    async def load(user_id):
        return {"id": user_id}

    @app.post("/ticket")
    @token
    async def issue(request):
        return await ticket.issue(request, "/open")

    @app.get("/open")
    @ticket
    async def opened(request):
        return "in"

    return Client(app)


async def ticket_of(client):
    return (await client.post("/ticket", headers={"Authorization": "Bearer right"})).text


async def test_a_ticket_of_one_process_opens_once_in_whichever(stores):
    backends = Backends(stores)
    clients = [site(backends.one().tickets) for _ in range(2)]
    ticket = await ticket_of(clients[0])
    answers = await asyncio.gather(*[client.get("/open?ticket=" + ticket) for client in clients * 5])
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 9


async def test_S11_a_ticket_opens_nothing_while_the_server_is_away(stores):
    client = site(Backends(stores).one(timeout=TIMEOUT).tickets)
    ticket = await ticket_of(client)
    stores.server.freeze()
    assert (await client.get("/open?ticket=" + ticket)).status_code == 503
    stores.server.thaw()
    assert (await client.get("/open?ticket=" + await ticket_of(client))).text == "in"


# --- all of it --------------------------------------------------------------------------------------

async def use(backend):
    """Something of every part."""
    await new(backend.store, user="anna")
    assert await backend.throttle.attempt("anna", "far") == 0
    backend.revoked.add(random_id(), 4 * 10 ** 9)
    await backend.revoked.sync()
    await backend.nonces.ready()
    assert await backend.nonces.use(backend.nonces.new(), 1) == "good"
    assert await backend.tickets.add(random_id(), 30)


async def connections(client, name):
    return len([one for one in await client.client_list() if one["name"] == name])


async def test_all_parts_share_their_connections_and_close_gives_them_back(stores):
    client = Redis.from_url(stores.address)
    name = "pool" + random_id()
    backend = RedisBackend(stores.address + "?client_name=" + name, max_connections=3)
    await asyncio.gather(*[use(backend) for _ in range(10)])
    assert 1 <= await connections(client, name) <= 3
    await backend.close()
    for _ in range(100):
        if not await connections(client, name):
            break
        await asyncio.sleep(0.02)
    assert await connections(client, name) == 0
    await use(backend)  # and it may be used again
    await backend.close()
    await client.aclose()


async def test_who_waits_for_a_connection_gets_it_whoever_else_gives_up(stores):
    server = RedisServer(stores.address, timeout=5, max_connections=1)
    for number in range(50):
        asking = [asyncio.create_task(server.command("PING")) for _ in range(8)]
        for _ in range(number % 5):
            await asyncio.sleep(0)
        for task in asking[1::2]:
            task.cancel()
        assert [await task for task in asking[::2]] == [True] * 4
    await server.close()


async def test_two_apps_on_one_server_know_nothing_of_each_other(stores):
    backends, others = Backends(stores), Backends(stores)
    ours, theirs = backends.one(), others.one()
    await use(ours)
    before = await backends.keys()
    session_id = random_id()
    assert await ours.tickets.add(session_id, 30) and await theirs.tickets.add(session_id, 30)
    for _ in range(11):
        assert await ours.throttle.attempt("ben", "far") == 0
    assert await ours.throttle.attempt("ben", "far") > 0 and await theirs.throttle.attempt("ben", "far") == 0
    await ours.nonces.ready()
    await theirs.nonces.ready()
    assert await theirs.nonces.use(ours.nonces.new(), 1) == "stale"
    await theirs.revoked.sync()
    assert theirs.revoked.is_empty
    assert all(key.startswith(backends.prefix) for key in before)


async def test_a_server_that_was_made_serves_a_backend_too(stores):
    backends = Backends(stores)
    server = RedisServer(stores.address)
    first, second = [RedisBackend(server, backends.prefix) for _ in range(2)]
    asked = counted(first)
    await use(first)
    await use(second)
    assert first.server is second.server is server and len(asked) > 10
    await server.close()


async def test_a_server_that_speaks_no_sense_is_one_error(stores):
    backends = Backends(stores)
    backend = backends.one()
    client = Redis.from_url(stores.address)
    for key in ("secret", "clock", "ended"):
        await client.lpush(backends.prefix + key, "a list")
    for work in (backend.throttle.attempt("anna", "far"), backend.nonces.ready(), backend.revoked.sync()):
        assert isinstance(await error_of(work), StoreUnavailable)
    await client.aclose()


def test_it_works_in_one_loop_after_another(stores):
    backend = RedisBackend(stores.address, Backends(stores).prefix)
    for _ in range(2):
        asyncio.run(one_loop(backend))


async def one_loop(backend):
    await use(backend)
    await backend.close()
