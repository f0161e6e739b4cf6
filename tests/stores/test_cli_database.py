"""`dotlatch user`, `keys` and `sessions` on a database, and on objects of an app's own."""

import asyncio
import re
import socket
import sqlite3
import sys
import threading

import pytest
from cheap import Cheap
from sqlalchemy import MetaData, insert, make_url
from sqlalchemy.ext.asyncio import create_async_engine
from stores_contract import new

from dotlatch.server.sqlalchemy_users import SQLAlchemyUsers, users_table
from tests.server import commands
from tests.server.commands import run
from tests.stores.keys import make_keys
from tests.stores.kinds import PATIENCE
from tests.stores.test_keys import guarded, statuses
from tests.stores.users import DATABASES, make_users

PASSWORD = "seven green bottles"
OTHER_PASSWORD = "nine loud kettles boil"
URL_PASSWORD = "swordfish-in-the-url"
CHEAP = ("--iterations", "1000")
databases = pytest.mark.parametrize("stores", DATABASES, indirect=True)
servers = pytest.mark.parametrize("stores", ["postgresql"], indirect=True)
sqlite = pytest.mark.parametrize("stores", ["sqlite"], indirect=True)


async def told(*arguments, **more):
    """What a command says that is given in this process."""
    return await asyncio.to_thread(commands.run_here, *arguments, **more)


@pytest.fixture(autouse=True)
def cheap_hashes():
    with Cheap():
        yield


def at(stores, users=None, keys=None):
    """The options by which the command finds what the test has."""
    options = []
    if users is not None:
        options += ["--users", stores.address, "--users-table", users.table.name]
    if keys is not None:
        options += ["--keys", stores.address, "--keys-table", keys.table.name]
    return options


# --- accounts -----------------------------------------------------------------------------------------

@databases
async def test_an_app_that_runs_sees_each_change_of_an_account(stores):
    users = await make_users(stores)
    where = at(stores, users)
    done = await told("user", "add", "anna", "--scopes", "read", "--json", *CHEAP, *where, given=PASSWORD)
    anna = await users.authenticate("anna", PASSWORD)
    assert done.json == {"name": "anna", "id": anna.id, "scopes": ["read"], "is_active": True, "second_factor": False}
    taken = await told("user", "add", "ANNA", *CHEAP, *where, given=PASSWORD)
    assert (taken.code, taken.err) == (1, "dotlatch: that name is taken\n")
    assert (await told("user", "passwd", "anna", *CHEAP, *where, given=OTHER_PASSWORD)).code == 0
    assert await users.authenticate("anna", PASSWORD) is None and await users.authenticate("anna", OTHER_PASSWORD)
    assert (await told("user", "disable", "Anna", *where)).out == "anna is disabled\n"
    assert not (await users.get_by_id(anna.id)).is_active
    assert (await told("user", "enable", "anna", *where, "--json")).json["is_active"] is True
    assert (await told("user", "logout", "anna", *where)).out == "anna is logged out everywhere\n"
    assert (await told("user", "scopes", "anna", "read,write", *where)).out == "anna may: read, write\n"
    found = await users.get_by_id(anna.id)
    assert (found.is_active, found.session_version, found.scopes) == (True, 2, ["read", "write"])
    assert (await told("user", "remove", "anna", *where)).out == "anna is removed\n"
    gone = await told("user", "disable", "anna", *where)
    assert (gone.code, gone.err) == (1, "dotlatch: there is no user anna in the database\n")
    assert await users.count() == 0


@databases
async def test_100000_accounts_are_listed_a_page_at_a_time(stores):
    users = await make_users(stores)
    row = {"scopes": "[]", "is_active": True, "session_version": 0, "totp_step": 0}
    engine = create_async_engine(stores.address)
    async with engine.begin() as connection:
        for begin in range(0, 100000, 10000):
            await connection.execute(insert(users.table), [
                {**row, "id": f"{i:016}", "name": f"User{i:06}", "name_key": f"user{i:06}"}
                for i in range(begin, begin + 10000)])
    await engine.dispose()
    seen, page = 0, await users.list_users(limit=10 ** 9)
    while page:
        assert len(page) <= 1000 and page[0].name == f"User{seen:06}"
        seen += len(page)
        page = await users.list_users(page[-1].name, 10 ** 9)
    assert seen == await users.count() == 100000
    where = at(stores, users)
    first = (await told("user", "list", "--json", *where)).json
    assert len(first["users"]) == 1000 and first["next"] == "User000999"
    second = await told("user", "list", "--after", first["next"], "--limit", "2", *where)
    assert [line.split()[0] for line in second.out.splitlines()[1:3]] == ["User001000", "User001001"]
    assert second.out.endswith("there are more: --after 'User001001' shows them\n")
    last = (await told("user", "list", "--after", "User099997", "--json", *where)).json
    assert [user["name"] for user in last["users"]] == ["User099998", "User099999"] and last["next"] is None


