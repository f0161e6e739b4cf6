"""API keys in a database: in which table, and what visitors see when it is down, slow, crowded or damaged."""

import asyncio
import sqlite3
import time

import pytest
from client import raises
from sqlalchemy import MetaData, insert, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from dotlatch.server import database
from dotlatch.server import sqlalchemy_keys as module
from dotlatch.server.errors import StoreUnavailable
from dotlatch.server.sqlalchemy import SQLAlchemyStore
from dotlatch.server.sqlalchemy_keys import SQLAlchemyKeys, keys_table
from dotlatch.server.sqlalchemy_users import SQLAlchemyUsers
from tests.stores.keys import DATABASES, make_keys, open_keys
from tests.stores.kinds import PATIENCE, TIMEOUT
from tests.stores.test_keys import Told, error_of, guarded, id_of, kept, statuses

databases = pytest.mark.parametrize("stores", DATABASES, indirect=True)
postgresql = pytest.mark.parametrize("stores", ["postgresql"], indirect=True)
sqlite = pytest.mark.parametrize("stores", ["sqlite"], indirect=True)
SLACK = 0.75  # seconds that a busy machine may take on top


async def execute(stores, statement, parameters=None):
    engine = create_async_engine(stores.address)
    async with engine.begin() as connection:
        result = await connection.execute(statement, parameters or {})
        rows = result.all() if result.returns_rows else None
    await engine.dispose()
    return rows


# --- tables -------------------------------------------------------------------------------------------

@databases
async def test_R5_a_row_holds_no_secret_and_an_error_no_row(stores):
    keys = await make_keys(stores)
    made = await keys.create("anna", "pump", ["read"])
    [row] = await execute(stores, keys.table.select())
    assert made.split("_")[2] not in str(row) and row.user_key == '"anna"' and row.scopes == '["read"]'
    nobody = open_keys(stores, "no_such_keys")
    key = await kept(keys, made)
    for work in (nobody.create("private", "private"), nobody.find(key.id), nobody.of_user("private"), nobody.count(),
                 nobody.list_keys(), nobody.revoke(key.id), nobody.revoke_user("private"), nobody.used(key)):
        failure = await error_of(lambda work=work: work)
        assert type(failure) is StoreUnavailable
        for shown in (str(failure), str(failure.__cause__)):
            assert "private" not in shown and key.id not in shown and key.secret_hash not in shown


@databases
async def test_keys_are_listed_by_name_and_some_at_a_time(stores):
    keys = await make_keys(stores)
    for i in (2, 0, 1):
        await keys.create(i, "the same name")
        await keys.create(i, f"key {i}")
    assert await keys.count() == 6 and len(await keys.list_keys(limit=-5)) == 1
    everything = await keys.list_keys()
    assert [key.name for key in everything] == ["key 0", "key 1", "key 2", *["the same name"] * 3]
    seen, page = [], await keys.list_keys(limit=2)
    while page:
        seen += page
        page = await keys.list_keys(page[-1], 2)
    assert [key.id for key in seen] == [key.id for key in everything]


@databases
async def test_however_many_keys_there_are_a_call_lists_at_most_1000(stores):
    keys = await make_keys(stores)
    row = {"user_key": "1", "scopes": "[]", "secret_hash": "x" * 43}
    await execute(stores, insert(keys.table), [
        {**row, "id": f"{i:012}", "place": i, "name": f"key {i % 7}"} for i in range(2500)])
    sizes, seen, page = [], set(), await keys.list_keys(limit=10 ** 9)
    while page:
        sizes.append(len(page))
        seen |= {key.id for key in page}
        page = await keys.list_keys(page[-1], 10 ** 9)
    assert sizes == [1000, 1000, 500] and len(seen) == 2500 and len(await keys.of_user(1)) == 1000
    assert "20 keys already" in str(await error_of(keys.create, 1, "one more"))


