"""Users in a database: in which tables, and what visitors see when it is down, slow, damaged or read-only."""

import asyncio
import logging
import sqlite3
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from cheap import Cheap
from client import Client, Warnings, make_app
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from dotlatch.accountpages import AccountPages
from dotlatch.auth import BasicAuth
from dotlatch.login import Login
from dotlatch.loginpages import LoginPages
from dotlatch.passwords import needs_rehash
from dotlatch.second import SecondFactor
from dotlatch.server import database
from dotlatch.server import sqlalchemy_users as module
from dotlatch.server.errors import StoreUnavailable
from dotlatch.server.sqlalchemy import SQLAlchemyStore
from dotlatch.server.sqlalchemy_users import SQLAlchemyUsers, users_table
from dotlatch.totp import Totp, current_step
from tests.stores.kinds import PATIENCE, TIMEOUT
from tests.stores.users import ANOTHER, DATABASES, FACTOR, PASSWORD, make_users, open_users

databases = pytest.mark.parametrize("stores", DATABASES, indirect=True)
sqlite = pytest.mark.parametrize("stores", ["sqlite"], indirect=True)
servers = pytest.mark.parametrize("stores", ["postgresql"], indirect=True)
SLACK = 0.75  # seconds that a busy machine may take on top


@pytest.fixture(autouse=True)
def cheap_hashes():
    with Cheap():
        yield


async def error_of(awaitable):
    try:
        await awaitable
    except Exception as error:
        return error
    return None


async def execute(stores, statement, parameters=None):
    engine = create_async_engine(stores.address)
    async with engine.begin() as connection:
        result = await connection.execute(statement, parameters or {})
        rows = result.all() if result.returns_rows else None
    await engine.dispose()
    return rows


# --- sites --------------------------------------------------------------------------------------------

def site_of(users, **session):
    """A site with every page that there is for accounts."""
    app = make_app(**session)
    login = Login(users=users, second_factor=SecondFactor(users))
    AccountPages(LoginPages(app, login))

    @app.get("/")
    @login
    async def index(request):
        return "Hello, " + request.g.current_user.name

    auth = BasicAuth()

    @auth.authenticate
    async def check(request, name, password):
        return await users.authenticate(name, password)

    @app.get("/basic")
    @auth
    async def basic(request):
        return "Hello, " + request.g.current_user.name

    return app


def form(**fields):
    return "&".join(name + "=" + fields[name].replace(" ", "+") for name in fields)


async def enter(app, password=PASSWORD, name="anna"):
    browser = Client(app)
    return browser, (await browser.post("/login", form=form(username=name, password=password))).status_code


@databases
async def test_the_pages_of_an_account_work_and_two_programs_agree_on_who_is_in(stores):
    here, there = await make_users(stores, 2)
    one, other = site_of(here), site_of(there)
    await here.create("anna", PASSWORD)
    anna, status = await enter(one)
    elsewhere, _ = await enter(other)
    assert status == 302 and await anna.copy(other).texts("/") == await elsewhere.texts("/") == ["Hello, anna"]
    changed = form(current=PASSWORD, new=ANOTHER, again=ANOTHER)
    assert (await anna.post("/account/password", form=changed)).status_code == 303
    assert (await anna.get("/")).status_code == 200 and (await elsewhere.get("/")).status_code == 302
    assert (await enter(other))[1] == 401 and (await enter(other, ANOTHER))[1] == 302
    key = (await anna.get("/account/second")).text.split("<code>")[1].split("</code>")[0].replace(" ", "")
    totp = Totp(key)
    shown = await anna.post("/account/second", form=form(code=totp.code_at(current_step() - 1)))
    codes = [part.split("</code>")[0] for part in shown.text.split("<li><code>")[1:]]
    assert shown.status_code == 200 and len(codes) > 1 and (await anna.get("/")).status_code == 200
    for code in (totp.code_at(current_step()), codes[0]):
        browser, _ = await enter(other, ANOTHER)
        assert (await browser.get("/")).status_code == 302  # a code is still to come
        await browser.post("/login/code", form=form(code=code))
        assert (await browser.get("/")).status_code == 200
        browser, _ = await enter(one, ANOTHER)
        await browser.post("/login/code", form=form(code=code))
        assert (await browser.get("/")).status_code == 302  # it was used, though somewhere else
    await there.disable(await there.get_by_name("anna"))
    assert (await anna.get("/")).status_code == 302


