"""One session for Django and a Microdot app: a real Django, real tables, and a browser that goes to both."""

import asyncio
import time
import zlib
from urllib.parse import urlencode

import pytest
from client import Client, Warnings
from microdot import Microdot
from sqlalchemy import literal_column
from stores_contract import use

from dotlatch.impersonation import Impersonation
from dotlatch.login import Login
from dotlatch.passwords import hash_password
from dotlatch.portable import b64url_encode
from dotlatch.server import django_sessions as module
from dotlatch.server.django import DjangoSessions, DjangoUsers
from dotlatch.server.django_codec import DjangoCodec, django_keys
from dotlatch.session import Session, session_of, with_session
from tests.stores.django_project import KEY, Browser
from tests.stores.kinds import Meanwhile
from tests.stores.users import ANOTHER, DATABASES, PASSWORD

both = pytest.mark.parametrize("stores", DATABASES, indirect=True)
sqlite = pytest.mark.parametrize("stores", ["sqlite"], indirect=True)
NEW_KEY = "django-insecure-the-next-one-0123456789abcdefghijklmn"
BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture
def browser(project):
    return Browser(project.site(), project)


# --- logging in and out -------------------------------------------------------------------------------

@both
async def test_a_login_here_is_one_in_django(project, browser):
    anna = project.add()
    assert (await browser.log_in(anna)).status_code == 302
    assert (await browser.get("/who")).text == browser.django_knows() == anna


@both
async def test_a_login_in_django_is_one_here(project, browser):
    anna = project.add()
    assert browser.django_logs_in(anna) == 302
    assert (await browser.get("/who")).text == browser.django_knows() == anna


@both
async def test_a_logout_here_is_one_in_django(project, browser):
    browser.django_logs_in(project.add())
    thief = browser.copy()
    await browser.post("/logout")
    assert browser.key is None
    assert [browser.django_knows(), thief.django_knows(), (await thief.get("/who")).text] == [None, None, "nobody"]


@both
async def test_a_logout_in_django_is_one_here(project, browser):
    await browser.log_in(project.add())
    thief = browser.copy()
    assert browser.django_posts("/accounts/logout/", {}) == 302
    assert [(await one.get("/who")).text for one in (browser, thief)] == ["nobody", "nobody"]
    assert thief.django_knows() is None


@both
async def test_each_login_begins_a_session_under_another_key(project, browser):
    anna = project.add()
    await browser.get("/add?item=tea")
    anonymous = browser.copy()
    await browser.log_in(anna)
    first = browser.copy()
    await browser.log_in(anna)
    assert len({anonymous.key, first.key, browser.key}) == 3
    assert [(await one.get("/who")).text for one in (anonymous, first, browser)] == ["nobody", "nobody", anna]
    assert anonymous.django_knows() is None


@both
async def test_the_cookie_is_djangos(project, browser):
    answer = await browser.post("/login", form=urlencode({"username": project.add(), "password": PASSWORD}))
    assert [cookie.partition(";")[2] for cookie in answer.cookies] == [
        " Path=/; Max-Age=1209600; HttpOnly; SameSite=Lax"]
    assert len(browser.key) == 32 and browser.key.isalnum() and browser.key == browser.key.lower()


@sqlite
async def test_the_cookie_may_have_another_name_as_in_django(project):
    named = {"SESSION_COOKIE_NAME": "session"}
    anna, browser = project.add(), Browser(project.site(project.sessions(cookie_name="session")), project)
    await browser.log_in(anna)
    assert browser.names() == ["session"] and browser.django_knows(**named) == anna
    browser.django_posts("/accounts/logout/", {}, **named)
    assert (await browser.get("/who")).text == "nobody"


@both
async def test_a_login_with_a_weak_hash_holds_on_both_sides(project, browser):
    anna = project.add()
    project.ask("change_user", anna, {"password": await hash_password(PASSWORD, 10)})
    await browser.log_in(anna)
    assert (await browser.get("/who")).text == browser.django_knows() == anna


