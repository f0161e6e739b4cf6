"""When sessions end that Django has a say in: ``set_expiry``, cookies that go with the browser, idle times, clocks."""

import time
from datetime import datetime, timedelta, timezone
from urllib.parse import urlencode

import pytest
from microdot import Microdot

from dotlatch.impersonation import Impersonation
from dotlatch.login import Login
from dotlatch.loginpages import LoginPages
from dotlatch.server.django_codec import COOKIE_SALT, DjangoCodec, django_keys
from dotlatch.server.django_cookies import DjangoCookies, SessionCookie
from dotlatch.server.django_expiry import left
from dotlatch.session import Session, with_session
from tests.stores.django_project import KEY, Browser
from tests.stores.users import ANOTHER, DATABASES, PASSWORD

both = pytest.mark.parametrize("stores", DATABASES, indirect=True)
sqlite = pytest.mark.parametrize("stores", ["sqlite"], indirect=True)
DAY = 24 * 3600
FORTNIGHT = 14 * DAY
IN_COOKIES = {"SESSION_ENGINE": "django.contrib.sessions.backends.signed_cookies"}


def in_an_hour():
    return (datetime.now(timezone.utc) + timedelta(hours=1)).isoformat()


def kept_for(answer):
    """Seconds for which a browser keeps the session's cookie, or None for as long as it is open."""
    (cookie,) = [line for line in answer.cookies if line.startswith("sessionid=")]
    ages = [part.partition("=")[2] for part in cookie.split("; ") if part.startswith("Max-Age=")]
    return int(ages[0]) if ages else None


def with_expiry(project, browser, expiry):
    """The browser's session from now on, as if Django had said when it ends."""
    data = {**project.ask("session", browser.key)["data"], "_session_expiry": expiry}
    browser.jar[("sessionid", "/")] = (project.ask("new_session", data, expiry), False, True)


# --- set_expiry -----------------------------------------------------------------------------------------

@both
@pytest.mark.parametrize("expiry, seconds, kept", [
    (300, 300, 300), (0, FORTNIGHT, None), (30 * DAY, FORTNIGHT, 30 * DAY)])
async def test_a_password_that_is_typed_once_more_makes_a_session_last_no_longer(project, expiry, seconds, kept):
    browser, anna = Browser(project.site(), project), project.add()
    browser.django_logs_in(anna)
    with_expiry(project, browser, expiry)
    answer = await browser.log_in(anna)
    assert (await browser.get("/who")).text == browser.django_knows() == anna
    assert abs(project.ask("session", browser.key)["ends"] - time.time() - seconds) < 30
    assert kept_for(answer) == (kept and pytest.approx(kept, abs=30))


@both
async def test_a_session_that_goes_with_the_browser_does_so_under_a_new_password(project):
    browser, anna = Browser(project.site(), project), project.add()
    await browser.log_in(anna)
    with_expiry(project, browser, 0)
    answer = await browser.post("/account/password", form=urlencode({
        "current": PASSWORD, "new": ANOTHER, "again": ANOTHER}))
    assert (answer.status_code, kept_for(answer)) == (303, None)
    assert (await browser.get("/who")).text == anna
    browser.restart()
    assert (await browser.get("/who")).text == "nobody"


@sqlite
@pytest.mark.parametrize("expiry", [None, 0, 300, FORTNIGHT, in_an_hour()])
async def test_a_session_of_ours_ends_where_one_of_djangos_does(project, expiry):
    site = project.site()

    @site.get("/begin")
    @with_session
    async def begin(request, session):
        session.update({"cart": ["tea"]} if expiry is None else {"cart": ["tea"], "_session_expiry": expiry})
        session.save()
        return "begun"

    browser = Browser(site, project)
    ours = kept_for(await browser.get("/begin"))
    ends = project.ask("session", browser.key)["ends"]
    theirs = project.ask("cookie_lifetime", browser.key)  # which has Django save it
    assert (ours, theirs) == (None, "") or abs(ours - theirs) < 30
    assert abs(project.ask("session", browser.key)["ends"] - ends) < 30


@sqlite
async def test_cookies_go_with_the_browser_where_the_project_has_it_so(project):
    browser, anna = Browser(project.site(cookie_options={"max_age": None}), project), project.add()
    assert kept_for(await browser.log_in(anna)) is None
    assert abs(project.ask("session", browser.key)["ends"] - time.time() - FORTNIGHT) < 30


@sqlite
async def test_options_that_come_with_the_app_leave_the_cookies_time_as_it_is(project):
    site = project.site()
    site._session.initialize(site, cookie_options={"same_site": "Strict"})
    browser = Browser(site, project)
    answer = await browser.log_in(project.add())
    assert kept_for(answer) == FORTNIGHT and "SameSite=Strict" in answer.cookies[0]


