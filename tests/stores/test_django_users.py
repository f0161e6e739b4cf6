"""Django's users, in its own table: what a real Django makes of what is written here, and the other way round."""

import asyncio
import time

import pytest
from microdot import Microdot
from sqlalchemy import Boolean, Column, Integer, MetaData, String, Table, Uuid, text

from dotlatch import passwords
from dotlatch.events import Events
from dotlatch.identity import user_id
from dotlatch.login import Login
from dotlatch.loginpages import LoginPages
from dotlatch.server import django_users as module
from dotlatch.server.django import DjangoUsers, permissions_of, users_table
from dotlatch.server.django_hashers import hasher_named
from dotlatch.server.django_tables import Moment
from dotlatch.server.errors import StoreUnavailable
from dotlatch.session import Session
from dotlatch.throttle import Throttle
from tests.stores.django_project import Browser, Project, Worker, new_name
from tests.stores.kinds import PATIENCE
from tests.stores.users import ANOTHER, DATABASES, PASSWORD

both = pytest.mark.parametrize("stores", DATABASES, indirect=True)
sqlite = pytest.mark.parametrize("stores", ["sqlite"], indirect=True)
HASHERS = ("PBKDF2", "Argon2", "BCryptSHA256", "Scrypt", "PBKDF2SHA1")
ALL_HASHERS = [f"django.contrib.auth.hashers.{name}PasswordHasher" for name in HASHERS]


async def error_of(awaitable):
    try:
        await awaitable
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


# --- logging in ---------------------------------------------------------------------------------------

@both
async def test_a_user_of_djangos_is_let_in_by_the_password_and_by_no_other(project):
    users, anna = project.users(), project.add(email="anna@example.com", first_name="Änne")
    user = await users.authenticate(anna, PASSWORD)
    assert (user.name, user.email, user.first_name, user.last_login) == (anna, "anna@example.com", "Änne", None)
    assert str(user_id(user)) == project.ask("user", anna)["id"]
    for wrong in (ANOTHER, "", PASSWORD + " ", PASSWORD + "\0", "x" * 20000, None, 5):
        assert await users.authenticate(anna, wrong) is None


@both
async def test_nobody_else_is_let_in(project):
    users, shut, unusable = project.users(), project.add(is_active=False), project.add(password=None)
    for name in (shut, unusable, "nobody", "", "\0", "x" * 300, "\ud800", None, 5, "' OR 1=1 --"):
        assert await users.authenticate(name, PASSWORD) is None, name
    unusable_hash = project.ask("user", unusable)["password"]
    assert unusable_hash.startswith("!")
    assert await users.authenticate(unusable, unusable_hash) is None


@both
@pytest.mark.parametrize("change", ["is_active", "password"])
async def test_what_changes_while_a_password_is_hashed_counts(project, monkeypatch, change):
    users, anna = project.users(), project.add()
    other = await passwords.hash_password(ANOTHER, 1000)
    verify = passwords.verify_password

    async def slowly(password, hashed):
        verdict = await verify(password, hashed)
        project.ask("change_user", anna, {"is_active": False} if change == "is_active" else {"password": other})
        return verdict

    monkeypatch.setattr(passwords, "verify_password", slowly)
    assert await users.authenticate(anna, PASSWORD) is None


@both
async def test_an_account_without_a_password_is_opened_by_none(project):
    users, name = project.users(), new_name()
    made = await users.create(name, None)
    hashed = project.ask("user", name)["password"]
    assert hashed.startswith("!") and len(hashed) > 20
    for attempt in ("", hashed, hashed[1:], "None", PASSWORD):
        assert await users.authenticate(name, attempt) is None
    await users.set_password(made, PASSWORD)
    assert project.ask("log_in_as", name, PASSWORD) == str(made.id)