@both
async def test_a_login_here_is_noted_as_django_does(project, browser):
    anna = project.add()
    assert project.ask("user", anna)["last_login"] is None
    await browser.get("/add?item=tea")
    assert project.ask("user", anna)["last_login"] is None
    await browser.log_in(anna)
    assert abs(project.ask("user", anna)["last_login"] - time.time()) < 60


@both
async def test_an_account_that_is_shut_is_nobody_on_both_sides(project, browser):
    anna = project.add()
    await browser.log_in(anna)
    project.ask("change_user", anna, {"is_active": False})
    assert [(await browser.get("/who")).text, browser.django_knows()] == ["nobody", None]
    assert (await browser.log_in(anna)).status_code == 401


# --- what the session holds ---------------------------------------------------------------------------

@both
async def test_both_have_the_same_data(project, browser):
    browser.django_logs_in(project.add())
    browser.django_posts("/cart", {"item": "tea"})
    await browser.get("/add?item=Jas%C3%B8n")
    browser.django_posts("/cart", {"item": "milk"})
    assert (await browser.get("/cart")).text == "tea,Jasøn,milk"
    assert "In the cart: tea, Jasøn, milk." in browser.django("/")


@both
async def test_S11_a_use_here_takes_back_nothing_that_django_saves_meanwhile(project, browser):
    anna, store = project.add(), project.sessions()
    await browser.log_in(anna)
    loaded = await store.load_key(browser.key)

    async def buy():
        browser.django_posts("/cart", {"item": "tea"})

    Meanwhile(store, buy, 1)
    seen = await use(store, loaded["jti"], loaded)
    assert (await store.load_key(browser.key))["seen"] >= seen
    assert [(await browser.get("/cart")).text, browser.django_knows()] == ["tea", anna]


@both
async def test_S11_a_use_here_brings_no_session_back_that_django_has_ended(project, browser):
    store = project.sessions()
    await browser.log_in(project.add())
    loaded, thief = await store.load_key(browser.key), browser.copy()

    async def log_out():
        browser.django_posts("/accounts/logout/", {})

    Meanwhile(store, log_out, 1)
    await use(store, loaded["jti"], loaded)
    assert [await store.load_key(thief.key), (await thief.get("/who")).text] == [None, "nobody"]


@both
async def test_much_data_is_compressed_by_either_and_read_by_the_other(project, browser):
    browser.django_logs_in(project.add())
    for n in range(40):
        browser.django_posts("/cart", {"item": f"item-{n:03d}"})
    await browser.get("/add?item=last")
    assert (await browser.get("/cart")).text.endswith("item-038,item-039,last")
    assert "item-039, last." in browser.django("/")
    assert project.ask("session", browser.key)["data"]["cart"][-1] == "last"


@both
async def test_djangos_own_names_mean_what_they_mean_and_ours_are_in_one_place(project, browser):
    anna = project.add()
    await browser.log_in(anna)
    await browser.get("/add?item=tea")
    data = project.ask("session", browser.key)["data"]
    assert set(data) == {"_auth_user_id", "_auth_user_backend", "_auth_user_hash", "_dotlatch", "cart"}
    assert data["_auth_user_id"] == project.ask("user", anna)["id"]
    assert data["_auth_user_backend"] == BACKEND


@both
async def test_what_django_keeps_under_names_of_ours_stays_its_own(project, browser):
    user_id = int(project.ask("user", project.add())["id"])
    theirs = {"_user_id": user_id, "_stamp": "x", "_password": int(time.time()), "_half": {}, "cart": ["tea"]}
    key = project.ask("new_session", theirs, 3600)
    browser.jar[("sessionid", "/")] = (key, False, True)
    assert [(await browser.get("/who")).text, (await browser.get("/state")).text] == ["nobody", "anonymous"]
    await browser.get("/add?item=milk")
    data = project.ask("session", key)["data"]
    assert {name: data[name] for name in theirs} == {**theirs, "cart": ["tea", "milk"]}


@both
async def test_the_end_of_a_session_is_where_django_has_set_it(project, browser):
    key = project.ask("new_session", {"cart": ["tea"]}, 100)
    browser.jar[("sessionid", "/")] = (key, False, True)
    before = project.ask("session", key)["ends"]
    await browser.get("/add?item=milk")
    assert project.ask("session", key)["ends"] == before


