"""Servers that are killed, frozen, restarted, full of waiting clients or locked: a bounded wait and one error.

What was measured stands at the end of the tests' output, under "figures".
"""

import asyncio
import contextlib
import sqlite3
import time

import asyncpg
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import create_async_engine
from stores_contract import error_of, new, record

from dotlatch.portable import random_id
from dotlatch.server.errors import StoreUnavailable
from tests.stores.kinds import SERVERS, TIMEOUT, close_store, open_store
from tests.stores.servers import HOST

SLACK = 0.75  # seconds that a busy machine may take on top
servers = pytest.mark.parametrize("stores", SERVERS, indirect=True)


async def each_call(store, session_id):
    """Every method at once: (what it answered or raised, how many seconds that took)."""
    async def timed(work):
        begun = time.monotonic()
        return await answer_of(work), time.monotonic() - begun

    return await asyncio.gather(*[timed(work) for work in (
        store.load(session_id), store.save(session_id, record("anna")),
        store.save(random_id(), record("anna"), new=True), store.list_user("anna"),
        store.delete_user("bert"), store.delete(random_id()))])


def assert_unavailable(answers, limit):
    for answer, seconds in answers:
        assert type(answer) is StoreUnavailable, repr(answer)
        assert seconds < limit, seconds


def assert_well(answers):
    loaded, saved, made, listed, ended, deleted = [answer for answer, _ in answers]
    assert loaded["user"] == "anna" and saved is made is True and listed and ended == 0 and deleted is False


async def longest_pause(stop):
    """How long the event loop did nothing else at most."""
    longest, last = 0.0, time.monotonic()
    while not stop.is_set():
        await asyncio.sleep(0.01)
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    return longest


# --- down -------------------------------------------------------------------------------------------

@servers
async def test_S11_a_killed_server_is_unavailable_and_back_when_it_is_back(stores):
    store = stores.one(timeout=TIMEOUT)
    session_id = await new(store, user="anna")
    await asyncio.gather(*[store.load(session_id) for _ in range(30)])  # many open connections
    for _ in range(3):
        stores.server.kill()
        down = await each_call(store, session_id)
        assert_unavailable(down, TIMEOUT + SLACK)
        stores.server.start()
        await seconds_until_well(store, session_id)
        assert_well(await each_call(store, session_id))
    print(f"figure: {stores.kind} killed: 503 within {max(seconds for _, seconds in down) * 1000:.0f} ms")


@servers
async def test_a_server_that_was_restarted_meanwhile_is_no_failure(stores):
    store = stores.one(timeout=2)
    session_id = await new(store, user="anna")
    await asyncio.gather(*[store.load(session_id) for _ in range(30)])
    stores.server.stop()
    stores.server.start()
    loaded = await asyncio.gather(*[store.load(session_id) for _ in range(30)])
    assert [kept["user"] for kept in loaded] == ["anna"] * 30


@servers
async def test_a_store_may_be_there_before_its_server(stores):
    stores.one()
    stores.server.stop()
    store = stores.open("later", timeout=TIMEOUT)
    assert_unavailable(await each_call(store, random_id()), TIMEOUT + SLACK)
    if stores.kind == "postgresql":
        assert type(await error_of(store.create_all())) is StoreUnavailable
    stores.server.start()
    if stores.kind == "postgresql":
        await store.create_all()
    assert_well(await each_call(store, await new(store, user="anna")))


@servers
async def test_S11_nothing_that_was_acknowledged_is_lost_when_the_server_is_killed_under_load(stores):
    store = stores.one(timeout=TIMEOUT)
    count = 20
    ids = [await new(store, user="anna", data=[i, 0]) for i in range(count)]
    acknowledged, sent, failures, ended = [0] * count, [0] * count, [], {}
    stop = asyncio.Event()

    async def visitor(i):
        while not stop.is_set():
            try:
                if i < 5 and acknowledged[i] >= 3:  # some log out
                    await store.delete(ids[i])
                    ended[i] = True
                    return
                kept = await store.load(ids[i])
                assert kept["data"][0] == i  # never another's
                assert acknowledged[i] <= kept["data"][1] <= sent[i]
                sent[i] += 1
                kept["data"] = [i, sent[i]]
                assert await store.save(ids[i], kept) is True
                acknowledged[i] = sent[i]
            except StoreUnavailable as failure:
                failures.append(failure)
                await asyncio.sleep(0.02)

    visitors = [asyncio.create_task(visitor(i)) for i in range(count)]
    for _ in range(2):
        await asyncio.sleep(0.4)
        stores.server.kill()
        await asyncio.sleep(0.2)
        stores.server.start()
    so_far = sum(acknowledged)
    while sum(acknowledged) < so_far + 50 or len(ended) < 5:
        await asyncio.sleep(0.02)
    stop.set()
    await asyncio.gather(*visitors)
    assert failures
    for i, session_id in enumerate(ids):
        kept = await store.load(session_id)
        if i in ended:
            assert kept is None
        else:
            assert kept["data"][0] == i and acknowledged[i] <= kept["data"][1] <= sent[i]
    print(f"figure: {stores.kind} killed twice under load: {sum(acknowledged)} saves acknowledged and kept, "
          f"{len(failures)} answers 503, 5 logouts kept")


