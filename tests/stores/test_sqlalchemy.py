"""What SQLAlchemyStore leaves in the database, and how it gets there."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import MetaData, create_engine, func, insert, inspect, select, update
from sqlalchemy.ext.asyncio import create_async_engine
from stores_contract import error_of, new, record

from dotlatch.portable import now, random_id
from dotlatch.server import sqlalchemy as module
from dotlatch.server.errors import StoreUnavailable
from dotlatch.server.sqlalchemy import SQLAlchemyStore, sessions_table
from tests.stores.kinds import open_store

pytestmark = pytest.mark.parametrize("stores", ["postgresql", "sqlite"], indirect=True)


async def execute(stores, statement):
    engine = create_async_engine(stores.address)
    async with engine.begin() as connection:
        result = await connection.execute(statement)
        rows = result.all() if result.returns_rows else None
    await engine.dispose()
    return rows


async def count_rows(stores, store):
    return (await execute(stores, select(func.count()).select_from(store.table)))[0][0]


async def test_ended_rows_go_a_few_at_a_time_as_new_ones_come(stores):
    store = stores.one()
    row = {"ends": now() - 60, "seen": 0, "record": "{}"}
    await execute(stores, insert(store.table).values([{**row, "id": random_id()} for _ in range(95)]))
    left = []
    for _ in range(12):
        await new(store)
        left.append(await count_rows(stores, store))
    assert left == [86, 77, 68, 59, 50, 41, 32, 23, 14, 10, 11, 12]


async def test_the_list_of_a_user_with_very_many_sessions_is_the_newest_1000(stores):
    store = stores.one()
    ends = now() + 600
    rows = [{"id": random_id(), "user_key": '"anna"', "ends": ends, "seen": i, "record": f'{{"exp":{ends},"seen":{i}}}'}
            for i in range(1050)]
    await execute(stores, insert(store.table).values(rows))
    assert [kept["seen"] for _, kept in await store.list_user("anna")] == list(range(1049, 49, -1))
    assert await store.delete_user("anna", keep=rows[7]["id"]) == 1049
    assert [name for name, _ in await store.list_user("anna")] == [rows[7]["id"]]


async def test_one_new_session_does_not_wait_for_another_that_clears_the_same_rows(stores):
    store = stores.one()
    row = {"ends": now() - 60, "seen": 0, "record": "{}"}
    await execute(stores, insert(store.table).values([{**row, "id": random_id()} for _ in range(100)]))
    await asyncio.gather(*[new(store, user=i) for i in range(50)])
    assert await count_rows(stores, store) == 50


async def test_S11_what_cannot_be_read_is_no_session(stores):
    store = stores.one()
    good = await new(store, user="anna")
    texts = ["", "{", "[]", "null", "{}", '{"exp":"9999999999"}', '{"exp":1}', '{"exp":9999999999,"exp":9999999999}',
             "[" * 5000, '{"exp":9999999999}x', "\\x00"]
    ids = []
    for text in texts:
        ids.append(await new(store, user="anna"))
        await execute(stores, update(store.table).where(store.table.c.id == ids[-1]).values(record=text))
        assert await store.load(ids[-1]) is None, text
    assert [name for name, _ in await store.list_user("anna")] == [good]
    assert await store.save(ids[0], record("anna")) is True
    assert await store.delete_user("anna") == len(texts) + 1


async def test_S12_a_row_holds_what_was_given(stores):
    store = stores.one()
    session_id = random_id()
    kept = {**record("anna"), "secret": "hash"}
    await store.save(session_id, kept, new=True)
    [row] = await execute(stores, select(store.table))
    assert row[:4] == (session_id, '"anna"', kept["exp"], kept["seen"])
    assert session_id not in row.record


async def test_the_table_has_its_indexes_and_can_be_made_twice(stores):
    store = stores.one()
    await store.create_all()
    engine = create_async_engine(stores.address)
    async with engine.connect() as connection:
        found = await connection.run_sync(lambda sync: inspect(sync).get_indexes(store.table.name))
    await engine.dispose()
    assert sorted(index["column_names"] for index in found) == [["ends"], ["user_key"]]


async def test_several_processes_may_make_the_table_at_once(stores):
    program = ("import asyncio, sys; sys.path[:0] = sys.argv[3:]; from tests.stores.kinds import open_store\n"
               "async def main():\n"
               "    store = open_store(sys.argv[1], sys.argv[2], 'at_once')\n"
               "    sys.stdin.readline()\n"
               "    await store.create_all()\n"
               "    await store.close()\n"
               "asyncio.run(main())")
    root = Path(__file__).parents[2]
    processes = [subprocess.Popen(
        [sys.executable, "-c", program, stores.kind, str(stores.address), str(root), str(root / "src")],
        stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    try:
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        ends = [process.communicate(timeout=20)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert ends == [""] * 4
    store = stores.open("at_once")
    assert await store.load(await new(store)) is not None


async def test_a_table_can_be_a_programs_own(stores):
    metadata = MetaData(schema=None, naming_convention={"ix": "ix_%(table_name)s_%(column_0_name)s"})
    table = sessions_table(metadata, "our sessions; \"quoted\"")
    store = SQLAlchemyStore(stores.address, table)
    await store.create_all()
    session_id = await new(store, user="anna")
    assert await store.delete_user("anna") == 1 and await store.load(session_id) is None
    await store.close()
    assert module.metadata.tables["dotlatch_sessions"] is module.sessions


def test_an_engine_serves_one_event_loop_and_a_function_any(stores):
    table = stores.one().table
    engine = create_async_engine(stores.address)
    store = SQLAlchemyStore(engine, table)

    async def visit(store, close=None):
        session_id = await new(store, user="anna")
        assert await store.load(session_id)
        await (close or store.close)()

    asyncio.run(visit(store, engine.dispose))
    with pytest.raises(RuntimeError, match="another event loop"):
        asyncio.run(visit(store))
    made = []
    store = SQLAlchemyStore(lambda: made.append(1) or create_async_engine(stores.address), table)
    asyncio.run(visit(store))
    asyncio.run(visit(store))
    assert len(made) == 2


def test_a_url_that_cannot_do_is_refused_at_the_start(stores):
    for url in ("postgresql+psycopg2://127.0.0.1/x", "sqlite:///x.db", "sqlite+aiosqlite://",
                "sqlite+aiosqlite:///:memory:"):
        with pytest.raises((ValueError, ImportError)):
            SQLAlchemyStore(url)
    for url in ("postgresql+asyncpg://app:swordfish", "postgresql+asyncpg:/app:swordfish@127.0.0.1/x", "swordfish"):
        with pytest.raises(ValueError, match="no address of a database") as caught:
            SQLAlchemyStore(url)
        assert "swordfish" not in str(caught.value) and caught.value.__suppress_context__


def test_what_is_no_engine_or_number_is_refused_at_the_start(stores):
    for wrong in (None, 5, create_engine("sqlite://")):
        with pytest.raises(TypeError, match="AsyncEngine"):
            SQLAlchemyStore(wrong)
    for wrong in ({"timeout": 0}, {"timeout": -1}, {"pool_size": 0}, {"pool_size": -1}):  # 0 would be no limit
        with pytest.raises(ValueError, match="above 0"):
            SQLAlchemyStore(stores.address, **wrong)


async def test_an_error_says_no_record_and_no_id(stores):
    store = open_store(stores.kind, stores.address, "no_such_table")
    session_id = random_id()
    for work in (store.load(session_id), store.save(session_id, record("anna", data="private"), new=True),
                 store.save(session_id, record("anna", data="private")), store.delete_user("private")):
        failure = await error_of(work)
        assert isinstance(failure, StoreUnavailable) and isinstance(failure, OSError)
        for text in (str(failure), str(failure.__cause__)):
            assert "private" not in text and session_id not in text
    await store.close()