@pytest.mark.parametrize("legacy", [False, True])
@sqlite
async def test_what_can_be_saved_can_be_read_again(project, legacy):
    site = project.site(project.sessions(legacy=legacy))

    @site.get("/keep")
    @with_session
    async def keep(request, session):
        session["cart"] = [request.args["item"] * 1000]
        try:
            session.save()
        except ValueError:
            return "too much"
        return "saved"

    for item, length, said in (
            ("é" * 31, 31000, "saved"), ("x" * 64, 64000, "saved"), ("\U0001f375" * 15, 15000, "saved"),
            ("\u8336" * 20, 20000, "saved"), ("x" * 66, 0, "too much"), ("é" * 33, 0, "too much")):
        browser = Browser(site, project)
        answer = await browser.get("/keep?" + urlencode({"item": item}))
        assert (answer.status_code, answer.text) == (200, said)
        assert len((await browser.get("/cart")).text) == length


@sqlite
async def test_a_size_that_could_not_be_read_again_is_said_at_the_start(project):
    for wrong in (0, -1, 1 << 20):
        with pytest.raises(ValueError, match="max_record"):
            project.sessions(max_record=wrong)


@sqlite
async def test_a_handler_may_not_log_somebody_in_by_djangos_names(project):
    site = project.site()

    @site.get("/forge")
    async def forge(request):
        session = await session_of(request).load(request)
        session["_auth_user_id"] = "1"
        try:
            session.save()
        except ValueError as error:
            return str(error)

    browser = Browser(site, project)
    assert (await browser.get("/forge")).text == "the name _auth_user_id is Django's: log in with Login"
    assert browser.key is None


# --- passwords ----------------------------------------------------------------------------------------

@both
async def test_S6_a_new_password_in_django_ends_the_others_here(project, browser):
    anna = project.add()
    other = Browser(browser.app, project)
    await other.log_in(anna)
    browser.django_logs_in(anna)
    changed = browser.django_posts("/accounts/password_change/", {
        "old_password": PASSWORD, "new_password1": ANOTHER, "new_password2": ANOTHER})
    assert changed == 302
    assert [browser.django_knows(), (await browser.get("/who")).text] == [anna, anna]
    assert [other.django_knows(), (await other.get("/who")).text] == [None, "nobody"]


@both
async def test_S6_a_new_password_here_ends_the_others_in_django(project, browser):
    anna = project.add()
    other = Browser(browser.app, project)
    other.django_logs_in(anna)
    await browser.log_in(anna)
    changed = await browser.post("/account/password", form=urlencode({
        "current": PASSWORD, "new": ANOTHER, "again": ANOTHER}))
    assert changed.status_code == 303, changed.text
    assert [browser.django_knows(), (await browser.get("/who")).text] == [anna, anna]
    assert [other.django_knows(), (await other.get("/who")).text] == [None, "nobody"]
    assert project.ask("log_in_as", anna, ANOTHER) and not project.ask("log_in_as", anna, PASSWORD)


@both
async def test_S6_a_password_that_somebody_else_sets_ends_all_sessions(project):
    users = project.users()
    site = project.site(project.sessions(users))
    for set_it in ("django", "here"):
        anna, browser = project.add(), Browser(site, project)
        await browser.log_in(anna)
        if set_it == "django":
            project.ask("set_password", anna, ANOTHER)
        else:
            await users.set_password(await users.get_by_name(anna), ANOTHER)
        assert [(await browser.get("/who")).text, browser.django_knows()] == ["nobody", None], set_it


@both
async def test_a_login_of_djangos_has_to_be_fresh_here_by_the_password(project, browser):
    anna, bert = project.add(), project.add()
    browser.django_logs_in(anna)
    assert (await browser.get("/state")).text == "remembered"
    assert (await browser.get("/fresh")).headers["Location"].startswith("/login")
    await browser.log_in(anna)
    assert [(await browser.get("/state")).text, (await browser.get("/fresh")).text] == ["fresh", "fresh"]
    browser.django_logs_in(bert)
    assert [(await browser.get("/who")).text, (await browser.get("/state")).text] == [bert, "remembered"]