# --- frozen -----------------------------------------------------------------------------------------

@servers
async def test_S11_a_frozen_server_costs_the_time_limit_and_no_more(stores):
    store = stores.one(timeout=TIMEOUT)
    session_id = await new(store, user="anna")
    stop = asyncio.Event()
    pause = asyncio.create_task(longest_pause(stop))
    stores.server.freeze()
    try:
        one_by_one = await each_call(store, session_id)
        begun = time.monotonic()
        # More than the store has connections: waiting for one is within the limit too.
        at_once = await asyncio.gather(*[error_of(store.load(session_id)) for _ in range(100)])
        took = time.monotonic() - begun
    finally:
        stores.server.thaw()
        stop.set()
    assert_unavailable(one_by_one, TIMEOUT + SLACK)
    assert {type(failure) for failure in at_once} == {StoreUnavailable}
    assert took < TIMEOUT + SLACK
    assert await pause < TIMEOUT + SLACK
    print(f"figure: {stores.kind} frozen, limit {TIMEOUT * 1000:.0f} ms: one call "
          f"{max(seconds for _, seconds in one_by_one) * 1000:.0f} ms at most, 100 at once {took * 1000:.0f} ms, "
          f"event loop never held longer than {pause.result() * 1000:.0f} ms")
    recovered = await seconds_until_well(store, session_id)
    print(f"figure: {stores.kind} thawed: answers again after {recovered * 1000:.0f} ms")
    loaded = await asyncio.gather(*[store.load(session_id) for _ in range(50)])
    assert [kept["user"] for kept in loaded] == ["anna"] * 50


async def seconds_until_well(store, *ids):
    """Ask until there is an answer: how long that took."""
    begun = time.monotonic()
    for session_id in ids:
        while isinstance(answer := await answer_of(store.load(session_id)), StoreUnavailable):
            assert time.monotonic() - begun < 10
            await asyncio.sleep(0.02)
        assert answer is not None
    return time.monotonic() - begun


async def answer_of(work):
    try:
        return await work
    except StoreUnavailable as failure:
        return failure


@servers
async def test_answers_are_never_taken_for_another_question(stores):
    # A call that was given up leaves its answer on the way: nobody may read it as their own.
    # And each connection that was given up is replaced: there are few.
    store = stores.one(timeout=TIMEOUT, connections=4)
    ids = [await new(store, user=i) for i in range(40)]
    for _ in range(3):
        calls = [asyncio.create_task(store.load(session_id)) for session_id in ids]
        await asyncio.sleep(0.002)
        for call in calls[::2]:
            call.cancel()
        for i, answer in enumerate(await asyncio.gather(*calls, return_exceptions=True)):
            assert isinstance(answer, asyncio.CancelledError) or answer["user"] == i
        for _ in range(2):
            loaded = await asyncio.gather(*[store.load(session_id) for session_id in ids])
            assert [kept["user"] for kept in loaded] == list(range(40))
        stores.server.freeze()
        try:
            assert {type(answer) for answer in await asyncio.gather(
                *[error_of(store.load(session_id)) for session_id in ids])} == {StoreUnavailable}
        finally:
            stores.server.thaw()
        await seconds_until_well(store, *ids)


# --- crowded ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("stores", ["postgresql"], indirect=True)
async def test_S11_a_pool_that_is_used_up_costs_the_time_limit_and_no_more(stores):
    store = stores.one(timeout=TIMEOUT, connections=2)
    session_id = await new(store, user="anna")
    engine = create_async_engine(stores.address)
    async with engine.connect() as connection:
        await connection.execute(text(f'LOCK TABLE {store.table.name} IN ACCESS EXCLUSIVE MODE'))
        begun = time.monotonic()
        answers = await asyncio.gather(*[error_of(store.load(session_id)) for _ in range(20)])
        took = time.monotonic() - begun
        assert {type(answer) for answer in answers} == {StoreUnavailable}
        assert took < TIMEOUT + SLACK
        # What was given up is given up in the server too.
        waiting = select(func.count()).select_from(text("pg_stat_activity")).where(
            text("state = 'active' AND wait_event_type = 'Lock'"))
        deadline = time.monotonic() + 5
        while (await connection.execute(waiting)).scalar_one():
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
    await engine.dispose()
    assert (await store.load(session_id))["user"] == "anna"