def test_an_expiry_that_is_none_changes_nothing():
    now = int(time.time())
    for odd in (None, 0, "", "tomorrow", "9999-99-99", [], {}, 1e400, float("nan")):
        assert left({"_session_expiry": odd}, now) is None, odd
    assert [left({"_session_expiry": expiry}, now) for expiry in (5, 5.9, -5, "1970-01-01T00:00:00+00:00")] == [
        5, 5, -5, -now]


# --- idle -----------------------------------------------------------------------------------------------

@sqlite
async def test_S3_a_session_is_in_use_that_django_saves_or_that_is_seen_here(project):
    browser, anna = Browser(project.site(idle=600), project), project.add()
    await browser.log_in(anna)
    codec = DjangoCodec(django_keys(KEY))

    def was(seen_here, saved):
        """So many seconds ago."""
        data = project.ask("session", browser.key)["data"]
        data["_dotlatch"]["seen"] = int(time.time()) - seen_here
        project.ask("write_row", browser.key, codec.encode(data, int(time.time()) - saved))

    for seen_here, saved, name in ((700, 10, anna), (10, 700, anna), (700, 700, "nobody")):
        was(seen_here, saved)
        assert (await browser.get("/who")).text == name, (seen_here, saved)


# --- sessions that are cookies --------------------------------------------------------------------------

def site_with_cookies(project, session=None, **options):
    users = project.users()
    codec = DjangoCookies(users, KEY, **options)
    app = Microdot()
    Session(app, codec.keys, codec=codec, transport=SessionCookie("sessionid"), **(session or {}))
    login = Login(users=users, impersonation=Impersonation("superuser", max_age=60))
    LoginPages(app, login, remember=0)

    @app.get("/who")
    async def who(request):
        user = await login.get_current_user(request)
        return user.name if user else "nobody"

    @app.get("/add")
    @with_session
    async def add(request, session):
        session["cart"] = [*session.get("cart", []), "tea"]
        session.save()
        return "added"

    @app.get("/act")
    async def act(request):
        return await login.impersonate(request, await users.get_by_name(request.args["for"]))

    return app


def aged(browser, seconds):
    """The browser's cookie as if time had passed since it was written."""
    codec = DjangoCodec(django_keys(KEY), COOKIE_SALT)
    content, saved = codec.decode(browser.key)
    ours = content.get("_dotlatch", {})
    ours.update({name: ours[name] - seconds for name in ("iat", "seen", "until") if name in ours})
    browser.jar[("sessionid", "/")] = (codec.encode(content, saved - seconds), False, True)


@sqlite
async def test_a_cookie_that_goes_with_the_browser_does_so_when_it_is_saved_here(project):
    app, anna = site_with_cookies(project), project.add()
    for expiry, kept in ((0, None), (300, 300)):
        browser = Browser(app, project)
        browser.django_logs_in(anna, **IN_COOKIES)
        codec = DjangoCodec(django_keys(KEY), COOKIE_SALT)
        content, saved = codec.decode(browser.key)
        browser.jar[("sessionid", "/")] = (codec.encode({**content, "_session_expiry": expiry}, saved), False, False)
        assert kept_for(await browser.get("/add")) == kept
        assert (await browser.get("/who")).text == browser.django_knows(**IN_COOKIES) == anna


@sqlite
async def test_a_short_time_that_the_app_asks_for_holds_however_often_a_session_is_saved(project):
    browser = Browser(site_with_cookies(project, session={"max_age": 600}), project)
    anna = project.add()
    await browser.log_in(anna)
    for passed, name in ((400, anna), (250, "nobody")):
        aged(browser, passed)
        assert (await browser.get("/who")).text == name
        await browser.get("/add")


@sqlite
async def test_nobody_acts_for_others_longer_than_was_said(project):
    browser = Browser(site_with_cookies(project), project)
    boss, anna = project.add(is_superuser=True), project.add()
    await browser.log_in(boss)
    assert (await browser.get("/act?for=" + anna)).status_code == 302
    assert (await browser.get("/who")).text == anna
    aged(browser, 61)
    assert (await browser.get("/who")).text == "nobody"


@sqlite
async def test_sessions_go_on_with_each_time_they_are_saved_as_in_django(project):
    browser, anna = Browser(site_with_cookies(project), project), project.add()
    await browser.log_in(anna)
    for _ in range(2):
        aged(browser, 10 * DAY)
        assert (await browser.get("/add")).status_code == 200
        assert (await browser.get("/who")).text == browser.django_knows(**IN_COOKIES) == anna
    aged(browser, 15 * DAY)
    assert [(await browser.get("/who")).text, browser.django_knows(**IN_COOKIES)] == ["nobody", None]


@sqlite
async def test_a_clock_that_is_a_little_behind_djangos_keeps_nobody_out(project):
    browser, anna = Browser(site_with_cookies(project), project), project.add()
    browser.django_logs_in(anna, **IN_COOKIES)
    aged(browser, -5)
    assert (await browser.get("/who")).text == browser.django_knows(**IN_COOKIES) == anna
    aged(browser, -2 * DAY)
    assert (await browser.get("/who")).text == "nobody"