@databases
async def test_sessions_users_and_keys_may_share_one_database_and_its_connections(stores):
    store = stores.one()
    users = SQLAlchemyUsers(store.database)
    keys = SQLAlchemyKeys(users.database, keys_table(MetaData(), store.name + "_keys"))
    await keys.create_all()
    assert await statuses(guarded(keys), await keys.create("anna", "pump")) == [200]
    assert SQLAlchemyStore(keys.database).database is keys.database is store.database
    assert module.metadata.tables["dotlatch_keys"] is module.keys


@databases
async def test_an_id_that_the_table_has_no_room_for_is_refused_before_it_is_asked(stores):
    keys = await make_keys(stores)
    for long in ("x" * 99, "x" * 10000, "\ud800"):
        assert isinstance(await error_of(keys.create, long, "pump"), ValueError)
        assert await keys.of_user(long) == [] and await keys.revoke_user(long) == 0
    for longest in ("x" * 98, "\u7530" * 98, 10 ** 90, -1):
        assert (await kept(keys, await keys.create(longest, "pump"))).user_id == longest
    assert await keys.count() == 4


@databases
@pytest.mark.parametrize("change", [
    {"scopes": "["}, {"scopes": '"admin"'}, {"scopes": "[1]"}, {"user_key": "["}, {"user_key": "true"},
    {"user_key": "[1]"}, {"user_key": "anna"}])
async def test_S11_a_damaged_row_lets_nobody_in_and_can_be_revoked(stores, change):
    keys = await make_keys(stores, events=Told())
    damaged, other = await keys.create("anna", "pump"), await keys.create("bert", "pump")
    await execute(stores, update(keys.table).where(keys.table.c.id == id_of(damaged)).values(change))
    failure = await error_of(keys.find, id_of(damaged))
    assert type(failure) is StoreUnavailable and str(failure) == "the row of an API key is damaged"
    assert failure.__cause__ is failure.__context__ is None
    assert await statuses(guarded(keys), damaged, other) == [503, 200]
    assert await keys.revoke(id_of(damaged)) is True and await keys.find(id_of(damaged)) is None


@databases
def test_what_cannot_be_is_refused_at_the_start(stores):
    for prefix in ("", "a", "a_b", "x" * 17, None):
        raises(ValueError, SQLAlchemyKeys, stores.address, prefix=prefix)
    raises(ValueError, SQLAlchemyKeys, "sqlite:///x.db")


@databases
async def test_a_connection_that_breaks_once_all_is_done_makes_no_second_key_and_no_failure(stores, monkeypatch):
    told = Told()
    keys = await make_keys(stores, events=told, max_per_user=1)
    real = database._execute

    async def breaks(engine, statements):
        result = await real(engine, statements)
        if statements[0][0].is_insert:
            monkeypatch.setattr(database, "_execute", real)
            raise DBAPIError("", {}, Exception("no connection"), connection_invalidated=True)
        return result

    monkeypatch.setattr(database, "_execute", breaks)
    made = await keys.create("anna", "pump")
    assert database._execute is real and told.events == [("key_created", "anna", "pump")]
    assert [key.id for key in await keys.of_user("anna")] == [id_of(made)]


# --- down, frozen, crowded, locked --------------------------------------------------------------------

async def each_call(keys, key):
    """Every method at once: what each raised."""
    return await asyncio.gather(*[error_of(lambda work=work: work) for work in (
        keys.find(key.id), keys.of_user("anna"), keys.list_keys(), keys.count(), keys.create("bert", "pump"),
        keys.revoke("A" * 12), keys.revoke_user("carl"), keys.used(key))])