@both
async def test_P3_who_is_not_there_costs_what_a_wrong_password_costs(project, monkeypatch):
    costs = []
    derive = passwords.pbkdf2_hmac_sha256

    async def counted(secret, salt, iterations, dklen=32):
        costs.append(iterations)
        return await derive(secret, salt, iterations, dklen)

    users = project.users()
    names = [project.add(), project.add(is_active=False), project.add(password=None), "nobody"]
    monkeypatch.setattr(passwords, "pbkdf2_hmac_sha256", counted)
    for name in names:
        await users.authenticate(name, ANOTHER)
    assert costs == [1000] * 4


@sqlite
@pytest.mark.parametrize("hashed", [
    "md5$abc$0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef", "sha1$$" + "0" * 40, "", "junk",
    "!pbkdf2_sha256$1000$c2FsdHNhbHQ$" + "A" * 43 + "=", "argon2$argon2id$v=19$m=99999999,t=2,p=8$YWJjYWJjYWI$YWJj",
    "pbkdf2_sha256$99999999$c2FsdHNhbHQ$" + "A" * 43 + "=", "bcrypt$$2b$31$" + "a" * 53])
async def test_P3_a_hash_that_nobody_here_can_read_costs_what_a_wrong_password_costs(project, monkeypatch, hashed):
    costs = []
    derive = passwords.pbkdf2_hmac_sha256

    async def counted(secret, salt, iterations, dklen=32):
        costs.append(iterations)
        return await derive(secret, salt, iterations, dklen)

    users, anna = project.users(), project.add()
    project.ask("change_user", anna, {"password": hashed})
    monkeypatch.setattr(passwords, "pbkdf2_hmac_sha256", counted)
    user = await users.get_by_name(anna)
    assert [await users.authenticate(anna, PASSWORD), await users.change_password(user, PASSWORD, ANOTHER)] == [
        None, False]
    assert costs == [1000] * 2


@sqlite
@pytest.mark.parametrize("iterations", [10, 999, 1000, 1500])
async def test_P3_a_weak_hash_costs_no_less_to_guess_at(project, monkeypatch, iterations):
    costs = []
    derive = passwords.pbkdf2_hmac_sha256

    async def counted(secret, salt, iterations, dklen=32):
        costs.append(iterations)
        return await derive(secret, salt, iterations, dklen)

    users, anna = project.users(), project.add()
    project.ask("change_user", anna, {"password": await passwords.hash_password(PASSWORD, iterations)})
    monkeypatch.setattr(passwords, "pbkdf2_hmac_sha256", counted)
    assert await users.authenticate(anna, ANOTHER) is None
    assert sum(costs) == max(1000, iterations)
    assert await users.authenticate(anna, PASSWORD)


@both
async def test_L4_a_name_in_other_letters_is_counted_as_the_same(project):
    users, anna = project.users(), project.add()
    app = Microdot()
    Session(app, store=project.sessions(users))
    login = Login(users=users, throttle=Throttle(free=3))
    LoginPages(app, login, remember=0)
    forms = [anna.replace("a", chr(bold), 1) for bold in (0x1D41A, 0x1D44E, 0x1D482, 0xFF41, 0x24D0)]
    statuses = [(await Browser(app, project).log_in(name, ANOTHER)).status_code for name in forms]
    assert statuses == [401, 401, 401, 401, 429]
    assert (await users.authenticate(forms[0], PASSWORD)).name == anna  # since Django's forms take it, too


@pytest.mark.parametrize("name, cheap", [
    ("pbkdf2_sha256", {"iterations": 2000}), ("argon2", {"time_cost": 1, "memory_cost": 800, "parallelism": 1}),
    ("bcrypt_sha256", {"rounds": 4}), ("scrypt", {"work_factor": 1024, "parallelism": 1})])
async def test_P3_the_decoy_of_a_hasher_costs_as_much_and_is_opened_by_nothing(name, cheap):
    hasher = hasher_named(name, **cheap)
    decoy, made = hasher.decoy(), await hasher.make(PASSWORD)
    costs = [passwords.check_of(text)[1] for text in (decoy, made)]
    numbers = [[one for one in arguments if type(one) is int] for arguments in costs]
    assert numbers[0] == numbers[1] and not hasher.is_weak(decoy)
    assert await passwords.verify_password(PASSWORD, made) and not await passwords.verify_password(PASSWORD, decoy)
    assert decoy != hasher.decoy()