@databases
async def test_of_those_who_add_one_name_at_once_one_does(stores, tmp_path):
    users = await make_users(stores)
    started = [commands.begin(tmp_path, "user", "add", name, *CHEAP, *at(stores, users))
               for name in ("anna", "Anna", "ANNA", "anna")]
    endings = [await asyncio.to_thread(commands.end, process, PASSWORD) for process in started]
    assert sorted(done.code for done in endings) == [0, 1, 1, 1] and await users.count() == 1


@pytest.mark.parametrize("name, said", [
    ("' OR ''='", None), ("anna'); DROP TABLE users; --", None), ("%", None), ("a\\", None),
    ("a\nb", "no control characters"), ("x" * 65, "1 to 64 characters")])
@databases
async def test_a_name_is_a_name_whatever_is_in_it(stores, name, said):
    users = await make_users(stores)
    done = await told("user", "add", name, *CHEAP, *at(stores, users), given=PASSWORD)
    if said:
        assert done.code == 1 and said in done.err and await users.count() == 0
    else:
        assert done.code == 0 and (await users.get_by_name(name)).name == name and await users.count() == 1


@databases
async def test_create_makes_the_tables_and_without_it_a_missing_one_is_trouble(stores, folder):
    names = ["--users-table", f"created_users_{stores.kind}", "--keys-table", f"created_keys_{stores.kind}"]
    where = ["--users", stores.address, "--keys", stores.address]
    add = ("user", "add", "anna", *CHEAP, *where[:2], *names[:2])
    missing = await told(*add, given=PASSWORD)
    assert missing.code == 2 and re.search("no .*sessions.db|address, password and table are right", missing.err)
    assert (await told(*add, "--create", given=PASSWORD)).out == "anna is added to the database\n"
    made = await told("keys", "add", "anna", "pump", "--create", "--json", *where, *names, shows_secret=True)
    users = SQLAlchemyUsers(stores.address, users_table(MetaData(), names[1]), timeout=PATIENCE)
    stores.opened.append(users)
    assert made.json["user_id"] == (await users.get_by_name("anna")).id
    nowhere = folder / "not-there.db"
    refused = await told("user", "add", "ben", "--users", f"sqlite+aiosqlite:///{nowhere}", given=PASSWORD)
    assert (refused.code, refused.out) == (2, "") and not nowhere.exists()


# --- API keys -----------------------------------------------------------------------------------------

@databases
async def test_a_key_is_shown_once_opens_is_listed_and_ends(stores):
    users, keys = await make_users(stores), await make_keys(stores, prefix="greenhouse")
    anna = await users.create("anna", PASSWORD)
    where, both = at(stores, keys=keys), at(stores, users, keys)
    made = (await told("keys", "add", "anna", "Weather", "--scopes", "read", "--prefix", "greenhouse", "--days", "9",
               "--json", *both, shows_secret=True)).json
    app = guarded(keys)
    assert made["user_id"] == anna.id and await statuses(app, made["key"]) == [200]
    other = (await told("keys", "add", "7", "pump", "--number", *where, shows_secret=True)).out.split("_")[1]
    listed = (await told("keys", "list", "--json", *where)).json
    assert [key["id"] for key in listed["keys"]] == [made["id"], other] and listed["next"] is None
    first = (await told("keys", "list", "--limit", "1", "--json", *where)).json
    assert [key["id"] for key in first["keys"]] == [made["id"]] == [first["next"]]
    rest = (await told("keys", "list", "--after", first["next"], "--json", *where)).json
    assert [key["user_id"] for key in rest["keys"]] == [7]
    assert (await told("keys", "revoke", made["id"], *where)).out == "the key is revoked\n"
    again = await told("keys", "revoke", made["id"], *where)
    assert again.code == 1 and "there is no key of that id in the database" in again.err
    assert await statuses(app, made["key"]) == [401]
    full = await told("keys", "add", "7", "one more", "--number", "--max-per-user", "1", *where)
    assert full.code == 1 and "there are 1 keys already" in full.err


@databases
async def test_a_key_that_could_not_be_shown_is_not_kept(stores, tmp_path):
    keys = await make_keys(stores)
    with open("/dev/full", "wb") as full:
        done = run(tmp_path, "keys", "add", "7", "pump", "--id", *at(stores, keys=keys), stdout=full.fileno())
    assert done.code == 2 and "so what was made is gone again" in done.err and await keys.count() == 0


# --- what is in the environment -----------------------------------------------------------------------