@databases
async def test_sessions_and_users_may_share_one_database_and_its_connections(stores):
    store = stores.one()
    users = SQLAlchemyUsers(store.database, users_table(MetaData(), store.name + "_users"))
    await users.create_all()
    await users.create("anna", PASSWORD)
    browser, _ = await enter(site_of(users, store=store))
    assert await browser.texts("/") == ["Hello, anna"]
    assert SQLAlchemyStore(users.database, store.table).database is users.database is store.database


@databases
async def test_O2_who_knows_an_old_secret_spends_no_step_of_the_new_one(stores):
    users = await make_users(stores)
    anna = await users.create("anna", PASSWORD)
    await users.set_second_factor(anna, FACTOR, 5, "a")
    stale = await users.get_by_id(anna.id)
    await users.set_second_factor(anna, None)
    await users.set_second_factor(anna, FACTOR.replace("A", "B"), 5, "b")
    assert await users.use_totp_step(stale, 6) is False and (await users.get_by_id(anna.id)).totp_step == 5
    assert vars(stale) == vars(anna)  # as it is now


# --- down ---------------------------------------------------------------------------------------------

@servers
async def test_S11_a_database_that_is_stopped_is_a_503_and_all_is_well_when_it_is_back(stores):
    users = await make_users(stores)
    app = site_of(users)
    await users.create("anna", PASSWORD)
    browser, _ = await enter(app)
    basic = {"Authorization": "Basic YW5uYTpjb3JyZWN0IGhvcnNlIGJhdHRlcnkgc3RhcGxl"}
    assert (await browser.get("/basic", basic)).status_code == 200
    for end, start in ((stores.server.stop, stores.server.start), (stores.server.kill, stores.server.start),
                       (stores.server.freeze, stores.server.thaw)):
        end()
        users.database.timeout = TIMEOUT
        begun = time.monotonic()
        answers = await asyncio.gather(
            browser.get("/"), enter(app), enter(app, "wrong"), enter(app, name="nobody"), browser.get("/basic", basic),
            browser.post("/account/password", form=form(current=PASSWORD, new=ANOTHER, again=ANOTHER)))
        seconds = time.monotonic() - begun
        assert [answer[1] if type(answer) is tuple else answer.status_code for answer in answers] == [503] * 6
        assert seconds < 2 * TIMEOUT + SLACK
        start()
        users.database.timeout = PATIENCE
        while await error_of(users.count()):
            await asyncio.sleep(0.05)
        assert await browser.texts("/") == ["Hello, anna"] and (await enter(app))[1] == 302
    print(f"figure: users in PostgreSQL, frozen: 503 within {seconds * 1000:.0f} ms")


@servers
async def test_S11_a_pool_that_is_used_up_costs_the_time_limit_and_no_more(stores):
    users = await make_users(stores, timeout=TIMEOUT, pool_size=2)
    app = site_of(users)
    anna = await users.create("anna", PASSWORD)
    browser, _ = await enter(app)
    engine = create_async_engine(stores.address)
    async with engine.connect() as connection:
        await connection.execute(text(f"LOCK TABLE {users.table.name} IN ACCESS EXCLUSIVE MODE"))
        begun = time.monotonic()
        answers = await asyncio.gather(*[browser.get("/") for _ in range(20)], *[enter(app) for _ in range(5)])
        failures = await asyncio.gather(*[error_of(users.end_sessions(anna)) for _ in range(20)])
        assert time.monotonic() - begun < 2 * (TIMEOUT + SLACK)
        assert [answer[1] if type(answer) is tuple else answer.status_code for answer in answers] == [503] * 25
        assert {type(failure) for failure in failures} == {StoreUnavailable}
    await engine.dispose()
    users.database.timeout = PATIENCE
    assert await browser.texts("/") == ["Hello, anna"] and (await users.get_by_id(anna.id)).session_version == 0


