"""Django's sessions in cookies, shared with a Microdot app: a real Django with its backend signed_cookies."""

import time

import pytest
from client import Client
from microdot import Microdot

from dotlatch.login import Login
from dotlatch.loginpages import LoginPages
from dotlatch.server.django_codec import COOKIE_SALT, DjangoCodec, django_keys
from dotlatch.server.django_cookies import DjangoCookies
from dotlatch.session import Session, with_session
from tests.stores.django_project import KEY, Browser
from tests.stores.users import ANOTHER

pytestmark = pytest.mark.parametrize("stores", ["sqlite"], indirect=True)
NEW_KEY = "django-insecure-the-next-one-0123456789abcdefghijklmn"
IN_COOKIES = {"SESSION_ENGINE": "django.contrib.sessions.backends.signed_cookies"}


def site(project, key=KEY):
    app, users = Microdot(), project.users()
    codec = DjangoCookies(users, key)
    Session(app, codec.keys, codec=codec, name="sessionid", host_prefix=False)
    login = Login(users=users)
    LoginPages(app, login, remember=0)

    @app.get("/who")
    async def who(request):
        user = await login.get_current_user(request)
        return user.name if user else "nobody"

    @app.get("/add")
    @with_session
    async def add(request, session):
        session["cart"] = [*session.get("cart", []), request.args["item"]]
        session.save()
        return ",".join(session["cart"])

    return app


async def test_one_cookie_is_a_login_on_both_sides(project):
    app = site(project)
    for log_in in ("django", "here"):
        anna, browser = project.add(), Browser(app, project)
        if log_in == "django":
            browser.django_logs_in(anna, **IN_COOKIES)
        else:
            await browser.log_in(anna)
        assert (await browser.get("/who")).text == browser.django_knows(**IN_COOKIES) == anna
        browser.django_posts("/cart", {"item": "tea"}, **IN_COOKIES)
        assert (await browser.get("/add?item=milk")).text == "tea,milk"
        assert "In the cart: tea, milk." in browser.django("/", **IN_COOKIES)


async def test_a_logout_on_either_side_is_one_on_both(project):
    app, anna = site(project), project.add()
    browser = Browser(app, project)
    browser.django_logs_in(anna, **IN_COOKIES)
    browser.django_posts("/accounts/logout/", {}, **IN_COOKIES)
    assert (await browser.get("/who")).text == "nobody"
    browser.django_logs_in(anna, **IN_COOKIES)
    thief = browser.copy()
    await browser.post("/logout")
    assert browser.django_knows(**IN_COOKIES) is None
    assert (await thief.get("/who")).text == "nobody"


async def test_S6_a_new_password_ends_what_the_old_one_opened(project):
    anna, browser = project.add(), Browser(site(project), project)
    await browser.log_in(anna)
    project.ask("set_password", anna, ANOTHER)
    assert [(await browser.get("/who")).text, browser.django_knows(**IN_COOKIES)] == ["nobody", None]


async def test_a_key_that_is_new_takes_sessions_along(project):
    anna, browser = project.add(), Browser(site(project), project)
    browser.django_logs_in(anna, **IN_COOKIES)
    browser.app = site(project, [NEW_KEY, KEY])
    assert (await browser.get("/who")).text == anna
    browser.app = site(project, NEW_KEY)
    assert (await browser.get("/who")).text == browser.django_knows(SECRET_KEY=NEW_KEY, **IN_COOKIES) == anna


async def test_cookies_that_are_none_or_have_ended_are_anonymous(project):
    app, anna = site(project), project.add()
    browser = Browser(app, project)
    browser.django_logs_in(anna, **IN_COOKIES)
    content, saved = DjangoCodec(django_keys(KEY), COOKIE_SALT).decode(browser.key)
    year = 365 * 24 * 3600
    codec = DjangoCodec(django_keys(KEY), COOKIE_SALT)
    others = [DjangoCodec(django_keys(KEY)), DjangoCodec(django_keys(NEW_KEY), COOKIE_SALT)]
    wrong = [codec.encode(content, saved - year), codec.encode(content, saved + year), browser.key[:-1],
             *[other.encode(content, saved) for other in others]]
    for cookie in wrong:
        answer = await Client(app).get("/who", headers={"Cookie": "sessionid=" + cookie})
        assert (answer.status_code, answer.text) == (200, "nobody")
    assert abs(saved - time.time()) < 60 and (await browser.get("/who")).text == anna


async def test_a_handler_may_not_log_somebody_in_by_djangos_names(project):
    codec = DjangoCookies(project.users(), KEY)
    for name in ("_auth_user_id", "_auth_user_backend", "_auth_user_hash", "_dotlatch"):
        with pytest.raises(ValueError, match="log in with Login"):
            codec.encode({"data": {name: "1"}})


async def test_a_session_that_somebody_else_began_has_another_id_after_the_login(project):
    app, anna = site(project), project.add()
    planted = Browser(app, project)
    await planted.get("/add?item=tea")
    browser = planted.copy()
    browser.django_logs_in(anna, **IN_COOKIES)
    await planted.post("/logout")
    assert (await browser.get("/who")).text == anna