@both
@pytest.mark.parametrize("kind", ["pbkdf2_sha256", "argon2", "bcrypt_sha256", "scrypt", "pbkdf2_sha1"])
async def test_hashes_of_djangos_kinds_open_the_account_and_are_replaced_where_they_are_others(project, kind):
    users, anna = project.users(), project.add()
    hashed = project.ask("make_hash", PASSWORD, kind, PASSWORD_HASHERS=ALL_HASHERS)
    project.ask("change_user", anna, {"password": hashed})
    assert await users.authenticate(anna, ANOTHER) is None
    assert (await users.authenticate(anna, PASSWORD)).name == anna
    kept = project.ask("user", anna)["password"]
    # The first costs a thousand times what this project's do: it is no weaker, and stays.
    assert (kept == hashed) is (kind == "pbkdf2_sha256") and kept.startswith("pbkdf2_sha256$")
    assert project.ask("log_in_as", anna, PASSWORD)


@sqlite
@pytest.mark.parametrize("kind", ["pbkdf2_sha256", "argon2", "bcrypt_sha256", "scrypt"])
async def test_a_hash_of_ours_is_one_that_django_would_have_made(project, kind):
    first = {"PASSWORD_HASHERS": [path for path in ALL_HASHERS if kind.split("_sha256")[0] in path.lower()]}
    users = project.users(hasher=kind)
    name = new_name()
    await users.create(name, PASSWORD)
    hashed = project.ask("user", name)["password"]
    assert project.ask("check_hash", PASSWORD, hashed, **first) == [True, False]
    assert project.ask("log_in_as", name, PASSWORD, **first)
    assert not users.hasher.is_weak(project.ask("make_hash", PASSWORD, kind, **first))
    assert (await users.authenticate(name, PASSWORD)).name == name
    assert project.ask("user", name)["password"] == hashed


@both
async def test_a_weak_hash_is_made_anew_once_and_django_leaves_it(project):
    users, anna = project.users(), project.add()
    project.ask("change_user", anna, {"password": await passwords.hash_password(PASSWORD, 10)})
    assert await users.authenticate(anna, PASSWORD)
    hashed = project.ask("user", anna)["password"]
    assert hashed.startswith("pbkdf2_sha256$1000$")
    assert project.ask("log_in_as", anna, PASSWORD) and await users.authenticate(anna, PASSWORD)
    assert project.ask("user", anna)["password"] == hashed


@both
async def test_logins_at_once_of_a_weak_hash_all_succeed(project):
    users, anna = project.users(), project.add()
    project.ask("change_user", anna, {"password": await passwords.hash_password(PASSWORD, 10)})
    found = await asyncio.gather(*[users.authenticate(anna, PASSWORD) for _ in range(4)])
    assert [user.name for user in found] == [anna] * 4
    assert len({user.password_hash for user in found}) == 1


def test_a_hasher_that_is_none_is_said_so():
    for name, costs in (("md5", {}), ("argon2", {"iterations": 5}), ("pbkdf2_sha256", {"iterations": 10 ** 8}),
                        ("pbkdf2_sha256", {"iterations": "1000"}), ("scrypt", {"parallelism": True}),
                        ("scrypt", {"work_factor": 1000}), ("bcrypt_sha256", {"rounds": 40})):
        with pytest.raises(ValueError):
            hasher_named(name, **costs)


# --- new users and changes ----------------------------------------------------------------------------

@both
async def test_a_new_user_is_what_django_would_have_made(project):
    users = project.users()
    ours, theirs = new_name(), project.add(email="Bert@example.com")
    made = await users.create(ours, PASSWORD, email="Bert@EXAMPLE.com")
    row, like = project.ask("user", ours), project.ask("user", theirs)
    for field in ("id", "username", "password", "date_joined"):
        assert type(row[field]) is type(like[field])
        row.pop(field), like.pop(field)
    assert row == like
    assert made.scopes == [] and abs(made.date_joined - time.time()) < 60
    assert project.ask("log_in_as", ours, PASSWORD) == str(made.id)


