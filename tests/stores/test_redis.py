"""What RedisStore leaves in the server, and how it gets there."""

import asyncio
import traceback

import pytest
from redis.asyncio import Redis
from stores_contract import error_of, new, record

from dotlatch.portable import now, random_id
from dotlatch.server import records
from dotlatch.server.errors import StoreUnavailable
from dotlatch.server.redis import RedisServer, RedisStore
from tests.stores.kinds import REDIS

pytestmark = pytest.mark.parametrize("stores", REDIS, indirect=True)


class Client:
    """A client of the test's own, to look behind the store."""

    def __init__(self, stores, **options):
        self._client = Redis.from_url(stores.address, **options)

    async def __aenter__(self):
        return self._client

    async def __aexit__(self, *error):
        await self._client.aclose()


async def test_these_tests_talk_to_redis_7_or_later_and_to_valkey(stores, request):
    async with Client(stores) as client:
        about = await client.info("server")
    kind = request.node.callspec.params["stores"]
    assert about.get("server_name", "redis") == kind
    assert int(about[f"{kind}_version"].partition(".")[0]) >= 7


async def test_every_key_ends_with_its_session(stores):
    store = stores.one()
    ids = [await new(store, user="anna", ttl=100 * i) for i in (3, 9, 1)]
    await new(store)
    async with Client(stores) as client:
        keys = [key async for key in client.scan_iter(store.name + ":*")]
        assert len(keys) == 5  # four sessions, and anna
        for key in keys:
            assert 90 <= await client.ttl(key) <= 3600
        index = f'{store.name}:user:"anna"'
        assert await client.expiretime(index) == (await store.load(ids[1]))["exp"]
        await store.delete(ids[1])
        await store.delete_user("anna")
        assert await client.exists(index) == 0
        assert await client.exists(*[f"{store.name}:session:{session_id}" for session_id in ids]) == 0


async def test_nothing_is_left_of_a_session_that_ended(stores):
    store = stores.one()
    kept = await new(store, user="bert")
    ended = await new(store, user="bert", ttl=2)
    await asyncio.gather(*[new(store, user="anna", ttl=2) for _ in range(5)])
    await asyncio.sleep(2.2)
    async with Client(stores) as client:
        assert await client.exists(f'{store.name}:user:"anna"') == 0
        await store.list_user("bert")
        assert await client.zrange(f'{store.name}:user:"bert"', 0, -1) == [kept.encode()]
        assert await client.exists(f"{store.name}:session:{ended}") == 0


async def test_S6_a_machine_whose_clock_is_ahead_hides_no_session_from_who_ends_them_all(stores, monkeypatch):
    store = stores.one()
    kept = await new(store, user="anna", ttl=100)
    with monkeypatch.context() as ahead:
        ahead.setattr(records, "now", lambda: now() + 200)
        await new(store, user="anna", ttl=1000)
        await store.list_user("anna")
    assert await store.delete_user("anna") == 2
    assert await store.load(kept) is None


async def test_S12_the_server_holds_what_was_given_and_the_id_as_a_key_alone(stores):
    store = stores.one()
    session_id = random_id()
    await store.save(session_id, {**record("anna"), "secret": "hash"}, new=True)
    async with Client(stores) as client:
        value = await client.get(f"{store.name}:session:{session_id}")
        assert value.startswith(b'"anna"\n{') and session_id.encode() not in value


async def test_S11_what_cannot_be_read_is_no_session(stores):
    store = stores.one()
    good = await new(store, user="anna")
    async with Client(stores) as client:
        whole = await client.get(f"{store.name}:session:{good}")
        damaged = [whole[:i] for i in range(0, len(whole), 5)] + [
            b"", b"\n", b'"anna"', b'"anna"\n', b'"anna"\n[]', b'"anna"\nnull', b'"anna"\n"x"', b'"anna"\n{}',
            b'"anna"\n{"exp":"9999999999"}', b'"anna"\n{"exp":1}', b'"anna"\n{"exp":9999999999,"exp":9999999999}',
            b'"anna"\n\xff\xfe', b'"anna"\n' + b"[" * 5000, whole + b"x"]
        for value in damaged:
            session_id = await new(store, user="anna")
            await client.set(f"{store.name}:session:{session_id}", value, ex=600)
            assert await store.load(session_id) is None, value
            assert [name for name, _ in await store.list_user("anna")] == [good], value
        other = await new(store, user="anna")
        await client.delete(f"{store.name}:session:{other}")
        await client.lpush(f"{store.name}:session:{other}", "a list")
        assert await store.load(other) is None
        assert await store.save(other, record("anna")) is False
        assert [name for name, _ in await store.list_user("anna")] == [good]
        await store.delete(other)
        assert await client.exists(f"{store.name}:session:{other}") == 0
        # An index that is something else: nobody can tell which sessions there are.
        await client.set(f'{store.name}:user:"anna"', "text")
        for work in (store.list_user("anna"), store.delete_user("anna"), store.save(good, record("anna"))):
            assert isinstance(await error_of(work), StoreUnavailable)


