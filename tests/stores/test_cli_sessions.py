"""`dotlatch sessions` on every store that outlasts a program, and what is refused before a store is asked."""

import re
import socket
import sys
import threading

import pytest

from tests.server.commands import run
from tests.stores.kinds import BETWEEN_PROCESSES, SERVERS

USERS_PASSWORD = "seven green bottles"
STORE_PASSWORD = "swordfish-in-the-url"


def where(stores, store):
    """The options by which the command finds what the test has."""
    if stores.kind == "file":
        return ["--store", store.path]
    return ["--store", stores.address, *(["--prefix", store.name + ":"] if stores.kind == "redis" else
                                         ["--table", store.name])]


async def begin(store, user, **more):
    from stores_contract import new  # of tests/portable: conftest.py puts that folder on the path
    return await new(store, user=user, source="192.168.1.0", secret="a hash of it", **more)


@pytest.mark.parametrize("stores", BETWEEN_PROCESSES, indirect=True)
async def test_the_list_shows_where_a_user_is_logged_in(stores, tmp_path):
    store = stores.one()
    old, new = await begin(store, "anna", client="Firefox", seen=1795000001), await begin(store, "anna")
    await begin(store, "ben")
    done = run(tmp_path, "sessions", "list", "anna", "--id", "--json", *where(stores, store))
    assert done.code == 0, done.err
    assert [one["id"] for one in done.json["sessions"]] == [new, old]
    kept = await store.load(old)
    assert done.json["sessions"][1] == {
        "id": old, "kind": "session", "began": kept["iat"], "seen": 1795000001, "source": "192.168.1.0",
        "client": "Firefox", "ends": kept["exp"]}
    head, _, last = run(tmp_path, "sessions", "list", "anna", "--id", *where(stores, store)).out.splitlines()
    assert head.split() == ["ID", "KIND", "BEGAN", "SEEN", "ENDS", "FROM", "CLIENT"]
    assert last.startswith(old) and last.endswith("192.168.1.0  Firefox")


@pytest.mark.parametrize("stores", BETWEEN_PROCESSES, indirect=True)
async def test_end_ends_all_sessions_of_a_user_and_no_others(stores, tmp_path):
    store = stores.one()
    hers, his = [await begin(store, "anna") for _ in range(3)], await begin(store, "ben")
    done = run(tmp_path, "sessions", "end", "anna", "--id", "--json", *where(stores, store))
    assert (done.code, done.json) == (0, {"ended": 3}), done.err
    assert [await store.load(session_id) for session_id in hers] == [None] * 3
    assert await store.load(his) is not None
    assert run(tmp_path, "sessions", "end", "anna", "--id", *where(stores, store)).out == "0 ended\n"


@pytest.mark.parametrize("stores", BETWEEN_PROCESSES, indirect=True)
async def test_end_ends_one_session_and_none_of_another_user(stores, tmp_path):
    store = stores.one()
    first, second, his = await begin(store, 1), await begin(store, 1), await begin(store, "1")
    options = ["--number", *where(stores, store)]
    assert run(tmp_path, "sessions", "end", "1", "--session", first, *options).out == "1 ended\n"
    refused = run(tmp_path, "sessions", "end", "1", "--session", his, *options)
    assert (refused.code, refused.out) == (1, "") and "that user has no session of that id" in refused.err
    assert [await store.load(session_id) is None for session_id in (first, second, his)] == [True, False, False]


@pytest.mark.parametrize("stores", BETWEEN_PROCESSES, indirect=True)
async def test_what_a_browser_calls_itself_does_not_reach_the_terminal(stores, tmp_path):
    store = stores.one()
    await begin(store, "anna", client="\x1b]0;owned\x07\x9b31m\n\u202egnihton")
    out = run(tmp_path, "sessions", "list", "anna", "--id", *where(stores, store)).out
    assert out.count("\n") == 2 and out[:-1].replace("\n", "").isprintable()


@pytest.mark.parametrize("stores", SERVERS, indirect=True)
async def test_an_address_with_a_password_comes_from_the_environment(stores, tmp_path):
    store = stores.one()
    await begin(store, "anna")
    _, address, *more = where(stores, store)
    done = run(tmp_path, "sessions", "list", "anna", "--id", "--json", *more, DOTLATCH_STORE=address)
    assert done.code == 0 and len(done.json["sessions"]) == 1