@both
async def test_what_a_column_cannot_have_is_said_and_not_sent(project):
    users, anna = project.users(), project.add()
    user = await users.get_by_name(anna)
    wrong = [("first_name", value) for value in (5, None, b"x", ["x"], "\0", "\ud800", "x" * 151, True)]
    for field, value in [*wrong, ("email", 5), ("date_joined", "yesterday"), ("date_joined", True)]:
        setattr(user, field, value)
        for attempt in (users.save(user, field), users.create(new_name(), PASSWORD, **{field: value})):
            error = await error_of(attempt)
            assert error.startswith(f"ValueError: the column {field}"), (field, value, error)
    assert project.ask("user", anna)["first_name"] == ""
    user.date_joined = 1795305600
    await users.save(user, "date_joined")
    assert project.ask("user", anna)["date_joined"] == 1795305600
    for after in ("\0", "\ud800", 5):
        assert await users.list_users(after=after) == []


@both
async def test_flags_are_scopes_and_nothing_else_is_set_by_them(project):
    users = project.users()
    boss = await users.create(new_name(), PASSWORD, scopes=["superuser", "staff"])
    assert boss.scopes == ["staff", "superuser"] and boss.is_staff and boss.is_superuser
    await users.set_scopes(boss, ["staff"])
    row = project.ask("user", boss.name)
    assert (row["is_staff"], row["is_superuser"], boss.scopes) == (True, False, ["staff"])
    assert "not staff or superuser" in await error_of(users.set_scopes(boss, ["blog.add_post"]))
    assert "strings" in await error_of(users.set_scopes(boss, "staff"))


@both
async def test_names_are_djangos(project):
    users, anna = project.users(), project.add()
    assert await users.get_by_name(anna.upper()) is None
    composed = new_name() + "\u00e9"
    made = await users.create(composed.replace("\u00e9", "e\u0301"), PASSWORD)
    assert made.name == composed and (await users.get_by_name(composed.replace("\u00e9", "e\u0301"))).id == made.id
    assert project.ask("log_in_as", composed, PASSWORD) == str(made.id)
    for wrong in ("", "two words", "a\nb", "a" * 151, "ann/a", "\0", None, 5, "\ud800"):
        assert (await error_of(users.create(wrong, PASSWORD))).startswith("ValueError"), wrong


@both
async def test_of_two_who_take_a_name_one_has_it(project):
    users, anna = project.users(), project.add()
    assert await error_of(users.create(anna, PASSWORD)) == "ValueError: that name is taken"
    bert = await users.create(new_name(), PASSWORD)
    assert await error_of(users.rename(bert, anna)) == "ValueError: that name is taken"
    name = new_name()
    errors = await asyncio.gather(*[error_of(users.create(name, PASSWORD)) for _ in range(4)])
    assert sorted(errors, key=str) == [None] + ["ValueError: that name is taken"] * 3


@both
async def test_a_renamed_user_is_the_same_and_stays_logged_in(project):
    users, anna, name = project.users(), project.add(), new_name()
    browser = Browser(project.site(project.sessions(users)), project)
    browser.django_logs_in(anna)
    await users.rename(await users.get_by_name(anna), name)
    assert (await browser.get("/who")).text == browser.django_knows() == name


