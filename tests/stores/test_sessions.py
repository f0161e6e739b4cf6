"""`Session(store=...)` on every store: two programs that share one are one site, and a store that is down is a 503."""

import pytest
from microdot import Microdot

from dotlatch.login import Login
from dotlatch.session import Session, session_of, with_session
from tests.stores.kinds import BETWEEN_PROCESSES, SERVERS

KEY = "0123456789abcdef0123456789abcdef"


def site(store):
    app = Microdot()
    Session(app, secret_key=KEY, store=store, idle=600)
    login = Login()

    @login.user_loader
    async def load(user_id):
        return {"id": user_id}

    @app.post("/login")
    async def log_in(request):
        return await login.login_user(request, {"id": "anna"})

    @app.post("/logout")
    async def log_out(request):
        await login.logout_user(request)
        return "bye"

    @app.post("/end-others")
    async def end_others(request):
        await login.get_current_user(request)
        ext = session_of(request)
        return str(await ext.end_sessions("anna", keep=ext.get(request)))

    @app.get("/who")
    async def who(request):
        user = await login.get_current_user(request)
        return user["id"] if user else "nobody"

    @app.get("/")
    @with_session
    async def count(request, session):
        session["n"] = session.get("n", 0) + 1
        session.save()
        return str(session["n"])

    return app


def browser(app):
    from client import Client  # of tests/portable: conftest.py puts that folder on the path
    return Client(app)


@pytest.mark.parametrize("stores", BETWEEN_PROCESSES, indirect=True)
async def test_two_programs_with_one_store_are_one_site(stores):
    store = stores.one()
    first, second = site(store), site(stores.open(store.name))
    anna = browser(first)
    await anna.post("/login")
    there = anna.copy(second)
    assert [(await anna.get("/")).text, (await there.get("/")).text, (await anna.get("/")).text] == ["1", "2", "3"]
    assert (await there.get("/who")).text == "anna"
    await there.post("/logout")
    assert (await anna.get("/who")).text == "nobody"


async def test_all_other_sessions_of_a_user_can_be_ended(stores):
    app = site(stores.one())
    phone, desk = browser(app), browser(app)
    await phone.post("/login")
    await desk.post("/login")
    assert (await desk.post("/end-others")).text == "1"
    assert [(await phone.get("/who")).text, (await desk.get("/who")).text] == ["nobody", "anna"]


@pytest.mark.parametrize("stores", SERVERS, indirect=True)
async def test_S11_a_server_that_is_gone_is_a_503_and_its_return_needs_no_restart(stores):
    app = site(stores.one())
    anna = browser(app)
    await anna.post("/login")
    kept = anna.copy()
    stores.server.kill()
    try:
        for answer in (await anna.get("/"), await anna.get("/who"), await anna.post("/login")):
            assert (answer.status_code, answer.cookies) == (503, [])
    finally:
        stores.server.start()
    again = (await kept.get("/who")).text
    assert again in ("anna", "nobody")  # what a crash forgets is up to the server; it is nobody else
