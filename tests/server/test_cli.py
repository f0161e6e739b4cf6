"""The command line: what it does, what it refuses, and that no password comes in or goes out by a wrong way."""

import asyncio
import os
import re
import subprocess
import sys

import pytest
import tomllib

from dotlatch.apikeys import FileKeys
from dotlatch.keyauth import APIKeyAuth
from dotlatch.passwords import verify_password
from dotlatch.users import FileUsers
from tests.harness.interpreters import ROOT
from tests.server import commands
from tests.server.commands import run
from tests.server.test_demo import Terminal

PASSWORD = "seven green bottles"
OTHER_PASSWORD = "nine loud kettles boil"
WEAK_PASSWORD = "kettle77zq"
CHEAP = ("--iterations", "1000")


def add(folder, name="anna", *arguments, password=PASSWORD):
    return run(folder, "user", "add", name, *CHEAP, *arguments, given=password)


def opens(folder, name, password):
    users = FileUsers(str(folder / "users.json"))
    return asyncio.run(users.authenticate(name, password)) is not None


def mode(path):
    return oct(path.stat().st_mode & 0o777)


def contents(folder):
    """What there is but locks, which a command may leave."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".lock"}


@pytest.fixture
def terminal(tmp_path):
    opened = []

    def start(*arguments):
        opened.append(Terminal([*commands.COMMAND, *arguments], tmp_path, commands.environment()))
        return opened[-1]
    yield start
    for one in opened:
        one.close()


def exit_code(terminal):
    return terminal._process.wait(commands.SECONDS)


# --- secret -----------------------------------------------------------------------------------------

def test_secret_is_32_new_bytes_each_time(tmp_path):
    keys = {run(tmp_path, "secret").out for _ in range(3)}
    assert len(keys) == 3
    assert all(re.fullmatch(r"[0-9a-f]{64}\n", key) for key in keys)
    assert len(run(tmp_path, "secret", "--json").json["secret"]) == 64


def test_secret_goes_to_a_file_of_the_owner_alone_and_is_not_shown(tmp_path):
    done = run(tmp_path, "secret", "--file", "secret.key", "--json")
    key = (tmp_path / "secret.key").read_text()
    assert done.json == {"file": "secret.key"}
    assert re.fullmatch(r"[0-9a-f]{64}", key)
    assert mode(tmp_path / "secret.key") == "0o600"
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]


@pytest.mark.parametrize("kept", [b"the key that is in use", b""])
def test_secret_never_replaces_a_key(tmp_path, kept):
    (tmp_path / "secret.key").write_bytes(kept)
    done = run(tmp_path, "secret", "--file", "secret.key")
    assert (done.code, done.out) == (1, "")
    assert "secret.key is there already" in done.err
    assert contents(tmp_path) == {"secret.key": kept}


def test_of_many_that_make_one_key_one_does(tmp_path):
    started = [commands.begin(tmp_path, "secret", "--file", "secret.key") for _ in range(6)]
    codes = [commands.end(process).code for process in started]
    assert sorted(codes) == [0, 1, 1, 1, 1, 1]
    assert len((tmp_path / "secret.key").read_bytes()) == 64
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]


# --- hash, verify -----------------------------------------------------------------------------------

def test_a_hash_opens_for_its_password(tmp_path):
    done = run(tmp_path, "hash", *CHEAP, given=PASSWORD + "\n", shows_secret=True)
    assert done.out.startswith("pbkdf2_sha256$1000$")
    assert asyncio.run(verify_password(PASSWORD, done.out.strip()))
    assert run(tmp_path, "verify", done.out.strip(), given=PASSWORD).out == "right\n"
    wrong = run(tmp_path, "verify", done.out.strip(), given=OTHER_PASSWORD)
    assert (wrong.code, wrong.out) == (1, "wrong\n")


def test_a_hash_costs_what_a_server_should_have(tmp_path):
    done = run(tmp_path, "hash", "--json", given=PASSWORD, shows_secret=True)
    assert done.json["hash"].startswith("pbkdf2_sha256$600000$")


def test_a_hash_may_be_in_a_file(tmp_path):
    (tmp_path / "hash").write_text(run(tmp_path, "hash", *CHEAP, given=PASSWORD, shows_secret=True).out)
    right = run(tmp_path, "verify", "--hash-file", "hash", "--json", given=PASSWORD)
    wrong = run(tmp_path, "verify", "--hash-file", "hash", "--json", given=OTHER_PASSWORD)
    assert (right.code, right.json) == (0, {"right": True, "needs_rehash": True})
    assert (wrong.code, wrong.json) == (1, {"right": False, "needs_rehash": True})


def test_a_file_with_a_hash_may_begin_with_the_mark_of_an_editor(tmp_path):
    hashed = run(tmp_path, "hash", *CHEAP, given=PASSWORD, shows_secret=True).out
    (tmp_path / "hash").write_text("\ufeff" + hashed)
    assert run(tmp_path, "verify", "--hash-file", "hash", given=PASSWORD).out == "right\n"


def test_hashes_of_other_programs_are_read(tmp_path):
    from werkzeug.security import generate_password_hash
    hashed = generate_password_hash(PASSWORD, "pbkdf2:sha256:1000")
    assert run(tmp_path, "verify", hashed, given=PASSWORD).out == "right\n"


@pytest.mark.parametrize("arguments, said", [
    ((), "give one hash"),
    (("a$b", "--hash-file", "x"), "give one hash"),
    (("pbkdf2_sha256.gQx=",), "single quotes"),
    (("--hash-file", "not-there"), "not-there: No such file"),
])
def test_what_is_no_hash_is_trouble_and_no_wrong_password(tmp_path, arguments, said):
    done = run(tmp_path, "verify", *arguments, given=PASSWORD)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


# --- passwords --------------------------------------------------------------------------------------

@pytest.mark.parametrize("given, password", [
    (PASSWORD, PASSWORD),
    (PASSWORD + "\n", PASSWORD),
    (PASSWORD + "\r\n", PASSWORD),
    (" " + PASSWORD + " \n", " " + PASSWORD + " "),
    ("grüner Löwe im Garten\n", "grüner Löwe im Garten"),
    ("\ufeff" + PASSWORD + "\r\n", PASSWORD),  # of an editor that marks its files
    ("x" * 4096 + "\n", "x" * 4096),
])
def test_a_password_is_the_line_of_standard_input(tmp_path, given, password):
    hashed = run(tmp_path, "hash", *CHEAP, given=given, shows_secret=True).out.strip()
    assert asyncio.run(verify_password(password, hashed))


@pytest.mark.parametrize("given, said", [
    ("", "no password was given"),
    ("\n", "no password was given"),
    (PASSWORD + "\nmore", "more than one line"),
    (PASSWORD + "\n\n", "more than one line"),
    (b"caf\xe9 caf\xe9 caf\xe9 caf\xe9", "not UTF-8"),
    ("x" * 4097, "at most 4096 bytes"),
    (PASSWORD + "\0", "NUL"),
])
def test_what_is_no_password_is_refused(tmp_path, given, said):
    for arguments in (("hash",), ("user", "add", "anna")):
        done = run(tmp_path, *arguments, given=given)
        assert (done.code, done.out) == (2, "")
        assert said in done.err
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("arguments", [
    ("hash", PASSWORD), ("hash", "--password", PASSWORD), ("hash", "--password=" + PASSWORD),
    ("hash", "--json=" + PASSWORD), ("hash", "--iterations", PASSWORD), ("verify", "a$b", PASSWORD),
    ("user", "add", "anna", PASSWORD), ("user", "passwd", "anna", PASSWORD), ("user", PASSWORD), (PASSWORD,),
    ("keys", "add", "anna", "pump", "--days", PASSWORD),
])
def test_a_password_among_the_arguments_is_refused_and_not_repeated(tmp_path, arguments):
    done = run(tmp_path, *arguments, given=OTHER_PASSWORD)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("usage: dotlatch")
    assert PASSWORD not in done.err
    assert contents(tmp_path) == {}


def test_a_terminal_asks_twice_and_shows_nothing(tmp_path, terminal):
    one = terminal("user", "add", "anna", *CHEAP)
    one.wait_for("New password: ")
    one.type(PASSWORD)
    one.wait_for("Once more: ")
    assert not (tmp_path / "users.json").exists()
    one.type(PASSWORD)
    one.wait_for("anna is added to users.json")
    assert exit_code(one) == 0
    assert PASSWORD not in one.shown
    assert opens(tmp_path, "anna", PASSWORD)


def test_on_a_terminal_two_that_differ_change_nothing(tmp_path, terminal):
    one = terminal("user", "add", "anna", *CHEAP)
    one.wait_for("New password: ")
    one.type(PASSWORD)
    one.wait_for("Once more: ")
    one.type(OTHER_PASSWORD)
    one.wait_for("these two differ: nothing was changed")
    assert exit_code(one) == 1
    assert contents(tmp_path) == {}


def test_on_a_terminal_a_weak_password_is_not_asked_for_again(tmp_path, terminal):
    one = terminal("user", "add", "anna")
    one.wait_for("New password: ")
    one.type(WEAK_PASSWORD)
    one.wait_for("use at least 15 characters")
    assert exit_code(one) == 1
    assert "Once more" not in one.shown and WEAK_PASSWORD not in one.shown


def test_ctrl_c_at_the_question_leaves_nothing(tmp_path, terminal):
    one = terminal("user", "add", "anna")
    one.wait_for("New password: ")
    one.press("\x03")
    one.wait_for("stopped")
    assert exit_code(one) == 130
    assert contents(tmp_path) == {} and "Traceback" not in one.shown


def test_verify_asks_once(tmp_path, terminal):
    hashed = run(tmp_path, "hash", *CHEAP, given=PASSWORD, shows_secret=True).out
    (tmp_path / "hash").write_text(hashed)
    one = terminal("verify", "--hash-file", "hash")
    one.wait_for("Password: ")
    one.type(PASSWORD)
    one.wait_for("right")
    assert exit_code(one) == 0


# --- user -------------------------------------------------------------------------------------------

def test_a_user_who_is_added_can_log_in(tmp_path):
    done = add(tmp_path, "anna", "--scopes", "read, write", "--json")
    user = FileUsers(str(tmp_path / "users.json")).get_by_name("anna")
    assert done.json == {"name": "anna", "id": user.id, "scopes": ["read", "write"], "is_active": True,
                         "second_factor": False}
    assert opens(tmp_path, "anna", PASSWORD) and not opens(tmp_path, "anna", OTHER_PASSWORD)
    assert mode(tmp_path / "users.json") == mode(tmp_path / "users.json.copy") == "0o600"


@pytest.mark.parametrize("name, password, said", [
    ("Anna", PASSWORD, "that name is taken"),
    ("ben", WEAK_PASSWORD, "at least 15 characters"),
    ("ben", "correct horse battery staple", "one of the first that anybody would try"),
    ("benjamin franklin", "benjamin franklin", "a name that others know"),
    ("", PASSWORD, "1 to 64 characters"),
    ("b\x1ben", PASSWORD, "no control characters"),
    (b"b\xe9n", PASSWORD, "no half of a character"),
])
def test_add_refuses_what_the_app_would(tmp_path, name, password, said):
    add(tmp_path)
    before = contents(tmp_path)
    name = os.fsdecode(name)
    done = add(tmp_path, name, password=password)
    assert (done.code, done.out) == (1, "")
    assert said in done.err
    assert contents(tmp_path) == before


def test_weak_takes_any_password(tmp_path):
    assert add(tmp_path, "anna", "--weak", password=WEAK_PASSWORD).code == 0
    assert opens(tmp_path, "anna", WEAK_PASSWORD)


def test_no_more_users_than_there_may_be(tmp_path):
    assert add(tmp_path, "anna", "--max-users", "1").code == 0
    done = add(tmp_path, "ben", "--max-users", "1")
    assert done.code == 1 and "there are 1 users already" in done.err


def test_of_users_who_are_added_at_once_none_is_lost(tmp_path):
    names = ["anna", "ben", "carl", "dora", "emil", "frida"]
    started = [commands.begin(tmp_path, "user", "add", name, *CHEAP) for name in names]
    assert [commands.end(process, PASSWORD).code for process in started] == [0] * 6
    assert [user["name"] for user in run(tmp_path, "user", "list", "--json").json["users"]] == names


def test_of_those_who_add_one_name_at_once_one_does(tmp_path):
    started = [commands.begin(tmp_path, "user", "add", "anna", *CHEAP) for _ in range(6)]
    endings = [commands.end(process, PASSWORD) for process in started]
    assert sorted(done.code for done in endings) == [0, 1, 1, 1, 1, 1]
    assert {done.err for done in endings} == {"", "dotlatch: that name is taken\n"}
    assert len(run(tmp_path, "user", "list", "--json").json["users"]) == 1


def test_an_app_that_runs_sees_each_change(tmp_path):
    add(tmp_path, "anna", "--scopes", "read")
    users = FileUsers(str(tmp_path / "users.json"))
    anna = users.get_by_name("anna")
    versions = [anna.session_version]
    assert run(tmp_path, "user", "disable", "ANNA").out == "anna is disabled\n"
    assert users.get_by_id(anna.id).is_active is False
    versions.append(anna.session_version)
    assert run(tmp_path, "user", "enable", "anna", "--json").json["is_active"] is True
    assert users.get_by_id(anna.id).is_active is True
    assert run(tmp_path, "user", "logout", "anna").code == 0
    versions.append(users.get_by_id(anna.id).session_version)
    assert run(tmp_path, "user", "scopes", "anna", "read,write").code == 0
    assert users.get_by_id(anna.id).scopes == ["read", "write"]
    assert run(tmp_path, "user", "passwd", "anna", *CHEAP, given=OTHER_PASSWORD).code == 0
    assert asyncio.run(users.authenticate("anna", OTHER_PASSWORD)) is anna
    assert asyncio.run(users.authenticate("anna", PASSWORD)) is None
    assert run(tmp_path, "user", "remove", "anna").out == "anna is removed\n"
    assert users.get_by_id(anna.id) is None
    assert versions == [0, 1, 2]


def test_passwd_refuses_a_weak_one_and_keeps_the_old(tmp_path):
    add(tmp_path)
    done = run(tmp_path, "user", "passwd", "anna", given=WEAK_PASSWORD)
    assert done.code == 1 and "at least 15 characters" in done.err
    assert opens(tmp_path, "anna", PASSWORD)
    assert run(tmp_path, "user", "passwd", "anna", "--weak", *CHEAP, given=WEAK_PASSWORD).code == 0
    assert opens(tmp_path, "anna", WEAK_PASSWORD)


def test_a_realm_keeps_what_digest_goes_by(tmp_path):
    from dotlatch.digest import DigestAuth
    add(tmp_path, "anna", "--realm", "Greenhouse")
    users = FileUsers(str(tmp_path / "users.json"))
    assert users.get_by_name("anna").digest_ha1 == DigestAuth(realm="Greenhouse").make_ha1("anna", PASSWORD)


@pytest.mark.parametrize("realm", [b"\xff", "Gewächshaus".encode(), b"a\nb"])
def test_a_realm_that_cannot_be_is_refused_before_anybody_types_a_password(tmp_path, realm):
    done = run(tmp_path, "user", "add", "anna", "--realm", os.fsdecode(realm))
    assert done.code == 2 and "a realm is printable ASCII" in done.err and contents(tmp_path) == {}


@pytest.mark.parametrize("verb", ["passwd", "disable", "enable", "logout", "remove", "scopes"])
def test_a_user_who_is_not_there_is_a_no(tmp_path, verb):
    add(tmp_path)
    done = run(tmp_path, "user", verb, "ben", *(["read"] if verb == "scopes" else []), given=PASSWORD)
    assert (done.code, done.out) == (1, "")
    assert done.err == "dotlatch: there is no user ben in users.json\n"


def test_the_list_shows_who_there_is_and_no_secret(tmp_path):
    add(tmp_path, "ben")
    add(tmp_path, "anna", "--scopes", "read,write")
    run(tmp_path, "user", "disable", "ben")
    head, anna, ben = run(tmp_path, "user", "list").out.splitlines()
    assert head.split() == ["NAME", "ID", "ACTIVE", "SECOND", "FACTOR", "SCOPES"]
    assert [*anna.split()[:1], *anna.split()[2:]] == ["anna", "yes", "no", "read,write"]
    assert [*ben.split()[:1], *ben.split()[2:]] == ["ben", "no", "no", "-"]
    assert set(run(tmp_path, "user", "list", "--json").json["users"][0]) == {
        "name", "id", "scopes", "is_active", "second_factor"}


@pytest.mark.parametrize("arguments", [
    ("user", "list"), ("user", "passwd", "anna"), ("user", "remove", "anna"), ("keys", "list"), ("keys", "revoke", "x"),
    ("keys", "add", "anna", "pump"), ("sessions", "list", "anna", "--store", "sessions"),
    ("sessions", "list", "1", "--number", "--store", "sessions")])
def test_a_file_that_is_not_there_is_trouble_and_is_not_made(tmp_path, arguments):
    done = run(tmp_path, *arguments, given=PASSWORD)
    assert (done.code, done.out) == (2, "")
    where = r"there is no (users|keys)\.json: name the file with --(users|keys)|sessions: No such file"
    assert re.search(where, done.err)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [
    ("user", "add", "ben"), ("user", "list"), ("keys", "add", "anna", "pump", "--id"), ("keys", "list")])
def test_a_damaged_file_is_left_as_it_is(tmp_path, arguments):
    damaged = {f"{name}.json{end}": b"not these" for name in ("users", "keys") for end in ("", ".copy")}
    for name, text in damaged.items():
        (tmp_path / name).write_bytes(text)
    done = run(tmp_path, *arguments, given=PASSWORD)
    assert (done.code, done.out) == (2, "")
    assert "put a copy back, or move it away" in done.err
    assert contents(tmp_path) == damaged


@pytest.mark.parametrize("arguments", [
    ("user", "disable", "anna"), ("keys", "list"), ("sessions", "list", "1", "--id", "--store", "sessions")])
def test_another_users_files_are_not_touched(tmp_path, arguments):
    add(tmp_path)
    run(tmp_path, "keys", "add", "anna", "pump", shows_secret=True)
    (tmp_path / "sessions").mkdir()
    (tmp_path / "sessions" / ".lock").touch()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    somebody_else = ("import os, sys; os.geteuid = lambda: 54321; from dotlatch.server.cli.main import main; "
                     "sys.exit(main())")
    done = run(tmp_path, *arguments, command=[sys.executable, "-c", somebody_else])
    assert done.code == 2 and "run this as that user, with sudo -u" in done.err
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_link_is_followed_and_who_opened_the_file_itself_sees_the_change(tmp_path):
    add(tmp_path)
    users = FileUsers(str(tmp_path / "users.json"))
    for name, to in (("link.json", "users.json"), ("keys.json", "real.json")):
        (tmp_path / name).symlink_to(to)
    assert run(tmp_path, "user", "disable", "anna", "--users", "link.json").code == 0
    assert run(tmp_path, "user", "add", "ben", "--users", "link.json", given=PASSWORD).code == 0
    assert run(tmp_path, "keys", "add", "7", "pump", "--id", shows_secret=True).code == 0
    assert not users.get_by_name("anna").is_active and users.get_by_name("ben")
    assert [key.name for key in FileKeys(str(tmp_path / "real.json"))] == ["pump"]
    assert {path.name for path in tmp_path.iterdir() if path.is_symlink()} == {"link.json", "keys.json"}
    made = [name + end for name in ("real.json", "users.json") for end in ("", ".copy", ".lock")]
    assert sorted(os.listdir(tmp_path)) == sorted(["keys.json", "link.json", *made])


def test_root_follows_no_link_of_somebody_else(tmp_path):
    add(tmp_path)
    root = ("import os, sys; os.geteuid = lambda: 0; from dotlatch.server.cli.main import main; sys.exit(main())")
    for name, to in (("link.json", "users.json"), ("nowhere.json", "new.json")):
        (tmp_path / name).symlink_to(to)
        if os.geteuid() == 0:
            os.lchown(tmp_path / name, 54321, -1)
    before = sorted(os.listdir(tmp_path)), (tmp_path / "users.json").read_bytes()
    for arguments in (("user", "disable", "anna", "--users", "link.json"),
                      ("user", "add", "ben", "--users", "nowhere.json"),
                      ("keys", "add", "7", "pump", "--id", "--keys", "nowhere.json")):
        done = run(tmp_path, *arguments, given=PASSWORD, command=[sys.executable, "-c", root])
        assert done.code == 2 and "is a link that somebody else has made" in done.err
    assert (sorted(os.listdir(tmp_path)), (tmp_path / "users.json").read_bytes()) == before


def test_links_in_a_circle_are_trouble(tmp_path):
    (tmp_path / "users.json").symlink_to("other.json")
    (tmp_path / "other.json").symlink_to("users.json")
    for arguments in (("user", "add", "ben"), ("user", "list")):
        done = run(tmp_path, *arguments, given=PASSWORD)
        assert (done.code, done.out) == (2, "") and "users.json" in done.err


def test_root_makes_no_file_in_the_folder_of_somebody_else(tmp_path):
    if os.geteuid() == 0:
        os.chown(tmp_path, 54321, -1)
    root = ("import os, sys; os.geteuid = lambda: 0; from dotlatch.server.cli.main import main; sys.exit(main())")
    for arguments in (("user", "add", "anna"), ("keys", "add", "7", "pump", "--id"),
                      ("user", "add", "anna", "--users", "sqlite+aiosqlite:///app.db", "--create")):
        done = run(tmp_path, *arguments, given=PASSWORD, command=[sys.executable, "-c", root])
        assert done.code == 2 and "run this as that user, with sudo -u" in done.err
    assert list(tmp_path.iterdir()) == []


def test_a_session_that_ends_in_this_moment_is_no_trouble(tmp_path):
    (tmp_path / "sessions").mkdir()
    (tmp_path / "sessions" / ".lock").touch()
    script = ("import os, sys; names = os.listdir; os.listdir = lambda path: [*names(path), 'x' * 22]; "
              "from dotlatch.server.cli.main import main; sys.exit(main())")
    done = run(tmp_path, "sessions", "list", "7", "--id", "--store", "sessions", "--json",
               command=[sys.executable, "-c", script])
    assert (done.code, done.json) == (0, {"sessions": []})


# --- keys -------------------------------------------------------------------------------------------



def test_a_key_is_shown_once_and_opens(tmp_path):
    add(tmp_path)
    done = run(tmp_path, "keys", "add", "anna", "Weather display", "--scopes", "read", "--days", "30", "--prefix",
               "greenhouse", "--json", shows_secret=True)
    made = done.json
    assert re.fullmatch(r"greenhouse_[0-9a-zA-Z]{12}_[0-9a-zA-Z]{32}", made["key"])
    assert asyncio.run(_owner_by_key(tmp_path, made["key"])) == made["user_id"]
    assert made["user_id"] == FileUsers(str(tmp_path / "users.json")).get_by_name("anna").id
    (listed,) = run(tmp_path, "keys", "list", "--json").json["keys"]
    assert listed["expires"] == made["expires"] == pytest.approx(listed["created"] + 30 * 24 * 3600, abs=5)
    assert (listed["id"], listed["scopes"], listed["is_expired"]) == (made["id"], ["read"], False)
    assert set(listed) == {"name", "id", "user_id", "scopes", "created", "last_used", "expires", "is_expired"}
    assert mode(tmp_path / "keys.json") == "0o600"


async def _owner_by_key(folder, text):
    """Who an app takes for the one who shows the key; None for nobody."""
    from microdot import Microdot
    from microdot.test_client import TestClient
    app, auth = Microdot(), APIKeyAuth(FileKeys(str(folder / "keys.json"), prefix="greenhouse"))

    @auth.user_loader
    async def load_user(user_id):
        return {"id": user_id, "scopes": ["read"]}

    @app.get("/")
    @auth
    async def index(request):
        return {"id": request.g.current_user["id"]}

    answer = await TestClient(app).get("/", headers={"X-API-Key": text})
    return answer.json["id"] if answer.status_code == 200 else None


def test_a_revoked_key_opens_nothing(tmp_path):
    made = ("keys", "add", "7", "pump", "--number", "--prefix", "greenhouse")
    text = run(tmp_path, *made, shows_secret=True).out.strip()
    assert asyncio.run(_owner_by_key(tmp_path, text)) == 7
    key_id = text.split("_")[1]
    assert run(tmp_path, "keys", "revoke", key_id, "--json").json == {"id": key_id, "revoked": True}
    assert asyncio.run(_owner_by_key(tmp_path, text)) is None
    again = run(tmp_path, "keys", "revoke", key_id)
    assert (again.code, again.out) == (1, "")
    assert "there is no key of that id in keys.json" in again.err


def test_an_id_needs_no_users_file(tmp_path):
    made = run(tmp_path, "keys", "add", "7", "pump", "--id", "--json", shows_secret=True).json
    assert made["user_id"] == "7"
    assert run(tmp_path, "keys", "list").out.splitlines()[1].split()[:3] == ["pump", made["id"], "7"]


@pytest.mark.parametrize("arguments, code, said", [
    (("7", "x" * 65, "--id"), 1, "1 to 64 characters"),
    *[((odd, "pump", "--number"), 2, "USER is a number") for odd in ("seven", "1_0", " 7 ", "07", "+7", "٣", "9" * 20)],
    (("7", "pump", "--id", "--prefix", "x"), 2, "a prefix is 2 to 16 letters"),
    (("7", "pump", "--id", "--scopes", "read,,write"), 2, "words with a comma"),
    (("7", "pump", "--id", "--days", "0"), 2, "a number from 1"),
    (("7", "pump", "--id", "--number"), 2, "not allowed with"),
    (("nobody", "pump"), 1, "there is no user nobody in users.json"),
])
def test_keys_that_cannot_be_are_not_made(tmp_path, arguments, code, said):
    add(tmp_path)
    done = run(tmp_path, "keys", "add", *arguments)
    assert (done.code, done.out) == (code, "")
    assert said in done.err
    assert not (tmp_path / "keys.json").exists()


def test_there_are_no_more_keys_than_there_may_be(tmp_path):
    assert run(tmp_path, "keys", "add", "7", "a", "--id", "--max-keys", "1", shows_secret=True).code == 0
    done = run(tmp_path, "keys", "add", "7", "b", "--id", "--max-keys", "1")
    assert done.code == 1 and "revoke one first" in done.err


def test_a_whole_key_is_no_id_and_is_not_repeated(tmp_path):
    text = run(tmp_path, "keys", "add", "7", "pump", "--id", shows_secret=True).out.strip()
    done = run(tmp_path, "keys", "revoke", text)
    assert done.code == 2 and "give its middle part alone" in done.err and text not in done.err
    assert len(run(tmp_path, "keys", "list", "--json").json["keys"]) == 1


def test_a_key_that_could_not_be_shown_is_not_kept(tmp_path):
    full = os.open("/dev/full", os.O_WRONLY)  # a number: a file with a name is read, and this has no end
    done = run(tmp_path, "keys", "add", "7", "pump", "--id", stdout=full)
    os.close(full)
    assert done.code == 2 and "so what was made is gone again" in done.err
    assert run(tmp_path, "keys", "list", "--json").json["keys"] == []
    nowhere = ["sh", "-c", 'exec "$@" >&-', "sh", *commands.COMMAND]
    assert run(tmp_path, "keys", "add", "7", "pump", "--id", command=nowhere).code == 2
    assert run(tmp_path, "keys", "list", "--json").json["keys"] == []


def test_of_keys_that_are_made_at_once_none_is_lost(tmp_path):
    started = [commands.begin(tmp_path, "keys", "add", "7", str(i), "--id") for i in range(6)]
    assert [commands.end(process, shows_secret=True).code for process in started] == [0] * 6
    assert [key["name"] for key in run(tmp_path, "keys", "list", "--json").json["keys"]] == list("012345")


# --- the whole --------------------------------------------------------------------------------------

@pytest.mark.parametrize("arguments", [(), ("user",), ("keys",), ("sessions",), ("secrets",), ("user", "list", "--jso"),
                                       ("hash", "--iterations", "999"), ("hash", "--iterations", "10000001")])
def test_wrong_usage_says_what_is_right(tmp_path, arguments):
    done = run(tmp_path, *arguments, given=PASSWORD)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("usage: dotlatch")


@pytest.mark.parametrize("arguments", [
    ("user", "scopes", "anna", "\udcff"), ("keys", "add", "anna", "pump", "--scopes", "\udcff"),
    ("keys", "add", "\udcff", "pump", "--id"), ("sessions", "list", "\udcff", "--id", "--store", "."),
    ("user", "list", "--users-table", ""), ("keys", "list", "--keys-table", ""),
    ("sessions", "end", "anna", "--store", ".", "--table", "")])
def test_what_is_no_text_is_wrong_usage(tmp_path, arguments):
    done = run(tmp_path, *arguments)
    assert (done.code, done.out) == (2, "") and done.err.startswith("usage: dotlatch " + arguments[0])
    assert ": text in UTF-8\n" in done.err or ": a name\n" in done.err


def test_help_names_every_command(tmp_path):
    for arguments, names in (((), ("secret", "hash", "verify", "user", "sessions", "keys")),
                             (("user",), ("add", "passwd", "scopes", "disable", "enable", "logout", "remove", "list")),
                             (("keys",), ("add", "revoke", "list")), (("sessions",), ("list", "end"))):
        done = run(tmp_path, *arguments, "--help")
        assert done.code == 0
        assert all(re.search(rf"^    {name} ", done.out, re.M) for name in names)


def test_the_installed_command_is_this_one(tmp_path):
    module, name = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["dotlatch"].split(":")
    script = f"import sys; from {module} import {name}; sys.exit({name}())"  # what installers write
    done = run(tmp_path, "user", "list", command=[sys.executable, "-c", script])
    assert done.code == 2 and done.err.startswith("dotlatch: there is no users.json")


def test_what_is_asked_for_alone_is_imported(tmp_path):
    script = ("import sys; from dotlatch.server.cli.main import main; main(['secret', '--file', 'x']); "
              "others = {'redis', 'sqlalchemy', 'asyncpg', 'aiosqlite', 'dotlatch.digest', 'dotlatch.strength', "
              "'dotlatch.server.board', 'dotlatch.server.cli.users', 'dotlatch.server.cli.deploy'}; "
              "print(sorted(others & set(sys.modules)))")
    done = run(tmp_path, command=[sys.executable, "-c", script])
    assert done.out.splitlines()[-1] == "[]"


def test_an_answer_that_nobody_reads_is_no_traceback(tmp_path):
    add(tmp_path)
    reader, writer = os.pipe()
    os.close(reader)
    process = commands.begin(tmp_path, "user", "list", stdout=writer)
    os.close(writer)
    assert commands.end(process).code == 2


def test_an_error_that_nobody_reads_keeps_its_exit_code_and_out_of_the_answer(tmp_path):
    for where in (">&-", ">/dev/full"):
        deaf = ["sh", "-c", f'exec "$@" 2{where}', "sh", *commands.COMMAND]
        done = run(tmp_path, "user", "list", command=deaf)
        assert (done.code, done.out) == (2, ""), where


def test_a_program_of_the_apps_own_that_fails_is_no_no(tmp_path):
    (tmp_path / "shop.py").write_text("class users:\n    def get_by_name(name): 1 / 0\n    disable = None\n")
    process = commands.begin(tmp_path, "user", "disable", "anna", "--users", "shop:users")
    out, err = process.communicate(timeout=commands.SECONDS)
    assert (process.returncode, out) == (2, b"") and b"ZeroDivisionError" in err


def test_no_answer_tells_the_terminal_what_to_do(tmp_path):
    add(tmp_path)
    done = run(tmp_path, "user", "scopes", "anna", "read\x1b[31m,\u202ewrite")
    assert done.out == "anna may: read?[31m, ?write\n"


def test_it_works_where_there_is_nothing_of_posix(tmp_path):
    windows = [sys.executable, str(ROOT / "tests" / "server" / "without_posix.py")]
    names = ["anna", "ben", "carl"]
    started = [commands.begin(tmp_path, "user", "add", name, *CHEAP, command=windows) for name in names]
    assert [commands.end(process, PASSWORD).code for process in started] == [0] * 3
    assert [user["name"] for user in run(tmp_path, "user", "list", "--json").json["users"]] == names
    assert run(tmp_path, "secret", "--file", "secret.key", command=windows).code == 0
    assert run(tmp_path, "secret", "--file", "secret.key", command=windows).code == 1
    hashed = run(tmp_path, "hash", *CHEAP, given=PASSWORD, command=windows, shows_secret=True).out
    assert asyncio.run(verify_password(PASSWORD, hashed.strip()))
    assert run(tmp_path, "keys", "add", "7", "pump", "--id", command=windows, shows_secret=True).code == 0
    for command in ("board", "deploy"):
        assert run(tmp_path, command, "--help", command=windows).code == 0
    assert {path.name for path in tmp_path.iterdir()} == {
        "secret.key", *[name + end for name in ("users.json", "keys.json") for end in ("", ".copy", ".lock")]}


def test_a_name_that_the_terminal_has_no_letters_for_is_shown_by_their_numbers(tmp_path):
    add(tmp_path, "grün")
    done = run(tmp_path, "user", "list", PYTHONIOENCODING="ascii")
    assert done.code == 0 and "gr\\xfcn" in done.out
    assert run(tmp_path, "user", "list", "--json", PYTHONIOENCODING="ascii").json["users"][0]["name"] == "grün"


def test_standard_input_that_is_closed_is_no_traceback(tmp_path):
    closed = ["sh", "-c", 'exec "$@" <&-', "sh", *commands.COMMAND]
    done = run(tmp_path, "hash", command=closed, stdout=subprocess.PIPE)
    assert done.code == 2 and "no password was given" in done.err