@both
async def test_chosen_fields_are_saved_and_no_others(project):
    users, anna = project.users(), project.add()
    user = await users.get_by_name(anna)
    project.ask("change_user", anna, {"last_name": "By Django", "email": "django@example.com"})
    user.first_name, user.last_name, user.email, user.is_staff = "Anna", "By us", "us@example.com", True
    await users.save(user, "first_name", "email", "is_staff")
    row = project.ask("user", anna)
    assert [row[field] for field in ("first_name", "last_name", "email", "is_staff")] == [
        "Anna", "By Django", "us@example.com", True]
    assert (user.last_name, user.scopes) == ("By Django", ["staff"])
    for field in ("password", "id", "username", "last_login", "is_active", "nothing", "name"):
        assert (await error_of(users.save(user, field))).startswith("ValueError"), field
    user.first_name, user.is_superuser = "x" * 151, 1
    for field in ("first_name", "is_superuser"):
        assert (await error_of(users.save(user, field))).startswith("ValueError"), field
    await users.save(user)
    assert project.ask("user", anna)["first_name"] == "Anna"


@both
async def test_a_new_password_holds_on_both_sides(project):
    users, anna = project.users(), project.add()
    user = await users.get_by_name(anna)
    assert not await users.change_password(user, ANOTHER, ANOTHER)
    assert await users.change_password(user, PASSWORD, ANOTHER)
    assert project.ask("log_in_as", anna, ANOTHER) and not project.ask("log_in_as", anna, PASSWORD)
    await users.set_password(user, PASSWORD)
    assert project.ask("log_in_as", anna, PASSWORD)
    assert not await users.change_password(await users.get_by_name(project.add(password=None)), "", ANOTHER)


@both
async def test_an_old_password_changes_nothing_that_django_has_changed_meanwhile(project):
    anna = project.add()

    async def meanwhile(password, context):
        project.ask("set_password", anna, "a third horse battery staple")

    users = project.users(check_password=meanwhile)
    assert not await users.change_password(await users.get_by_name(anna), PASSWORD, ANOTHER)
    assert project.ask("log_in_as", anna, "a third horse battery staple")


@both
async def test_a_password_that_is_not_good_enough_is_refused(project):
    users, anna = project.users(check_password=lambda password, context: len(password) > 20), project.add()
    for attempt in (users.create(new_name(), "short"), users.set_password(await users.get_by_name(anna), "short")):
        assert await error_of(attempt) == "ValueError: that password is not good enough"
    assert project.ask("log_in_as", anna, PASSWORD)


@both
async def test_an_account_is_shut_and_opened_for_both(project):
    users, anna = project.users(), project.add()
    user = await users.get_by_name(anna)
    await users.disable(user)
    assert [user.is_active, project.ask("log_in_as", anna, PASSWORD)] == [False, None]
    await users.enable(user)
    assert [user.is_active, project.ask("log_in_as", anna, PASSWORD)] == [True, str(user.id)]


@both
async def test_changes_are_told(project):
    ring = Events()
    users = project.users(events=ring)
    user = await users.create(new_name(), PASSWORD)
    await users.set_password(user, ANOTHER)
    await users.disable(user)
    await users.enable(user)
    await users.set_scopes(user, ["staff"])
    await users.rename(user, new_name())
    assert [event["event"] for event in reversed(ring.recent())] == [
        "user_created", "password_changed", "user_disabled", "user_enabled", "scopes_changed", "user_renamed"]


@both
async def test_who_is_gone_is_not_changed(project):
    users = project.users()
    user = await users.create(new_name(), PASSWORD)
    user.id += 100000
    for change in (users.set_password(user, ANOTHER), users.disable(user), users.save(user, "email")):
        assert await error_of(change) == "ValueError: that user is not there any more"


@both
async def test_users_are_found_and_listed(project):
    users, names = project.users(), sorted(project.add() for _ in range(3))
    listed = await users.list_users(limit=1000)
    assert [user.name for user in listed if user.name in names] == names
    assert await users.count() == len(listed)
    assert [user.name for user in await users.list_users(after=names[0], limit=1)] == [names[1]]
    for wrong in (0, -1, 1 << 40, "1", "x", None, True, 1.0):
        assert await users.get_by_id(wrong) is None


@sqlite
async def test_a_damaged_row_lets_nobody_in(project):
    users, anna = project.users(), project.add()
    await users.database.run((module.update(users.table).values(password=b"x"), {}))
    assert (await error_of(users.get_by_name(anna))).startswith(StoreUnavailable.__name__)