@sqlite
async def test_a_password_that_was_proven_for_one_user_proves_nothing_for_another(project, browser):
    anna, bert = project.add(), project.add()
    await browser.log_in(anna)
    data = project.ask("session", browser.key)["data"]
    berts = Browser(browser.app, project)
    berts.django_logs_in(bert)
    # As if Django had kept what it does not know, and put another user in.
    data.update({name: value for name, value in project.ask("session", berts.key)["data"].items()
                 if name.startswith("_auth")})
    key = project.ask("new_session", data, 3600)
    berts.jar[("sessionid", "/")] = (key, False, True)
    assert [(await berts.get("/who")).text, (await berts.get("/state")).text] == [bert, "remembered"]


# --- keys ---------------------------------------------------------------------------------------------

@both
async def test_a_key_that_is_new_on_both_sides_takes_all_sessions_along(project, browser):
    anna = project.add()
    of_django, ours = Browser(browser.app, project), browser
    of_django.django_logs_in(anna)
    await ours.log_in(anna)
    rotated = {"SECRET_KEY": NEW_KEY, "SECRET_KEY_FALLBACKS": [KEY]}
    site = project.site(project.sessions(key=[NEW_KEY, KEY]))
    for visitor in (of_django, ours):
        visitor.app = site
        assert (await visitor.get("/who")).text == visitor.django_knows(**rotated) == anna
    # Each has been written anew by who has seen it first, so the old key may go.
    for visitor in (of_django, ours):
        visitor.app = project.site(project.sessions(key=NEW_KEY))
        assert (await visitor.get("/who")).text == visitor.django_knows(SECRET_KEY=NEW_KEY) == anna


@both
async def test_django_writes_anew_what_an_old_key_has_signed_here(project, browser):
    anna = project.add()
    await browser.log_in(anna)
    assert browser.django_knows(SECRET_KEY=NEW_KEY, SECRET_KEY_FALLBACKS=[KEY]) == anna
    browser.app = project.site(project.sessions(key=NEW_KEY))
    assert (await browser.get("/who")).text == anna


@both
async def test_a_key_that_is_gone_opens_nothing(project, browser):
    await browser.log_in(project.add())
    browser.app = project.site(project.sessions(key=NEW_KEY))
    assert [(await browser.get("/who")).text, browser.django_knows(SECRET_KEY=NEW_KEY)] == ["nobody", None]


@sqlite
async def test_sessions_have_djangos_key_and_no_other(project):
    browser = Browser(project.site(secret_key="another key of thirty-two bytes and more"), project)
    anna = project.add()
    browser.app.error_handlers[RuntimeError] = lambda request, error: (str(error), 418)
    assert (await browser.log_in(anna)).text == "Session takes no secret_key beside DjangoSessions, which has Django's"
    for wrong in ("", [], b"", None):
        with pytest.raises(ValueError):
            project.sessions(key=wrong)
    with Warnings() as given:
        project.site(project.sessions(key="short"))
    assert "shorter than 32 bytes" in given[0]
    with pytest.raises(ValueError, match="shorter than 32 bytes"):
        project.site(project.sessions(key=[KEY, "short"]), require_strong_key=True)


# --- rows that are none -------------------------------------------------------------------------------

def damaged(text):
    """What may have become of a row, by accident or by somebody who writes into the database."""
    payload, stamp, mac = text.split(":")
    other = DjangoCodec(django_keys(NEW_KEY)).encode({"_auth_user_id": "1"}, int(time.time()))
    cookie = DjangoCodec(django_keys(KEY), "django.contrib.sessions.backends.signed_cookies").encode({}, 1)
    keys = django_keys(KEY)
    codec = DjangoCodec(keys)
    yield from ("", ":", "::", "a:b:c", text[:-1], text + "A", text + "=", payload + ":" + mac, "A" + text[1:], other,
                cookie, payload + ":" + stamp + ":", text.replace(":", "."), "\0" * 40, "ü:1:1", "." * 3, "." + text)
    for data in (b"", b"[]", b"5", b"{", b'{"a":1,"a":2}', b"{\xff}", b"[" * 5000, b'{"a":NaN}', b'{"a":"\\ud800"}'):
        signed = b64url_encode(data) + ":1xocE4"
        yield signed + ":" + codec._signature(signed, codec._keys[0])
    for packed in (b"", b"no zlib", zlib.compress(b"{" + b" " * (1 << 21) + b"}")):
        signed = "." + b64url_encode(packed) + ":1xocE4"
        yield signed + ":" + codec._signature(signed, codec._keys[0])