async def test_a_user_with_very_many_sessions_loses_all_but_one(stores):
    store = stores.one()
    ids = [random_id() for _ in range(1050)]
    for start in range(0, len(ids), 50):
        assert all(await asyncio.gather(*[
            store.save(ids[i], record("anna", seen=i, ttl=1000 + i), new=True) for i in range(start, start + 50)]))
    assert [kept["seen"] for _, kept in await store.list_user("anna")] == list(range(1049, 49, -1))
    assert await store.delete_user("anna", keep=ids[7]) == 1049
    assert [name for name, _ in await store.list_user("anna")] == [ids[7]]


async def test_the_server_may_forget_its_scripts(stores):
    store = stores.one()
    session_id = await new(store, user="anna")
    async with Client(stores) as client:
        await client.script_flush()
        assert await store.save(session_id, record("anna")) is True
        await client.script_flush()
        assert await store.delete_user("anna") == 1


async def test_two_prefixes_are_two_stores(stores):
    a, b = stores.one(), stores.one()
    session_id = await new(a, user="anna")
    assert await b.load(session_id) is None
    assert await b.save(session_id, record("anna")) is False
    assert await b.delete_user("anna") == 0
    await b.delete(session_id)
    assert await a.load(session_id) is not None


@pytest.mark.parametrize("options", [{}, {"decode_responses": True}, {"protocol": 3}], ids=str)
async def test_a_client_that_was_made_elsewhere(stores, options):
    async with Client(stores, **options) as client:
        store = RedisStore(client, prefix="given:")
        session_id = await new(store, user="zoë")
        assert (await store.load(session_id))["user"] == "zoë"
        assert len(await store.list_user("zoë")) == 1
        await store.close()
        assert await client.ping()  # it is its owner's to close
        assert await store.delete_user("zoë") == 1


def test_a_client_serves_one_event_loop_and_a_function_any(stores):
    client = Redis.from_url(stores.address)
    store = RedisStore(client, prefix="one:")

    async def visit(store, close=None):
        session_id = await new(store)
        assert await store.load(session_id)
        await (close or store.close)()

    asyncio.run(visit(store, client.aclose))
    with pytest.raises(RuntimeError, match="another event loop"):
        asyncio.run(visit(store))
    made = []
    store = RedisStore(lambda: made.append(1) or Redis.from_url(stores.address), prefix="any:")
    asyncio.run(visit(store))
    asyncio.run(visit(store))
    assert len(made) == 2


async def test_several_stores_share_a_server(stores):
    server = RedisServer(stores.address, max_connections=2)
    store, other = RedisStore(server, prefix="shared1:"), RedisStore(server, prefix="shared2:")
    assert store.server is other.server
    await asyncio.gather(*[new(each) for each in (store, other) * 50])
    async with Client(stores) as client:
        assert len([one for one in await client.client_list() if one["name"] == "" and one["cmd"] == "evalsha"]) <= 2
    await store.close()


def test_a_url_that_is_none_is_refused_at_the_start(stores):
    for url in ("", "valkey://127.0.0.1", "localhost", "http://127.0.0.1", "127.0.0.1:6379"):
        with pytest.raises(ValueError):
            RedisStore(url)


def test_H3_a_url_that_is_refused_is_not_quoted_nor_its_password(stores):
    for url in ("redis://:hunter/2@127.0.0.1:6379/0", "redis://:hunter#2@127.0.0.1", "redis://:hunter[2@127.0.0.1",
                "redis://user:hunter2@127.0.0.1:port/0"):
        with pytest.raises(ValueError, match="%2F") as refused:
            RedisStore(url)
        assert "hunter" not in "".join(traceback.format_exception(refused.value))


def test_numbers_out_of_bounds_are_refused_at_the_start(stores):
    for wrong in ({"timeout": 0}, {"timeout": -1}, {"timeout": float("nan")}, {"max_connections": 0}):
        with pytest.raises(ValueError):
            RedisServer(stores.address, **wrong)


async def test_S11_a_full_server_takes_no_new_session_and_forgets_none(stores, redis_with):
    server = redis_with("--maxmemory", "3mb", "--maxmemory-policy", "noeviction")
    store = RedisStore(server.url, timeout=2)
    ids, failure = [], None
    while failure is None and len(ids) < 200:
        session_id = random_id()
        failure = await error_of(store.save(session_id, record("anna", data="x" * 50000), new=True))
        ids += [] if failure else [session_id]
    assert isinstance(failure, StoreUnavailable) and len(ids) > 3
    for session_id in ids:
        assert (await store.load(session_id))["user"] == "anna"
    assert isinstance(await error_of(store.save(ids[0], record("anna", data="y" * 50000))), StoreUnavailable)
    await store.delete(ids[0])
    assert await store.load(ids[0]) is None
    await store.close()


async def test_an_error_says_no_password(stores, redis_with):
    server = redis_with("--requirepass", "right-password")
    for url in (f"redis://:wrong-password@127.0.0.1:{server.port}/0", server.url):
        store = RedisStore(url)
        failure = await error_of(store.load(random_id()))
        assert isinstance(failure, StoreUnavailable) and isinstance(failure, OSError)
        assert "password" not in str(failure) and "wrong-password" not in repr(failure.__cause__)
        await store.close()


@pytest.fixture
def redis_with(stores):
    """Starts another server of the kind that the test is for, with arguments of its own."""
    started = []

    def start(*arguments):
        server = type(stores.server)(*arguments)
        started.append(server)
        server.answers = lambda: server.say("PING") != b""
        server.start()
        return server
    yield start
    for server in started:
        server.remove()