# --- permissions --------------------------------------------------------------------------------------

@both
async def test_permissions_are_scopes_as_django_counts_them(project):
    users, plain = project.users(permissions=True), project.users()
    anna, boss = project.add(), project.add(is_superuser=True)
    group = new_name()
    project.ask("allow", anna, ["add_user"], {group: ["delete_session", "add_user"]})
    user = await users.get_by_name(anna)
    assert user.scopes == sorted([*project.ask("all_permissions", anna), "group:" + group])
    assert user.scopes == ["auth.add_user", "group:" + group, "sessions.delete_session"]
    assert (await users.get_by_id(user.id)).scopes == user.scopes
    assert (await plain.get_by_name(anna)).scopes == []
    assert (await users.get_by_name(boss)).scopes == ["superuser", *project.ask("all_permissions", boss)]
    project.ask("change_user", boss, {"is_active": False})
    assert (await users.get_by_name(boss)).scopes == []
    assert project.ask("all_permissions", boss) == []


# --- a user model of the project's own ----------------------------------------------------------------

PEOPLE = users_table(MetaData(), "people", "email", Uuid(as_uuid=False), [
    Column("is_superuser", Boolean, nullable=False), Column("city", String(20), nullable=False)])


@pytest.fixture
def people(stores, tmp_path, request):
    """A project with a user model of its own."""
    settings = {"DJANGO_SETTINGS_MODULE": "tests.stores.django_custom.settings"}
    address = stores.address
    if stores.kind == "postgresql":
        import psycopg
        plain, name = address.replace("+asyncpg", ""), new_name()
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute("CREATE DATABASE " + name)
        address = address.rpartition("/")[0] + "/" + name
    worker = Worker(tmp_path, address.replace("+asyncpg", "").replace("+aiosqlite", ""), **settings)
    worker.ask("migrate")
    yield Project(worker, stores, address)
    worker.close()


@both
async def test_an_own_table_with_addresses_for_names_and_uuids_for_ids(people):
    users = people.users(table=PEOPLE, username="email", permissions=permissions_of(PEOPLE, "account_id"))
    people.ask("add_user", "anna@example.com", PASSWORD, {"city": "Graz"})
    people.ask("allow", "anna@example.com", ["add_account"], {"editors": []})
    site = people.site(people.sessions(users))
    for log_in in ("django", "here"):
        browser = Browser(site, people)
        if log_in == "django":
            browser.django_logs_in("anna@example.com")
        else:
            await browser.log_in("anna@example.com")
        assert (await browser.get("/who")).text == "anna@example.com"
        assert browser.django("/").count("anna@example.com") == 1
    anna = await users.authenticate("anna@example.com", PASSWORD)
    assert (anna.city, str(anna.id)) == ("Graz", people.ask("user", "anna@example.com")["id"])
    assert anna.scopes == ["django_custom.add_account", "group:editors"]
    bert = await users.create("bert@example.com", PASSWORD, city="Wien")
    assert people.ask("log_in_as", "bert@example.com", PASSWORD) == bert.id
    assert "no column" in await error_of(users.create("x@example.com", PASSWORD, last_name="x"))


@both
async def test_a_new_user_lacks_nothing_that_the_model_asks_for(people):
    users = people.users(table=PEOPLE, username="email")
    assert await error_of(users.create("anna@example.com", PASSWORD)) == "ValueError: a new user needs a value for city"
    await users.create("Bert@EXAMPLE.com", PASSWORD, city="Wien")
    assert people.ask("log_in_as", "Bert@example.com", PASSWORD)
    again = users.create("Bert@Example.COM", PASSWORD, city="Wien")
    assert await error_of(again) == "ValueError: that name is taken"
    bert = await users.get_by_name("Bert@example.com")
    await users.rename(bert, "Bert@Mail.EXAMPLE")
    assert (bert.name, people.ask("user", "Bert@mail.example")["city"]) == ("Bert@mail.example", "Wien")
    for wrong in ("x" * 70 + "\n@example.com", "x" * 90 + "\u202e@example.com", " x@example.com", "x" * 255, "", None):
        assert (await error_of(users.create(wrong, PASSWORD, city="Wien"))).startswith("ValueError"), wrong
    assert await error_of(users.rename(bert, "x" * 70 + "\x1b[31m")) == "ValueError: a name has no control characters"