@both
async def test_a_damaged_row_is_an_anonymous_visitor(project, browser):
    browser.django_logs_in(project.add())
    database = module.sessions_table(module.MetaData())
    store = project.sessions()
    rows = await store.database.run((module.select(database).where(database.c.session_key == browser.key), {}))
    text = rows[0].session_data
    tried = 0
    for wrong in damaged(text):
        if "\0" in wrong and project.stores.kind == "postgresql":
            continue  # which has no such text
        project.ask("write_row", browser.key, wrong)
        answer = await browser.get("/who")
        assert (answer.status_code, answer.text) == (200, "nobody"), wrong[:60]
        tried += 1
    assert tried >= 27
    project.ask("write_row", browser.key, text)
    assert (await browser.get("/who")).text != "nobody"


@sqlite
async def test_a_row_with_a_damaged_end_is_anonymous_and_hides_no_others(project, browser):
    anna, other = project.add(), Browser(browser.app, project)
    browser.django_logs_in(anna)
    other.django_logs_in(anna)
    store = project.sessions()
    for wrong in ("zzz", "9999-13-45 00:00:00", "99", "\0"):
        damage = module.update(store.table).where(store.table.c.session_key == browser.key)
        await store.database.run((damage.values(expire_date=literal_column(repr(wrong))), {}))
        assert [(await browser.get("/who")).text, (await other.get("/who")).text] == ["nobody", anna], wrong
        user = await store.users.get_by_name(anna)
        assert [one for one, _ in await store.list_user(user.id)] == [module.id_of(other.key)]


@both
async def test_claims_of_any_kind_are_no_error(project, browser):
    user_id = project.ask("user", project.add())["id"]
    odd = [5, None, "x", [], {}, True, 1e300, -1, "1" * 50, {"own": 5}, {"own": {"_user_id": 1, "_stamp": ""}},
           {"own": {"_password": "x", "_code": []}, "of": None}, {"iat": "x", "seen": [], "source": 5, "user": {}}]
    for value in odd:
        for name in ("_dotlatch", "_auth_user_id", "_auth_user_backend", "_auth_user_hash"):
            data = {"_auth_user_id": user_id, "_auth_user_backend": BACKEND, "_auth_user_hash": "0" * 64, name: value}
            browser.jar[("sessionid", "/")] = (project.ask("new_session", data, 600), False, True)
            answer = await browser.get("/who")
            assert (answer.status_code, answer.text) == (200, "nobody"), (name, value)
    assert (await browser.get("/add?item=tea")).text == "added"


@both
async def test_a_session_that_has_ended_is_anonymous_on_both_sides(project, browser):
    anna = project.add()
    browser.django_logs_in(anna)
    data = project.ask("session", browser.key)["data"]
    live, ended = browser.key, project.ask("new_session", data, -5)
    browser.jar[("sessionid", "/")] = (ended, False, True)
    assert [(await browser.get("/who")).text, browser.django_knows()] == ["nobody", None]
    store = project.sessions()
    assert await store.load_key(ended) is None
    assert [one for one, _ in await store.list_user(int(data["_auth_user_id"]))] == [module.id_of(live)]


@both
async def test_a_login_of_a_backend_that_is_not_ours_is_none(project):
    anna = project.add()
    other = "shop.backends.ByRemoteUser"
    browser = Browser(project.site(), project)
    browser.django_logs_in(anna)
    data = {**project.ask("session", browser.key)["data"], "_auth_user_backend": other}
    browser.jar[("sessionid", "/")] = (project.ask("new_session", data, 600), False, True)
    assert (await browser.get("/who")).text == "nobody"
    browser.app = project.site(project.sessions(backends=[BACKEND, other]))
    assert (await browser.get("/who")).text == anna
    await browser.get("/add?item=tea")
    assert project.ask("session", browser.key)["data"]["_auth_user_backend"] == other