@contextlib.asynccontextmanager
async def crowd(stores):
    """So many clients that the server takes no more."""
    if stores.kind == "redis":
        reader, writer = await asyncio.open_connection(HOST, stores.server.port)
        for most in (1, 10000):
            writer.write(b"CONFIG SET maxclients %d\r\n" % most)
            assert await reader.readline() == b"+OK\r\n"
            if most == 1:
                yield
        writer.close()
        return
    clients = []
    try:
        with pytest.raises(asyncpg.TooManyConnectionsError):
            while True:
                clients.append(await asyncpg.connect(stores.address.replace("+asyncpg", "")))
        yield
    finally:
        for client in clients:
            client.terminate()


@servers
async def test_S11_a_server_that_takes_no_more_clients_is_unavailable_until_it_does(stores):
    store = stores.one(timeout=TIMEOUT)
    session_id = await new(store, user="anna")
    await store.close()
    async with crowd(stores):
        assert_unavailable(await each_call(store, session_id), TIMEOUT + SLACK)
    await seconds_until_well(store, session_id)
    assert_well(await each_call(store, session_id))


@pytest.mark.parametrize("stores", ["redis"], indirect=True)
async def test_a_server_that_is_busy_with_a_script_costs_the_time_limit_and_no_more(stores):
    store = stores.one(timeout=TIMEOUT)
    session_id = await new(store, user="anna")
    busy = asyncio.create_task(asyncio.to_thread(
        stores.server.say, "EVAL", '"local\\x20i=0;while\\x20i<6e7\\x20do\\x20i=i+1\\x20end"', "0"))
    await asyncio.sleep(0.05)
    begun = time.monotonic()
    answer = await error_of(store.load(session_id))
    assert answer is None or type(answer) is StoreUnavailable
    assert time.monotonic() - begun < TIMEOUT + SLACK
    await busy
    await seconds_until_well(store, session_id)


# --- SQLite -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("stores", ["sqlite"], indirect=True)
async def test_S11_a_locked_database_costs_the_time_limit_and_no_more(stores, folder):
    store = stores.one(timeout=TIMEOUT)
    session_id = await new(store, user="anna")
    other = sqlite3.connect(folder / "sessions.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    assert_unavailable(await each_call(store, session_id), TIMEOUT + SLACK)
    at_once = await asyncio.gather(*[error_of(store.load(session_id)) for _ in range(20)])
    assert {type(failure) for failure in at_once} == {StoreUnavailable}
    other.execute("ROLLBACK")
    other.close()
    await seconds_until_well(store, session_id)
    assert_well(await each_call(store, session_id))


@pytest.mark.parametrize("stores", ["sqlite"], indirect=True)
async def test_S11_a_damaged_database_is_unavailable_or_has_no_such_session(stores, folder):
    store = stores.one(timeout=TIMEOUT)
    session_id = await new(store, user="anna")
    await store.close()
    path = folder / "sessions.db"
    whole = path.read_bytes()
    seen = {"unavailable": 0, "none": 0, "whole": 0}
    for size in range(0, len(whole), 1024):
        for damage in (whole[:size], whole[:size] + b"\xff" * 1024 + whole[size + 1024:]):
            path.write_bytes(damage)
            try:
                kept = await store.load(session_id)
            except StoreUnavailable:
                seen["unavailable"] += 1
            else:
                assert kept is None or kept["user"] == "anna"
                seen["none" if kept is None else "whole"] += 1
            await store.close()
    path.write_bytes(whole)
    assert (await store.load(session_id))["user"] == "anna"
    assert seen["unavailable"]
    print(f"figure: sqlite cut or overwritten at every 1024 bytes: {seen}")


async def test_S11_a_folder_that_is_not_there_is_unavailable(folder):
    store = open_store("sqlite", f"sqlite+aiosqlite:///{folder}/nowhere/x.db", "sessions", TIMEOUT)
    assert_unavailable(await each_call(store, random_id()), TIMEOUT + SLACK)
    await close_store("sqlite", store)