@postgresql
async def test_S11_a_database_that_is_stopped_is_a_503_and_all_is_well_when_it_is_back(stores):
    keys = await make_keys(stores)
    made = await keys.create("anna", "pump")
    key, app = await kept(keys, made), guarded(keys)
    assert await statuses(app, made) == [200]
    for end, start in ((stores.server.stop, stores.server.start), (stores.server.kill, stores.server.start),
                       (stores.server.freeze, stores.server.thaw)):
        end()
        keys.database.timeout = TIMEOUT
        begun = time.monotonic()
        answers = await asyncio.gather(*[statuses(app, given) for given in [made, made[:-1] + "~"] * 10])
        failures = await each_call(keys, key)
        seconds = time.monotonic() - begun
        assert answers == [[503]] * 20 and {type(failure) for failure in failures} == {StoreUnavailable}
        assert seconds < 2 * (TIMEOUT + SLACK)
        start()
        keys.database.timeout = PATIENCE
        while await error_of(keys.count):
            await asyncio.sleep(0.05)
        assert await statuses(app, made, made[:-1] + "~") == [200, 401]
    print(f"figure: API keys in PostgreSQL, frozen: 503 within {seconds / 2 * 1000:.0f} ms")


@postgresql
async def test_S11_a_pool_that_is_used_up_costs_the_time_limit_and_no_more(stores):
    keys = await make_keys(stores, timeout=TIMEOUT, pool_size=2)
    made = await keys.create("anna", "pump")
    engine = create_async_engine(stores.address)
    async with engine.connect() as connection:
        await connection.execute(text(f"LOCK TABLE {keys.table.name} IN ACCESS EXCLUSIVE MODE"))
        begun = time.monotonic()
        answers = await asyncio.gather(*[statuses(guarded(keys), made) for _ in range(20)])
        assert answers == [[503]] * 20 and time.monotonic() - begun < TIMEOUT + SLACK
    await engine.dispose()
    assert await statuses(guarded(keys), made) == [200]


@postgresql
async def test_S11_no_key_that_was_given_out_is_lost_when_the_database_is_killed_under_load(stores):
    keys = await make_keys(stores, timeout=TIMEOUT, max_per_user=1000)
    made, revoked, failures = [], [], []
    stop = asyncio.Event()

    async def visitor(i):
        while not stop.is_set():
            try:
                given = await keys.create(f"user {i}", "pump")
                made.append(given)
                if len(made) % 3 == 0 and await keys.revoke(id_of(given)):
                    revoked.append(given)
            except StoreUnavailable as failure:
                failures.append(failure)
                await asyncio.sleep(0.02)

    visitors = [asyncio.create_task(visitor(i)) for i in range(8)]
    for _ in range(2):
        await asyncio.sleep(0.3)
        stores.server.kill()
        await asyncio.sleep(0.2)
        stores.server.start()
    enough = len(made) + 30
    while len(made) < enough:
        await asyncio.sleep(0.02)
    stop.set()
    await asyncio.gather(*visitors)
    there = {key.id for i in range(8) for key in await keys.of_user(f"user {i}")}
    assert failures and revoked and not there & {id_of(given) for given in revoked}
    gone = {id_of(given) for given in made} - {id_of(given) for given in revoked} - there
    assert len(gone) <= len(failures)  # revoked by who was not told so
    app = guarded(keys)
    for given in made[::10]:
        assert await statuses(app, given) == [200 if id_of(given) in there else 401]
    print(f"figure: PostgreSQL killed twice under load: {len(made)} keys made and {len(revoked)} revoked, "
          f"each as was told, {len(failures)} answers 503")


@sqlite
async def test_S11_a_locked_database_costs_the_time_limit_and_no_more(stores, folder):
    keys = await make_keys(stores, timeout=TIMEOUT)
    made = await keys.create("anna", "pump")
    key = await kept(keys, made)
    other = sqlite3.connect(folder / "sessions.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    begun = time.monotonic()
    assert {type(failure) for failure in await each_call(keys, key)} == {StoreUnavailable}
    assert await statuses(guarded(keys), made) == [503] and time.monotonic() - begun < 2 * (TIMEOUT + SLACK)
    other.execute("ROLLBACK")
    other.close()
    while await error_of(keys.count):
        await asyncio.sleep(0.05)
    assert await statuses(guarded(keys), made) == [200]