@both
async def test_a_login_of_another_backend_stays_djangos_whatever_is_done_here(project):
    browser = Browser(project.site(idle=600), project)
    theirs = {"AUTHENTICATION_BACKENDS": ["django.contrib.auth.backends.AllowAllUsersModelBackend"]}
    anna = project.add()
    browser.django_logs_in(anna, **theirs)
    before = project.ask("session", browser.key)["data"]
    assert [(await browser.get("/add?item=tea")).text, (await browser.get("/who")).text] == ["added", "nobody"]
    assert (await browser.get("/cart")).text == "tea" and browser.django_knows(**theirs) == anna
    after = project.ask("session", browser.key)["data"]
    assert {name: after[name] for name in before} == before
    assert (await browser.log_in(anna)).status_code == 302
    assert (await browser.get("/who")).text == browser.django_knows() == anna
    assert project.ask("session", browser.key)["data"]["_auth_user_backend"] == BACKEND


@both
async def test_all_sessions_of_a_user_are_ended_whichever_backend_has_begun_them(project, browser):
    theirs = {"AUTHENTICATION_BACKENDS": ["django.contrib.auth.backends.AllowAllUsersModelBackend"]}
    anna, other = project.add(), Browser(browser.app, project)
    other.django_logs_in(anna, **theirs)
    await browser.log_in(anna)
    assert other.django_knows(**theirs) == anna
    assert (await browser.post("/account/end", form="end=others")).status_code == 303
    assert [other.django_knows(**theirs), browser.django_knows()] == [None, anna]


@sqlite
async def test_what_is_no_key_is_never_looked_up(project, browser):
    for value in ("x", "a" * 31, "a" * 33, "A" * 32, "a" * 31 + "'", "é" * 32, "a" * 22 + "." + "b" * 22):
        answer = await browser.get("/who", headers={"Cookie": "sessionid=" + value})
        assert (answer.status_code, answer.text) == (200, "nobody")
    store = project.sessions()
    assert [await store.load("' OR 1=1 --"), await store.load_key("' OR 1=1 --")] == [None, None]
    assert not await store.save("a" * 22, {"exp": int(time.time()) + 60, "data": {}}, True)


# --- at the same time ---------------------------------------------------------------------------------

@both
async def test_a_logout_in_django_wins_over_a_handler_that_saves_late(project):
    site = project.site()
    loaded, go_on = asyncio.Event(), asyncio.Event()

    @site.get("/slow")
    async def slow(request):
        session = await session_of(request).load(request)
        session["cart"] = ["late"]
        session.save()
        loaded.set()
        await go_on.wait()
        return "done"

    anna, browser = project.add(), Browser(site, project)
    await browser.log_in(anna)
    key = browser.key
    slow_request = asyncio.ensure_future(browser.copy().get("/slow"))
    await loaded.wait()
    browser.django_posts("/accounts/logout/", {})
    go_on.set()
    answer = await slow_request
    assert answer.cookies == [] and project.ask("session", key) is None


@both
async def test_many_requests_at_once_find_the_same_user(project, browser):
    anna = project.add()
    browser.django_logs_in(anna)
    copies = [browser.copy() for _ in range(30)]
    answers = await asyncio.gather(*[one.get("/add?item=tea" if n % 3 == 0 else "/who")
                                     for n, one in enumerate(copies)])
    assert {answer.text for answer in answers} == {"added", anna}
    assert browser.django_knows() == (await browser.get("/who")).text == anna