@databases
async def test_addresses_may_be_in_the_environment_and_accounts_keys_and_sessions_in_one_database(stores):
    users, keys, store = await make_users(stores), await make_keys(stores), stores.one()
    anna = await users.create("anna", PASSWORD)
    session_id = await new(store, user=anna.id)
    names = ["--users-table", users.table.name]
    address = stores.address
    if stores.kind == "postgresql":  # it asks for none, and takes any
        address = make_url(address).set(password=URL_PASSWORD).render_as_string(hide_password=False)
    known = {f"DOTLATCH_{what}": address for what in ("USERS", "KEYS", "STORE")}
    assert "anna" in (await told("user", "list", *names, **known)).out
    made = await told("keys", "add", "anna", "pump", *names, "--keys-table", keys.table.name, shows_secret=True,
               **known)
    assert made.code == 0 and [key.user_id for key in await keys.of_user(anna)] == [anna.id]
    listed = await told("sessions", "list", "anna", "--json", "--table", store.name, *names, **known)
    assert [one["id"] for one in listed.json["sessions"]] == [session_id]
    assert (await told("sessions", "end", "anna", "--table", store.name, *names, **known)).out == "1 ended\n"
    nobody = await told("sessions", "end", "ben", "--table", store.name, *names, **known)
    assert (nobody.code, nobody.err) == (1, "dotlatch: there is no user ben in the database\n")


@pytest.mark.parametrize("arguments, variable", [
    (("user", "list", "--users"), "DOTLATCH_USERS"), (("keys", "list", "--keys"), "DOTLATCH_KEYS"),
    (("keys", "add", "anna", "pump", "--users"), "DOTLATCH_USERS"),
    (("sessions", "list", "anna", "--id", "--store"), "DOTLATCH_STORE")])
def test_a_password_in_an_argument_is_refused_and_not_repeated(arguments, variable):
    for address in (f"postgresql+asyncpg://app:{URL_PASSWORD}@127.0.0.1:1/app",
                    *[f"postgresql+asyncpg://app:{sign}{URL_PASSWORD}@127.0.0.1:1/app" for sign in "/#?[:"],
                    f"postgresql+asyncpg://127.0.0.1:1/app?password={URL_PASSWORD}"):
        done = commands.run_here(*arguments, address)
        assert (done.code, done.out) == (2, "") and f"put the address into {variable}" in done.err
        assert URL_PASSWORD not in done.err


@pytest.mark.parametrize("address, said", [
    (f"postgresql+asyncpg://app:{URL_PASSWORD}@127.0.0.1:1/app", "the database cannot be asked"),
    (f"postgresql+asyncpg://app:{URL_PASSWORD}", "no address of a database"),
    (f"postgresql://app:{URL_PASSWORD}@127.0.0.1:1/app", "no async driver"),
    (f"nosuch://app:{URL_PASSWORD}@127.0.0.1:1/app", "no address of a database"),
    (f"redis://app:{URL_PASSWORD}@127.0.0.1:1/0", "no address of a database"),
    (f"://{URL_PASSWORD}", "no address of a database"),
    ("sqlite+aiosqlite:///not-there.db", "there is no not-there.db"),
    ("sqlite+aiosqlite://", "name a file")])