@servers
async def test_S11_no_change_that_was_told_of_is_lost_when_the_database_is_killed_under_load(stores):
    users = await make_users(stores, timeout=TIMEOUT)
    people = [await users.create(f"user {i}", PASSWORD) for i in range(8)]
    told, tried, failures = [0] * 8, [0] * 8, []
    stop = asyncio.Event()

    async def admin(i):
        while not stop.is_set():
            tried[i] += 1
            failure = await error_of(users.end_sessions(people[i]))
            if failure is None:
                told[i] += 1
            else:
                assert type(failure) is StoreUnavailable
                failures.append(failure)
                await asyncio.sleep(0.02)

    admins = [asyncio.create_task(admin(i)) for i in range(8)]
    for _ in range(2):
        await asyncio.sleep(0.3)
        stores.server.kill()
        await asyncio.sleep(0.2)
        stores.server.start()
    enough = sum(told) + 40
    while sum(told) < enough:
        await asyncio.sleep(0.02)
    stop.set()
    await asyncio.gather(*admins)
    users.database.timeout = PATIENCE
    kept = [(await users.get_by_id(person.id)).session_version for person in people]
    assert failures and all(told[i] <= kept[i] for i in range(8))
    print(f"figure: users in PostgreSQL, killed twice under load: {sum(told)} changes told of and kept, "
          f"{len(failures)} answers 503")