@both
async def test_both_may_write_at_the_same_time(project, browser):
    anna = project.add()
    browser.django_logs_in(anna)
    theirs = browser.copy()

    def django_adds():
        return {theirs.django_posts("/cart", {"item": "tea"}) for _ in range(10)}

    async def we_add():
        return {(await browser.get("/add?item=milk")).text for _ in range(20)}

    assert await asyncio.gather(asyncio.to_thread(django_adds), we_add()) == [{302}, {"added"}]
    assert browser.django_knows() == (await browser.get("/who")).text == anna
    cart = (await browser.get("/cart")).text  # the last one wins, as among Django's own requests
    assert set(cart.split(",")) <= {"tea", "milk"}
    assert "In the cart: " + cart.replace(",", ", ") in browser.django("/")


@both
async def test_logins_at_once_are_as_many_sessions(project, browser):
    anna = project.add()
    browsers = [Browser(browser.app, project) for _ in range(6)]
    await asyncio.gather(*[one.log_in(anna) for one in browsers])
    assert len({one.key for one in browsers}) == 6
    assert [one.django_knows() for one in browsers] == [anna] * 6


# --- all sessions of a user ---------------------------------------------------------------------------

@both
async def test_all_sessions_of_a_user_are_listed_and_ended_whoever_began_them(project, monkeypatch):
    monkeypatch.setattr(module, "_PAGE", 2)
    users = project.users()
    store = project.sessions(users)
    site = project.site(store)
    anna, bert = project.add(), project.add()
    annas, berts = [Browser(site, project) for _ in range(5)], Browser(site, project)
    for n, browser in enumerate(annas):
        await browser.log_in(anna) if n % 2 else browser.django_logs_in(anna)
    await berts.log_in(bert)
    user = await users.get_by_name(anna)
    assert {one for one, _ in await store.list_user(user.id)} == {module.id_of(browser.key) for browser in annas}
    assert await store.list_user(str(user.id)) == []
    assert await store.delete_user(user.id, keep=str(module.id_of(annas[0].key))) == 4
    assert [(await browser.get("/who")).text for browser in annas] == [anna] + ["nobody"] * 4
    assert [browser.django_knows() for browser in (annas[0], annas[1], berts)] == [anna, None, bert]


@both
async def test_the_account_page_lists_the_sessions_that_django_began(project, browser):
    anna = project.add()
    other = Browser(browser.app, project)
    other.django_logs_in(anna)
    await browser.log_in(anna)
    page = (await browser.get("/account")).text
    assert page.count("card row") == 2 and page.count("This browser") == 1, page
    assert browser.key not in page and other.key not in page
    assert (await browser.post("/account/end", form="end=" + module.id_of(other.key))).status_code == 303
    assert [other.django_knows(), browser.django_knows()] == [None, anna]
    other.django_logs_in(anna)
    await browser.post("/account/end", form="end=others")
    assert [other.django_knows(), browser.django_knows()] == [None, anna]


@sqlite
async def test_an_id_that_somebody_has_seen_opens_and_ends_nothing_by_itself(project, browser):
    anna = project.add()
    browser.django_logs_in(anna)
    store, session_id = project.sessions(), str(module.id_of(browser.key))
    await store.delete(session_id)
    assert await store.load(session_id) is None and (await store.load(module.id_of(browser.key)))["jti"] == session_id
    for value in (session_id, session_id + "." + session_id):
        answer = await browser.get("/who", headers={"Cookie": "sessionid=" + value})
        assert answer.text == "nobody"
    assert browser.django_knows() == anna and browser.key not in repr(await store.load(module.id_of(browser.key)))


@both
async def test_one_user_cannot_end_the_session_of_another(project, browser):
    anna, bert = project.add(), Browser(browser.app, project)
    bert.django_logs_in(project.add())
    await browser.log_in(anna)
    for which in (module.id_of(bert.key), bert.key, "' OR 1=1", ""):
        await browser.post("/account/end", form=urlencode({"end": which}))
        assert bert.django_knows() is not None


# --- what is not shared -------------------------------------------------------------------------------