def test_a_database_that_cannot_be_asked_is_trouble_and_nothing_is_made(tmp_path, address, said, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for arguments in (("user", "list"), ("keys", "list")):
        done = commands.run_here(*arguments, DOTLATCH_USERS=address, DOTLATCH_KEYS=address)
        assert (done.code, done.out) == (2, "")
        assert said in done.err and URL_PASSWORD not in done.err
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_is_silent_is_not_waited_for_without_end(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        kept = []
        threading.Thread(target=lambda: kept.append(silent.accept()), daemon=True).start()
        done = run(tmp_path, "user", "list", "--users", f"postgresql+asyncpg://127.0.0.1:{silent.getsockname()[1]}/x")
    assert done.code == 2 and "See that the server runs" in done.err


@sqlite
async def test_a_locked_database_is_trouble_after_a_time_limit_and_no_more_is_said(stores, tmp_path, folder):
    users = await make_users(stores)
    await users.create("anna", PASSWORD)
    other = sqlite3.connect(folder / "sessions.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    done = run(tmp_path, "user", "disable", "anna", *at(stores, users))
    other.execute("ROLLBACK")
    other.close()
    assert done.code == 2 and done.err.startswith("dotlatch: ") and done.err.count("\n") == 1
    assert (await users.get_by_name("anna")).is_active


@servers
async def test_a_frozen_database_is_trouble_after_a_time_limit_and_no_more_is_said(stores, tmp_path):
    users = await make_users(stores)
    stores.server.freeze()
    done = run(tmp_path, "user", "list", *at(stores, users))
    stores.server.thaw()
    assert done.code == 2 and done.err.startswith("dotlatch: no answer within 5 seconds") and done.err.count("\n") == 1


@pytest.mark.parametrize("missing", ["sqlalchemy", "aiosqlite"])
def test_what_is_not_installed_is_named(tmp_path, missing):
    (tmp_path / "x.db").touch()
    script = f"import sys; sys.modules[{missing!r}] = None; from dotlatch.server.cli.main import main; sys.exit(main())"
    for what in ("user", "keys"):
        done = run(tmp_path, what, "list", DOTLATCH_USERS="sqlite+aiosqlite:///x.db",
                   DOTLATCH_KEYS="sqlite+aiosqlite:///x.db", command=[sys.executable, "-c", script])
        assert done.code == 2 and f"{missing} is not installed: pip install 'dotlatch[sqlalchemy]'" in done.err


# --- an app's own objects -----------------------------------------------------------------------------

APP = """
from sqlalchemy import JSON, String
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, synonym
from dotlatch.server.sqlalchemy import SQLAlchemyStore
from dotlatch.server.sqlalchemy_keys import SQLAlchemyKeys
from dotlatch.server.sqlalchemy_users import SQLAlchemyUsers

class Base(DeclarativeBase):
    pass

class Account(Base):
    __tablename__ = "accounts"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(64))
    name = synonym("email")
    name_key: Mapped[str] = mapped_column(String(64), unique=True)
    password_hash: Mapped[str] = mapped_column(String(200), nullable=True)
    is_active: Mapped[bool]
    session_version: Mapped[int]
    scopes: Mapped[list] = mapped_column(JSON)

engine = create_async_engine(URL)  # one, for one event loop
class shop:
    users = SQLAlchemyUsers(engine, Account, {"name": "email"}, instances=True)
    keys = SQLAlchemyKeys(users.database)
    store = SQLAlchemyStore(users.database)
"""


@sqlite
async def test_an_object_of_the_app_is_named_by_its_module(stores, tmp_path, folder):
    (tmp_path / "garden").mkdir()
    (tmp_path / "garden" / "app.py").write_text(f"URL = {stores.address!r}\n" + APP)
    for what in ("users", "keys", "store"):
        make = (f"import asyncio; from garden.app import shop; asyncio.run(shop.{what}.create_all())")
        assert run(tmp_path, command=[sys.executable, "-c", make]).code == 0
    known = {"DOTLATCH_USERS": "garden.app:shop.users", "DOTLATCH_KEYS": "garden.app:shop.keys",
             "DOTLATCH_STORE": "garden.app:shop.store"}
    added = run(tmp_path, "user", "add", "anna@example.com", *CHEAP, "--json", given=PASSWORD, **known)
    assert added.json["id"] == 1 and added.json["name"] == "anna@example.com", added.err
    assert run(tmp_path, "user", "scopes", "anna@example.com", "read", **known).code == 0
    assert run(tmp_path, "user", "list", "--json", **known).json["users"][0]["scopes"] == ["read"]
    made = run(tmp_path, "keys", "add", "anna@example.com", "pump", "--json", shows_secret=True, **known)
    assert made.json["user_id"] == 1 and made.code == 0
    store = stores.open("dotlatch_sessions")
    await new(store, user=1)
    assert run(tmp_path, "sessions", "end", "anna@example.com", **known).out == "1 ended\n"
    refused = run(tmp_path, "sessions", "end", "1", "--number", "--session", "x" * 32, **known)
    assert refused.code == 1 and "that user has no session of that id" in refused.err


@pytest.mark.parametrize("address, said", [
    ("nowhere:users", "there is no module nowhere here"), ("nowhere.app:users", "there is no module nowhere.app here"),
    ("here:accounts", "there is no accounts in the module here"), ("here:users", "these accounts have no disable"),
    ("here:one", "here:one is none of these: it has no get_by_name")])
def test_an_object_that_is_not_there_or_cannot_do_it_is_trouble(tmp_path, address, said):
    (tmp_path / "here.py").write_text("one = 1\nclass users:\n    def get_by_name(name): pass")
    done = run(tmp_path, "user", "disable", "anna", "--users", address)
    assert (done.code, done.out) == (2, "") and said in done.err


@pytest.mark.parametrize("options, said", [
    (("--django",), "for the URL of a database"), (("--users-table", "x"), "for the URL of a database"),
    (("--max-users", "5", "--users", "sqlite+aiosqlite:///x.db"), "--max-users is for a file")])
def test_options_that_do_not_fit_are_trouble(tmp_path, options, said, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.db").touch()
    done = commands.run_here("user", "add", "anna", *options, given=PASSWORD)
    assert (done.code, done.out) == (2, "") and said in done.err
