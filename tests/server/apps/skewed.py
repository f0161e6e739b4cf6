"""An app on a machine whose clock is `SKEW` seconds ahead of the others', which share what they keep.

`SESSIONS` says where sessions are: in `cookies`, or in the `redis` or `postgresql` at `REDIS_URL` and `POSTGRESQL_URL`.
"""

import os
import time

from dotlatch import passwords, portable, tokens
from dotlatch.digest import DigestAuth
from dotlatch.http import form
from dotlatch.login import Login
from dotlatch.second import SecondFactor
from dotlatch.server.redis import RedisBackend
from dotlatch.server.sqlalchemy import SQLAlchemyStore
from dotlatch.session import Session, with_session
from dotlatch.tickets import TicketAuth
from dotlatch.totp import ClockNotSet
from dotlatch.users import FileUsers

KEY = "the key of the tests: 32 bytes or more of it"
PASSWORD = "correct horse battery staple"
LONG, SHORT = 300, 30  # seconds that tickets wait

SKEW = int(os.environ.get("SKEW", "0"))
if SKEW:
    portable._wall_clock = lambda: time.time() + SKEW


def create_app(app):
    passwords.ITERATIONS = 2
    redis = RedisBackend(os.environ["REDIS_URL"])
    if os.environ["SESSIONS"] == "cookies":
        Session(app, secret_key=KEY, revoked=redis.revoked, idle=600)
    else:
        store = redis.store
        if os.environ["SESSIONS"] == "postgresql":
            store = SQLAlchemyStore(os.environ["POSTGRESQL_URL"])
        Session(app, secret_key=KEY, store=store, idle=600)
    users = FileUsers(os.environ["USERS"])
    login = Login(users=users, throttle=redis.throttle, second_factor=SecondFactor(users))
    tickets = {ttl: TicketAuth(KEY, ttl, used=redis.tickets, anywhere=True) for ttl in (LONG, SHORT)}
    digest = DigestAuth(realm="tests", nonces=redis.nonces)
    digested = {"id": "anna", "digest_ha1": digest.make_ha1("anna", PASSWORD)}

    @app.post("/login")
    async def log_in(request):
        fields = form(request)
        return await login.login(request, fields["name"], fields["password"], "remember" in fields) or ("no", 401)

    @app.post("/login/code")
    async def enter_code(request):
        try:
            return await login.enter_code(request, form(request)["code"]) or ("no", 401)
        except ClockNotSet:
            return "the clock is behind", 503

    @app.post("/logout")
    async def log_out(request):
        await login.logout_user(request)
        return "bye"

    @app.get("/who")
    async def who(request):
        user = await login.get_current_user(request)
        return user.name if user else "nobody"

    @app.get("/fresh")
    @login.fresh
    async def fresh(request):
        return "fresh"

    @app.post("/note")
    @with_session
    async def note(request, session):
        session["note"] = form(request)["note"]
        session.save()
        return "noted"

    @app.get("/note")
    @with_session
    async def noted(request, session):
        return session.get("note", "nothing")

    @app.get("/token")
    async def token(request):
        return tokens.encode({"sub": "anna"}, KEY, ttl=int(request.args["ttl"]))

    @app.get("/read")
    async def read(request):
        try:
            return tokens.decode(request.args["token"], KEY)["sub"]
        except tokens.TokenError:
            return "no"

    @app.get("/digest")
    @digest
    async def by_digest(request):
        return "in"

    @digest.authenticate
    async def find(request, name):
        return digested

    for ttl, ticket in tickets.items():
        add_ticket(app, login, ticket, "/ticket/" + str(ttl))
        ticket.user_loader(users.get_by_id)

    return app


def add_ticket(app, login, ticket, path):
    @app.post(path)
    @login
    async def issue(request):
        return await ticket.issue(request, path)

    @app.get(path)
    @ticket
    async def redeem(request):
        return "in"