@sqlite
async def test_who_acts_for_another_is_nobody_to_django(project):
    site = project.site(project.sessions(project.users()))
    admin, anna = project.add(is_superuser=True, is_staff=True), project.add()
    login = Login("/login", users=site._session.store.users, impersonation=Impersonation("superuser"))

    @site.get("/act")
    async def act(request):
        return await login.impersonate(request, await login.users.get_by_name(anna))

    @site.get("/stop")
    async def stop(request):
        return await login.end_impersonation(request)

    @site.get("/acting")
    async def acting(request):
        return (await login.get_current_user(request)).name

    browser = Browser(site, project)
    await browser.log_in(admin)
    assert (await browser.get("/act")).status_code == 302
    assert [(await browser.get("/acting")).text, browser.django_knows()] == [anna, None]
    await browser.get("/stop")
    assert [(await browser.get("/acting")).text, browser.django_knows()] == [admin, admin]


@sqlite
async def test_nobody_is_remembered_beyond_a_logout_in_django(project):
    site = project.site()
    anna = project.add()

    @site.get("/remember")
    async def remember(request):
        login = Login("/login", users=site._session.store.users)
        return await login.login_user(request, await login.users.get_by_name(anna), remember=30)

    browser = Browser(site, project)
    with Warnings() as given:
        await browser.get("/remember")
    assert "nobody is remembered" in given[0]
    assert browser.django_knows() == anna
    browser.django_posts("/accounts/logout/", {})
    assert (await browser.get("/who")).text == "nobody"


@sqlite
async def test_the_rows_of_an_old_django_are_read_and_written_where_that_is_asked_for(project):
    anna, users = project.add(), project.users()
    old = project.sessions(users, legacy=True)
    site = project.site(old)
    user = await users.get_by_name(anna)
    codec = DjangoCodec(django_keys(KEY, legacy=True), legacy=True)
    key = project.ask("new_session", {}, 600)
    project.ask("write_row", key, codec.encode({
        "_auth_user_id": str(user.id), "_auth_user_backend": BACKEND, "cart": ["tea"],
        "_auth_user_hash": django_keys(KEY, legacy=True)[0].stamp(user.password_hash)}, 0))
    browser = Browser(site, project)
    browser.jar[("sessionid", "/")] = (key, False, True)
    assert [(await browser.get("/who")).text, (await browser.get("/add?item=milk")).text] == [anna, "added"]
    table = old.table
    rows = await old.database.run((module.select(table).where(table.c.session_key == key), {}))
    assert ":" not in rows[0].session_data and codec.decode(rows[0].session_data)[0]["cart"] == ["tea", "milk"]
    browser.app = project.site()
    assert (await browser.get("/who")).text == "nobody"


@pytest.mark.parametrize("stores", ["postgresql"], indirect=True)
async def test_S11_a_server_that_is_frozen_or_gone_is_a_503_and_its_return_needs_no_restart(project):
    anna, users = project.add(), DjangoUsers(project.address, timeout=0.5)
    project.stores.opened.append(users)
    users.hasher = project.users().hasher
    browser = Browser(project.site(project.sessions(users)), project)
    await browser.log_in(anna)
    server = project.stores.server
    for fault, repair in ((server.freeze, server.thaw), (server.kill, server.start)):
        fault()
        assert (await browser.get("/who")).status_code == 503
        assert (await Browser(browser.app, project).log_in(anna)).status_code == 503
        repair()
        for _ in range(20):
            answer = await browser.get("/who")
            if answer.status_code == 200:
                break
            await asyncio.sleep(0.2)
        assert answer.text == anna
    project.ask("forget_connection")


async def test_a_database_that_is_down_is_a_503():
    users = DjangoUsers("postgresql+asyncpg://nobody@127.0.0.1:1/nothing", timeout=0.5)
    site = Microdot()
    Session(site, store=DjangoSessions(users, KEY))
    login = Login("/login", users=users)

    @site.get("/")
    @login
    async def index(request):
        return "in"

    answer = await Client(site).get("/", headers={"Cookie": "sessionid=" + "a" * 32})
    assert answer.status_code == 503
    await users.close()


def test_what_cannot_be_told_is_said_at_the_start():
    users = DjangoUsers("sqlite+aiosqlite:///x.db")
    for wrong in ("a.b.C", (), []):
        with pytest.raises(ValueError, match="AUTHENTICATION_BACKENDS"):
            DjangoSessions(users, KEY, backends=wrong)
    assert repr(django_keys(KEY)) == "[<Key>]"