@pytest.mark.parametrize("stores", ["file"], indirect=True)
async def test_a_name_is_looked_up_in_the_users_file(stores, tmp_path):
    store = stores.one()
    user = run(tmp_path, "user", "add", "anna", "--iterations", "1000", "--json", given=USERS_PASSWORD).json
    await begin(store, user["id"])
    assert run(tmp_path, "sessions", "end", "anna", *where(stores, store)).out == "1 ended\n"
    nobody = run(tmp_path, "sessions", "end", "ben", *where(stores, store))
    assert nobody.code == 1 and nobody.err == "dotlatch: there is no user ben in users.json\n"


@pytest.mark.parametrize("address", [
    f"redis://:{STORE_PASSWORD}@127.0.0.1:6379/0", f"postgresql+asyncpg://app:{STORE_PASSWORD}@127.0.0.1/app",
    f"redis://127.0.0.1/0?password={STORE_PASSWORD}"])
def test_a_password_in_an_argument_is_refused(tmp_path, address):
    done = run(tmp_path, "sessions", "list", "anna", "--id", "--store", address)
    assert (done.code, done.out) == (2, "")
    assert "put the address into DOTLATCH_STORE" in done.err and STORE_PASSWORD not in done.err


@pytest.mark.parametrize("address, said", [
    ("", "say where the sessions are"),
    ("not-there", "not-there: No such file"),
    (".", "is not a folder of sessions"),
    (f"redis://:{STORE_PASSWORD}/x@127.0.0.1", "none of a Redis"),
    (f"redis://:{STORE_PASSWORD}@127.0.0.1:1/0", "Redis cannot be asked"),
    (f"postgresql+asyncpg://app:{STORE_PASSWORD}@127.0.0.1:1/app", "the database cannot be asked"),
    (f"postgresql://app:{STORE_PASSWORD}@127.0.0.1:1/app", "no async driver"),
    (f"nosuch://app:{STORE_PASSWORD}@127.0.0.1:1/app", "no address of a database"),
    (f"://{STORE_PASSWORD}", "no address of a database"),
    ("sqlite+aiosqlite:///not-there.db", "there is no not-there.db"),
    ("sqlite+aiosqlite://", "name a file"),
])
def test_a_store_that_cannot_be_asked_is_trouble_and_nothing_is_made(tmp_path, address, said):
    done = run(tmp_path, "sessions", "end", "anna", "--id", DOTLATCH_STORE=address)
    assert (done.code, done.out) == (2, "")
    assert said in done.err and STORE_PASSWORD not in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("scheme", ["redis", "postgresql+asyncpg"])
def test_a_server_that_is_silent_is_not_waited_for_without_end(tmp_path, scheme):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        kept = []
        threading.Thread(target=lambda: kept.append(silent.accept()), daemon=True).start()
        port = silent.getsockname()[1]
        done = run(tmp_path, "sessions", "list", "anna", "--id", "--store", f"{scheme}://127.0.0.1:{port}/0")
    assert done.code == 2 and "See that the server runs" in done.err


@pytest.mark.parametrize("missing, address, extra", [
    ("redis", "redis://127.0.0.1/0", "redis"), ("sqlalchemy", "sqlite+aiosqlite:///x.db", "sqlalchemy"),
    ("aiosqlite", "sqlite+aiosqlite:///x.db", "sqlalchemy"), ("asyncpg", "postgresql+asyncpg://a@b/c", "sqlalchemy")])
def test_what_is_not_installed_is_named(tmp_path, missing, address, extra):
    (tmp_path / "x.db").touch()
    script = f"import sys; sys.modules[{missing!r}] = None; from dotlatch.server.cli.main import main; sys.exit(main())"
    done = run(tmp_path, "sessions", "list", "anna", "--id", "--store", address, command=[sys.executable, "-c", script])
    assert (done.code, done.out) == (2, "")
    assert f"{missing} is not installed: pip install 'dotlatch[{extra}]'" in done.err


@pytest.mark.parametrize("session_id", ["x", "../../etc/passwd", "A" * 23])
def test_what_is_no_id_is_not_looked_for(tmp_path, session_id):
    done = run(tmp_path, "sessions", "end", "anna", "--id", "--store", ".", "--session", session_id)
    assert done.code == 2 and re.search("the id of a session is 22 characters", done.err)