@pytest.mark.parametrize("stores", ["postgresql"], indirect=True)
async def test_who_is_found_by_a_collation_alone_is_not_logged_in(stores):
    table = users_table(MetaData(), new_name(), columns=[])
    users = DjangoUsers(stores.address, table, timeout=PATIENCE, hasher=hasher_named("pbkdf2_sha256", iterations=1000))
    stores.opened.append(users)
    await users.database.create(table)
    of_icu = "(provider = icu, locale = 'und-u-ks-level1', deterministic = false)"
    for statement in (f"CREATE COLLATION IF NOT EXISTS alike {of_icu}",
                      f"ALTER TABLE {table.name} ALTER COLUMN username TYPE varchar(150) COLLATE alike"):
        await users.database.run((text(statement), {}))
    await users.create("anna", PASSWORD)
    assert (await users.authenticate("ANNA", PASSWORD)).name == "anna"
    for name in ("\u00e4nna", "an\u00adna", "a\u0300nna"):
        assert await users.authenticate(name, PASSWORD) is None
        assert await error_of(users.create("\u00e4nna", PASSWORD)) == "ValueError: that name is taken"


@sqlite
async def test_two_users_of_one_name_are_none(stores):
    table = Table("twins", MetaData(), Column("id", Integer, primary_key=True), Column("username", String(20)),
                  Column("password", String(128)), Column("last_login", Moment), Column("is_active", Boolean))
    users = DjangoUsers(stores.address, table, hasher=hasher_named("pbkdf2_sha256", iterations=1000))
    stores.opened.append(users)
    await users.database.create(table)
    first = await users.create("anna", PASSWORD)
    assert (await users.authenticate("anna", PASSWORD)).id == first.id
    await users.create("anna", ANOTHER)
    assert [await users.authenticate("anna", password) for password in (PASSWORD, ANOTHER)] == [None, None]
    assert (await users.get_by_id(first.id)).name == "anna"


@sqlite
async def test_ids_that_only_the_project_knows_to_make_are_left_to_it(stores):
    table = users_table(MetaData(), "members", id_type=String(20))
    users = DjangoUsers(stores.address, table, hasher=hasher_named("pbkdf2_sha256", iterations=1000))
    stores.opened.append(users)
    await users.database.create(table)
    assert await error_of(users.create("anna", PASSWORD)) == (
        "RuntimeError: the ids of the table members are for Django to make")
    row = dict.fromkeys(("first_name", "last_name", "email"), "")
    await users.database.run((module.insert(table).values(
        id="k-7", username="anna", password=await passwords.hash_password(PASSWORD, 1000), is_active=True,
        is_staff=False, is_superuser=False, date_joined=0, **row), {}))
    assert (await users.authenticate("anna", PASSWORD)).id == users.id_of("k-7") == "k-7"


def test_a_table_that_holds_no_users_is_said_so():
    with pytest.raises(ValueError, match="no column nick"):
        DjangoUsers("sqlite+aiosqlite:///x.db", username="nick")
    with pytest.raises(ValueError, match="as_uuid=False"):
        DjangoUsers("sqlite+aiosqlite:///x.db", users_table(MetaData(), "people", "email", Uuid()), "email")
    with pytest.raises(ValueError, match="what users have anyway"):
        DjangoUsers("sqlite+aiosqlite:///x.db", users_table(MetaData(), columns=[Column("scopes", String)]))
    assert Login(users=DjangoUsers("sqlite+aiosqlite:///x.db")).user_loader_callback.__name__ == "get_by_id"