@sqlite
async def test_S11_a_locked_database_costs_the_time_limit_and_no_more(stores, folder):
    users = await make_users(stores, timeout=TIMEOUT)
    anna = await users.create("anna", PASSWORD)
    other = sqlite3.connect(folder / "sessions.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    begun = time.monotonic()
    failures = await asyncio.gather(*[error_of(work) for work in (
        users.get_by_id(anna.id), users.authenticate("anna", PASSWORD), users.end_sessions(anna),
        users.create("bert", PASSWORD), users.set_second_factor(anna, FACTOR), users.rename(anna, "annette"))])
    assert {type(failure) for failure in failures} == {StoreUnavailable}
    assert time.monotonic() - begun < TIMEOUT + SLACK
    other.execute("ROLLBACK")
    other.close()
    while await error_of(users.count()):
        await asyncio.sleep(0.05)
    assert await error_of(users.end_sessions(anna)) is None


@databases
async def test_P3_who_cannot_keep_a_better_hash_is_let_in_all_the_same(stores):
    users = await make_users(stores)
    await users.create("anna", PASSWORD)
    real = users.database.run

    async def read_only(*statements):
        if statements[0][0].is_dml:
            raise StoreUnavailable("the database is read-only")
        return await real(*statements)

    users.database.run = read_only
    with Cheap(30), Warnings() as given:
        assert await users.authenticate("anna", PASSWORD) and len(given) == 1
        assert needs_rehash((await users.get_by_name("anna")).password_hash)
        assert await users.authenticate("anna", ANOTHER) is None


@databases
async def test_a_connection_that_breaks_once_all_is_done_makes_no_failure_of_it(stores, monkeypatch):
    told = []
    users = await make_users(stores, events=type("Told", (), {"emit": lambda self, event, **_: told.append(event)})())
    real = database._execute

    async def breaks(engine, statements):
        result = await real(engine, statements)
        monkeypatch.setattr(database, "_execute", real)
        raise DBAPIError("", {}, Exception("no connection"), connection_invalidated=result is not None)

    monkeypatch.setattr(database, "_execute", breaks)
    anna = await users.create("anna", PASSWORD)
    assert database._execute is real and vars(await users.get_by_name("anna")) == vars(anna)
    await users.set_second_factor(anna, FACTOR, 5, None)
    real_open = users._open

    async def opened(user_id):
        found = await real_open(user_id)
        monkeypatch.setattr(database, "_execute", breaks)
        return found

    monkeypatch.setattr(users, "_open", opened)
    assert await users.change_password(anna, PASSWORD, ANOTHER) is True
    assert told == ["user_created", "second_factor_set", "password_changed"]
    monkeypatch.setattr(database, "_execute", breaks)
    assert await users.use_totp_step(anna, 6) is False  # a code is rather lost than taken twice
    assert (await users.get_by_name("anna")).totp_step == 6


@databases
@pytest.mark.parametrize("change", [
    {"scopes": "["}, {"scopes": '"admin"'}, {"scopes": "[1]"}, {"totp": ""}, {"totp": "secret"}, {"totp_step": -1}])
async def test_S11_a_damaged_row_lets_nobody_in_and_says_nothing_of_what_it_holds(stores, change):
    users = await make_users(stores)
    anna = await users.create("anna", PASSWORD)
    await users.create("bert", PASSWORD)
    await execute(stores, update(users.table).where(users.table.c.id == anna.id).values(change))
    for failure in (await error_of(users.authenticate("anna", PASSWORD)), await error_of(users.get_by_id(anna.id))):
        assert type(failure) is StoreUnavailable and str(failure) == "the row of a user is damaged"
        assert failure.__cause__ is failure.__context__ is None
    assert await users.authenticate("bert", PASSWORD)


# --- tables -------------------------------------------------------------------------------------------

@databases
async def test_users_are_listed_by_name_and_some_at_a_time(stores):
    users = await make_users(stores)
    for i in (3, 1, 4, 0, 2):
        await users.create(f"user{i}", PASSWORD)
    assert await users.count() == 5
    assert [user.name for user in await users.list_users()] == [f"user{i}" for i in range(5)]
    assert [user.name for user in await users.list_users(after="User1", limit=2)] == ["user2", "user3"]
    assert len(await users.list_users(limit=-1)) == 1
    for odd in ("\0", "user\0", "\ud800", "x" * 10000):
        assert await users.list_users(after=odd) == []


@databases
async def test_users_are_there_for_another_program_and_the_table_can_be_made_twice(stores):
    users = await make_users(stores)
    anna = await users.create("Anna", PASSWORD, ["read"])
    again = open_users(stores, users.table.name)
    await again.create_all()
    assert vars(await again.get_by_name("anna")) == vars(anna)
    assert module.metadata.tables["dotlatch_users"] is module.users


@databases
async def test_H3_the_table_holds_no_password_and_an_error_no_hash(stores):
    users = await make_users(stores)
    await users.create("anna", PASSWORD)
    [row] = await execute(stores, users.table.select())
    assert PASSWORD not in str(row)
    anna = await users.get_by_name("anna")
    engine = create_async_engine(stores.address)  # of a program that does not mind
    nowhere = SQLAlchemyUsers(engine, users_table(MetaData(), "no_such_users"), timeout=PATIENCE)
    for nobody in (open_users(stores, "no_such_users"), nowhere):
        for work in (nobody.create("private", PASSWORD), nobody.get_by_name("private"), nobody.count(),
                     nobody.swap_recovery(anna, "private", "private")):
            failure = await error_of(work)
            assert type(failure) is StoreUnavailable
            for shown in (str(failure), str(failure.__cause__)):
                assert "private" not in shown and "pbkdf2" not in shown
    assert not engine.sync_engine.hide_parameters
    await engine.dispose()


def _with(table, *columns, without=""):
    """The same table, but for these columns."""
    others = (without, *[column.name for column in columns])
    kept = [column._copy() for column in table.columns if column.name not in others]
    return Table(table.name, MetaData(), *kept, *columns)


def accounts_table(metadata, name):
    """A table that was there before dotlatch, and has got the columns that it needs."""
    return Table(
        name, metadata,
        Column("number", Integer, primary_key=True), Column("email", String(64), nullable=False),
        Column("email_key", String(64), unique=True), Column("password", String(200)),
        Column("open", Boolean), Column("version", Integer), Column("rights", JSON),
        Column("city", String(20), nullable=False))


NAMES = {"id": "number", "name": "email", "name_key": "email_key", "password_hash": "password", "is_active": "open",
         "session_version": "version", "scopes": "rights"}


@databases
async def test_a_table_of_ones_own_holds_users_under_its_own_names(stores):
    name = f"accounts{id(stores)}"
    engine = create_async_engine(stores.address)
    users = SQLAlchemyUsers(engine, accounts_table(MetaData(), name), NAMES, ["city", "city"], PATIENCE)
    await users.create_all()
    anna = await users.create("anna@example.com", PASSWORD, ["read"], city="Graz")
    found = await users.authenticate("ANNA@example.com", PASSWORD)
    assert type(anna.id) is int and (found.id, found.city, found.scopes) == (anna.id, "Graz", ["read"])
    await execute(stores, update(users.table).values(version=None, open=None))
    assert (await users.get_by_id(anna.id)).is_active is False and await users.authenticate(anna.name, PASSWORD) is None
    await users.enable(anna)
    await users.end_sessions(anna)
    assert anna.session_version == 1
    for odd in (2 ** 31, -2 ** 31 - 1, True, "1", "", 0):
        assert await users.get_by_id(odd) is None, odd
    assert "no column for the totp" in str(await error_of(users.set_second_factor(anna, FACTOR)))
    for odd in ("x" * 21, "\0", "\ud800", 5):
        assert "the column city " in str(await error_of(users.create("bert@example.com", PASSWORD, city=odd))), odd
    for wrong in ({}, {"city": None}, {"city": "Graz", "town": "Graz"}):
        assert type(await error_of(users.create("bert@example.com", PASSWORD, **wrong))) is TypeError
    await engine.dispose()


@sqlite
async def test_S11_who_is_not_plainly_active_stays_out(stores):
    users = await make_users(stores)
    anna = await users.create("anna", PASSWORD)
    for odd in ("'f'", "'false'", "'t'", "2", "-1", "0.5", "x'00'", "''"):  # SQLite keeps anything in any column
        await execute(stores, text(f"UPDATE {users.table.name} SET is_active = {odd}"))
        assert await users.authenticate("anna", PASSWORD) is None, odd
        assert not await users.change_password(anna, PASSWORD, ANOTHER), odd
    await users.enable(anna)
    assert await users.authenticate("anna", PASSWORD)


@databases
async def test_L1_nobody_has_more_names_to_guess_at_than_one(stores):
    """A throttle counts by name, and a column may have ideas of its own of what is the same."""
    collation = "rtrim"
    if stores.kind == "postgresql":
        collation = "alike"
        await execute(stores, text("CREATE COLLATION IF NOT EXISTS alike "
                                   "(provider = icu, locale = 'und-u-ks-level1', deterministic = false)"))
    table = _with(users_table(MetaData(), f"alike{id(stores)}"),
                  Column("name_key", String(64, collation=collation), unique=True))
    users = SQLAlchemyUsers(stores.address, table, timeout=PATIENCE)
    stores.opened.append(users)
    await users.create_all()
    anna = await users.create("anna", PASSWORD)
    for alike in ("ánna", "anna ", "\uff41nna"):
        assert await users.authenticate(alike, PASSWORD) is None, alike
    assert (await users.authenticate("Anna", PASSWORD)).id == anna.id
    if stores.kind == "postgresql":
        assert str(await error_of(users.create("ánna", PASSWORD))) == "that name is taken"


@databases
async def test_an_id_that_is_no_uuid_is_nobodys(stores):
    table = users_table(MetaData(), f"uuids{id(stores)}")
    table = _with(table, Column("id", Uuid(as_uuid=False), primary_key=True, default=lambda: str(uuid.uuid4())))
    users = SQLAlchemyUsers(stores.address, table, timeout=PATIENCE)
    stores.opened.append(users)
    await users.create_all()
    anna = await users.create("anna", PASSWORD)
    assert (await users.get_by_id(anna.id)).name == "anna"
    for odd in ("x", "1", anna.id.upper(), anna.id.replace("-", ""), "{" + anna.id + "}", 1):
        assert await users.get_by_id(odd) is None, odd


@servers
async def test_a_table_that_was_changed_meanwhile_is_no_failure(stores):
    users = await make_users(stores)
    anna = await users.create("anna", PASSWORD)
    assert await users.get_by_name("anna")  # the driver keeps what it has prepared for this
    await execute(stores, text(f"ALTER TABLE {users.table.name} ALTER name TYPE VARCHAR(128)"))
    assert (await users.get_by_name("anna")).id == anna.id


@servers
async def test_changes_that_get_in_each_others_way_are_all_made(stores):
    """Where a database is set to be serializable, PostgreSQL refuses all but one of those that come at once."""
    users = await make_users(stores)
    anna = await users.create("anna", PASSWORD)
    settings = {"server_settings": {"default_transaction_isolation": "serializable"}}
    strict = SQLAlchemyUsers(
        lambda: create_async_engine(stores.address, connect_args=settings), users.table, timeout=PATIENCE)
    stores.opened.append(strict)
    some = [await strict.get_by_id(anna.id) for _ in range(12)]
    await asyncio.gather(*[strict.end_sessions(one) for one in some])
    assert (await users.get_by_id(anna.id)).session_version == 12


@databases
async def test_H3_a_program_that_logs_everything_logs_no_hash(stores, caplog):
    with caplog.at_level(logging.DEBUG):
        users = await make_users(stores)
        await users.create("anna", PASSWORD)
        await users.set_second_factor(await users.get_by_name("anna"), FACTOR)
    assert "pbkdf2" not in caplog.text and FACTOR not in caplog.text


@sqlite
async def test_H3_the_file_of_a_database_is_for_its_owner_alone(stores, folder):
    await make_users(stores)
    assert oct((folder / "sessions.db").stat().st_mode & 0o777) == "0o600"


@sqlite
async def test_H3_a_row_that_only_the_database_refuses_is_an_error_without_the_row(stores):
    users = await make_users(stores)
    anna = await users.create("anna", PASSWORD)
    name = users.table.name
    for moment in ("INSERT", "UPDATE"):
        await execute(stores, text(
            f"CREATE TRIGGER {name}{moment} BEFORE {moment} ON {name} BEGIN SELECT RAISE(ABORT, 'no'); END"))
    for work in (users.create("bert", PASSWORD), users.set_password(anna, ANOTHER), users.end_sessions(anna)):
        failure = await error_of(work)
        assert type(failure) is RuntimeError and failure.__cause__ is failure.__context__ is None
    assert await users.authenticate("anna", PASSWORD)


@databases
async def test_a_mapped_class_holds_users_under_the_names_of_its_attributes(stores):
    class Base(DeclarativeBase):
        pass

    class Account(Base):
        __tablename__ = f"mapped{id(stores)}"
        id: Mapped[str] = mapped_column(String(30), primary_key=True, default=lambda: f"a{time.monotonic_ns()}")
        login: Mapped[str] = mapped_column("login_name", String(64))
        name_key: Mapped[str] = mapped_column(String(64), unique=True)
        password_hash: Mapped[str] = mapped_column(Text)
        is_active: Mapped[bool]
        session_version: Mapped[int]
        totp: Mapped[str] = mapped_column(Text, nullable=True)
        totp_step: Mapped[int] = mapped_column(BigInteger, nullable=True)
        recovery: Mapped[str] = mapped_column(Text, nullable=True)

    users = SQLAlchemyUsers(lambda: create_async_engine(stores.address), Account, {"name": "login"}, timeout=PATIENCE)
    stores.opened.append(users)
    await users.create_all()
    anna = await users.create("anna", PASSWORD)
    assert anna.id[0] == "a" and anna.scopes == [] and (await users.authenticate("Anna", PASSWORD)).id == anna.id
    assert await users.set_second_factor(anna, FACTOR, 5, "x") and await users.use_totp_step(anna, 6)
    assert "scopes" in str(await error_of(users.set_scopes(anna, ["read"])))
    [row] = await execute(stores, Account.__table__.select())
    assert (row.login_name, row.totp_step, row.session_version) == ("anna", 6, 1)


@pytest.mark.parametrize("instances", [False, True])
def test_a_class_that_shares_its_table_has_no_users_of_its_own(instances):
    class Base(DeclarativeBase):
        pass

    class Person(Base):
        __table__ = users_table(Base.metadata)
        __mapper_args__ = {"polymorphic_on": "id", "polymorphic_identity": "person"}

    class Admin(Person):
        __mapper_args__ = {"polymorphic_identity": "admin"}

    with pytest.raises(ValueError, match="Admin has the table of another class"):
        SQLAlchemyUsers("sqlite+aiosqlite:///x.db", Admin, instances=instances)


@databases
async def test_a_user_to_whom_other_rows_refer_is_not_removed_and_the_error_says_why(stores):
    users = await make_users(stores, timeout=PATIENCE)
    anna = await users.create("anna", PASSWORD)
    name = users.table.name
    await execute(stores, text(f"CREATE TABLE {name}_notes (owner VARCHAR(16) NOT NULL REFERENCES {name} (id))"))
    await execute(stores, text(f"INSERT INTO {name}_notes VALUES (:owner)"), {"owner": anna.id})
    if stores.kind == "sqlite":  # which looks at references only when it is asked to
        await users.database.run((text("PRAGMA foreign_keys = ON"), {}))
    assert "refer to it" in str(await error_of(users.remove(anna)))
    assert await users.get_by_id(anna.id)


def test_a_table_that_cannot_hold_users_is_refused_at_the_start():
    def refused(*columns, without="", **options):
        table = _with(users_table(MetaData(), "t"), *columns, without=without)
        with pytest.raises(ValueError) as caught:
            SQLAlchemyUsers("sqlite+aiosqlite:///x.db", table, **options)
        return str(caught.value)

    for name in ("id", "name", "name_key", "password_hash", "is_active", "session_version", "totp", "totp_step",
                 "recovery"):
        assert f"no column {name}," in refused(without=name)
    assert "unique" in refused(Column("name_key", String(64)))
    assert "Uuid" in refused(Column("id", Uuid, primary_key=True))
    assert "Boolean" in refused(Column("is_active", Integer))
    assert "unique" in refused(Column("id", Integer))
    assert "unique" in refused(Column("id", Integer, primary_key=True), Column("tenant", Integer, primary_key=True))
    for column in (Column("name", Integer), Column("name_key", LargeBinary, unique=True), Column("totp", Boolean),
                   Column("password_hash", LargeBinary), Column("session_version", Text), Column("totp_step", Text)):
        assert f"the {column.name} of a user is in a column of " in refused(column)
    assert "digest_ha1" in refused(without="digest_ha1", digest=object())
    assert "no mail" in refused(columns={"mail": "name"})
    assert "no column rights" in refused(columns={"scopes": "rights"})
    assert "in one column" in refused(columns={"password_hash": "name"})
    assert "city may not be NULL" in refused(Column("city", Text, nullable=False))
    assert "city" in refused(extra=["city"]) and "name" in refused(extra=["name"])


def test_a_column_is_unique_by_a_constraint_or_an_index_of_its_own():
    def table(*more):
        columns = [column._copy() for column in users_table(MetaData(), "t").columns if column.name != "name_key"]
        return Table("t", MetaData(), *columns, Column("name_key", String(64)), *more)

    for fine in (UniqueConstraint("name_key"), Index("i", "name_key", unique=True)):
        SQLAlchemyUsers("sqlite+aiosqlite:///x.db", table(fine))
    for wrong in (UniqueConstraint("name_key", "id"), Index("i", "name_key"),
                  Index("i", func.lower(Column("name_key", String)), unique=True),
                  Index("i", "name_key", unique=True, postgresql_where=text("NOT removed")),
                  Index("i", "name_key", unique=True, sqlite_where=text("NOT removed"))):
        with pytest.raises(ValueError, match="unique"):
            SQLAlchemyUsers("sqlite+aiosqlite:///x.db", table(wrong))


@databases
async def test_several_processes_agree_on_codes_and_names(stores):
    """Three programs try one recovery code, one name and 10 ends of sessions each."""
    users = await make_users(stores)
    anna = await users.create("anna", PASSWORD)
    second = SecondFactor(users)
    totp = second.begin(anna)
    codes = await second.confirm(anna, totp.stored(), totp.code_at(current_step()))
    program = ("import asyncio, sys; sys.path[:0] = sys.argv[5:]\n"
               "from tests.stores.kinds import Stores\n"
               "from tests.stores.users import PASSWORD, open_users\n"
               "from dotlatch import passwords\n"
               "from dotlatch.second import SecondFactor\n"
               "passwords.ITERATIONS = 2\n"
               "async def main(kind, address, name, code, *rest):\n"
               "    stores = Stores(kind, address)\n"
               "    users = open_users(stores, name)\n"
               "    anna = await users.get_by_name('anna')\n"
               "    sys.stdin.readline()\n"
               "    method = await SecondFactor(users).verify(anna, code)\n"
               "    for _ in range(10):\n"
               "        await users.end_sessions(anna)\n"
               "    try:\n"
               "        await users.create('bert', PASSWORD)\n"
               "        made = True\n"
               "    except ValueError:\n"
               "        made = False\n"
               "    await stores.close()\n"
               "    print(method, made)\n"
               "asyncio.run(main(*sys.argv[1:]))")
    root = Path(__file__).parents[2]
    arguments = [stores.kind, str(stores.address), users.table.name, codes[0], str(root), str(root / "src"),
                 str(root / "tests" / "portable")]
    processes = [await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, *arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(3)]
    try:
        said = await asyncio.gather(*[process.communicate(b"go\n") for process in processes])
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
                await process.wait()
    words = [output.split() for output, _ in said]
    assert sorted(method for method, _ in words) == [b"None"] * 2 + [b"recovery"]
    assert sorted(made for _, made in words) == [b"False"] * 2 + [b"True"]
    assert (await users.get_by_name("anna")).session_version == 31 and await users.count() == 2
