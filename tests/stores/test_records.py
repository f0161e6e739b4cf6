"""Records, ids and users of every kind, in every kind of store."""

import asyncio
import random

import pytest
from stores_contract import HOSTILE_IDS, error_of, new, record

from dotlatch.portable import now, random_id
from tests.stores.kinds import SHARED, close_store, open_store

LIMIT = 64 * 1024

# Each of them is somebody; some would be somebody else, or everybody, to a careless query.
USERS = [
    "anna", "Anna", "ANNA", " anna", "anna ", "anna\n", "anna\0", "\0", "", "1", 1, -1, "-1", 0, 2**70, str(2**70),
    "' OR '1'='1", "'; DROP TABLE dotlatch_sessions; --", '"', '""', "\\", "\\'", "%", "_", "a%", "ann_", "*", "?",
    "[a-z]", "anna*", "{anna}", "user:anna", ":anna", "anna:session", "$1", ":user", "%(user)s", "${user}", "\r\nDEL x",
    "anna\n{\"exp\": 9999999999}", "null", "true", "zoë", "zoe\u0308", "ZOË", "\u212a", "k", "ß", "ss", "anna\u200b",
    "\U0001f511", "x" * 98, "x" * 99, "x" * 10000, "x" * 9999 + "y", "sha256:" + "0" * 64,
]

shared = pytest.mark.parametrize("stores", SHARED, indirect=True)


def sized(size):
    """A record whose JSON has so many bytes."""
    empty = len(b'{"exp":%d,"seen":%d,"data":""}' % (now(), now()))
    return {"exp": now() + 600, "seen": now(), "data": "x" * (size - empty)}


# --- the server's part of an end --------------------------------------------------------------------

@shared
async def test_S4_a_session_ends_when_it_says_whoever_saves_it_late(stores):
    store = stores.one()
    short, longer, shorter = [await new(store, user="anna", ttl=ttl) for ttl in (2, 2, 600)]
    assert await store.save(longer, record("anna", ttl=600)) is True
    assert await store.save(shorter, record("anna", ttl=1)) is True
    await asyncio.sleep(2.2)
    assert await store.save(short, record("anna")) is False
    for ended in (short, shorter):
        assert await store.load(ended) is None
    assert [name for name, _ in await store.list_user("anna")] == [longer]
    assert await store.delete_user("anna") == 1


@shared
async def test_a_record_says_when_it_ends(stores):
    store = stores.one()
    session_id = await new(store, user="anna")
    for wrong in ({}, {"exp": None}, {"exp": "9999999999"}, {"exp": True}, {"exp": 9e9}, {"exp": -1}, {"exp": []},
                  {"exp": (now() + 600) * 1000}, {"exp": 2**63}, {"exp": now() + 600, "seen": "now"}):
        assert type(await error_of(store.save(random_id(), {"user": "anna", **wrong}, new=True))) is ValueError, wrong
        assert type(await error_of(store.save(session_id, {"user": "anna", **wrong}))) is ValueError, wrong
    assert len(await store.list_user("anna")) == 1


# --- sizes ------------------------------------------------------------------------------------------

@shared
async def test_a_large_record_is_refused_and_the_old_one_stays(stores):
    store = stores.one()
    session_id = random_id()
    fits = sized(LIMIT)
    assert await store.save(session_id, fits, new=True) is True
    assert await store.load(session_id) == fits
    for size in (LIMIT + 1, 2**20):
        assert type(await error_of(store.save(session_id, sized(size)))) is ValueError
        assert type(await error_of(store.save(random_id(), sized(size), new=True))) is ValueError
    assert await store.load(session_id) == fits


# --- users ------------------------------------------------------------------------------------------

async def test_every_user_has_their_own_sessions_and_nobody_elses(stores):
    store = stores.one(max_record=LIMIT)
    ids = [await new(store, user=user, data=str(user)) for user in USERS]
    for user, session_id in zip(USERS, ids):
        [(found, kept)] = await store.list_user(user)
        assert found == session_id and kept["user"] == user and type(kept["user"]) is type(user), user
    everybody = list(zip(USERS, ids))
    random.Random(3).shuffle(everybody)
    while everybody:
        user, session_id = everybody.pop()
        assert await store.delete_user(user) == 1, user
        assert await store.load(session_id) is None, user
        if len(everybody) % 8 == 0:
            for other, other_id in everybody:
                assert (await store.load(other_id))["user"] == other, (user, other)


@shared
async def test_only_a_string_or_an_int_is_a_user(stores):
    store = stores.one()
    for wrong in (True, False, 1.0, ["anna"], {"name": "anna"}, "\ud800"):
        assert type(await error_of(store.save(random_id(), record(wrong), new=True))) is TypeError, wrong
        assert await store.list_user(wrong) == [], wrong
        assert await store.delete_user(wrong) == 0, wrong


@shared
async def test_a_session_that_changes_its_user_is_the_new_ones(stores):
    store = stores.one()
    session_id = await new(store)
    for user in ("anna", "bert", None, "carl"):
        assert await store.save(session_id, record(user)) is True
        for other in ("anna", "bert", "carl"):
            assert len(await store.list_user(other)) == (other == user), (user, other)
    assert await store.delete_user("anna") == await store.delete_user("bert") == 0
    assert await store.load(session_id) is not None
    assert await store.delete_user("carl") == 1


# --- many -------------------------------------------------------------------------------------------

async def test_200_sessions_at_once(stores):
    store = stores.one()
    ids = [random_id() for _ in range(200)]
    users = ["anna", "bert", 3, None]
    made = await asyncio.gather(*[
        store.save(session_id, record(users[i % 4], seen=now() - i, data=i), new=True)
        for i, session_id in enumerate(ids)])
    assert made == [True] * 200
    loaded = await asyncio.gather(*[store.load(session_id) for session_id in ids])
    assert [kept["data"] for kept in loaded] == list(range(200))
    for kept in loaded:
        kept["data"] += 1000
    assert all(await asyncio.gather(*[store.save(*pair) for pair in zip(ids, loaded)]))
    assert [name for name, _ in await store.list_user("anna")] == ids[::4]
    assert await store.delete_user("anna", keep=ids[100]) == 49
    await asyncio.gather(*[store.delete(session_id) for session_id in ids[1::4]])
    left = [kept and kept["data"] for kept in await asyncio.gather(*[store.load(session_id) for session_id in ids])]
    assert left == [1000 + i if i == 100 or i % 4 > 1 else None for i in range(200)]


# --- ids --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", SHARED)
async def test_S12_what_is_no_id_never_reaches_the_server(kind, folder):
    # There is no server: whatever was sent to it would be an error.
    address = {"redis": "redis://127.0.0.1:9", "postgresql": "postgresql+asyncpg://x@127.0.0.1:9/x",
               "sqlite": f"sqlite+aiosqlite:///{folder}/nowhere/x.db"}[kind]
    store = open_store(kind, address, "none", timeout=0.3)
    for hostile in HOSTILE_IDS:
        assert await store.load(hostile) is None
        assert await store.save(hostile, record("anna")) is False
        assert await store.save(hostile, record("anna"), new=True) is False
        assert await store.delete(hostile) is False
    assert isinstance(await error_of(store.load(random_id())), OSError)
    await close_store(kind, store)
