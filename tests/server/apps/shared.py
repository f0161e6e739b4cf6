"""An app that several servers are at once: they share its sessions and its users.

`STORE` says where the sessions are: the address of a Redis or of a database, a folder, or nowhere but in the cookies,
and then the file `REVOKED` tells of those that were ended. `USERS` is the file of the users, and `GATES` a folder where
a slow request waits for a file. Every answer says which process it came from.
"""

import asyncio
import os
from pathlib import Path

from microdot import abort

from dotlatch.http import form
from dotlatch.login import Login
from dotlatch.portable import random_id
from dotlatch.server.redis import RedisStore
from dotlatch.server.sqlalchemy import SQLAlchemyStore
from dotlatch.session import Session, session_of, with_session
from dotlatch.stores import FileStore
from dotlatch.users import FileUsers

KEY = "the key of the tests: 32 bytes or more of it"
REDIS_SECONDS = 0.5
GATE_SECONDS = 20


def open_store(address):
    if address.startswith("redis:"):
        return RedisStore(address, timeout=REDIS_SECONDS)
    if "://" in address:
        return SQLAlchemyStore(address)
    return FileStore(address) if address else None


def create_app(app):
    Session(app, secret_key=KEY, store=open_store(os.environ["STORE"]), revoked_path=os.environ.get("REVOKED"))
    users = FileUsers(os.environ["USERS"])
    login = Login()

    @login.user_loader
    async def load_user(user_id):
        return users.get_by_id(user_id)

    async def answer(request, **more):
        user = await login.get_current_user(request)
        return {"pid": os.getpid(), "who": user.name if user else None, **more}

    @app.post("/login")
    async def log_in(request):
        await login.login_user(request, users.get_by_name(form(request)["name"]))
        return await answer(request)

    @app.post("/logout")
    async def log_out(request):
        await login.logout_user(request)
        return await answer(request)

    @app.get("/who")
    @with_session
    async def who(request, session):
        return await answer(request, note=session.get("note"))

    @app.post("/note")
    @with_session
    async def note(request, session):
        """Keep something in the session, as late as the gate that is named opens."""
        fields = form(request)
        before = await answer(request)
        await gate(fields.get("gate"))
        session["note"] = fields["note"]
        session.save()
        return before

    @app.post("/regenerate")
    @with_session
    async def regenerate(request, session):
        session.regenerate()
        session.save()
        return await answer(request)

    @app.post("/password")
    @login
    async def change_password(request):
        user = request.g.current_user
        await users.set_password(user, random_id())
        await login.login_user(request, user)  # this browser stays
        return await answer(request)

    @app.get("/sessions")
    @login
    async def sessions(request):
        listed = await session_of(request).list_sessions(request.g.current_user.id)
        return await answer(request, clients=[one["client"] for one in listed])

    @app.post("/end-others")
    @login
    @with_session
    async def end_others(request, session):
        ended = await session_of(request).end_sessions(request.g.current_user.id, keep=session)
        return await answer(request, ended=ended)

    return app


async def gate(name):
    """Say that somebody waits here, and wait until the test opens."""
    if name:
        (Path(os.environ["GATES"]) / (name + ".reached")).touch()
        for _ in range(GATE_SECONDS * 100):
            if (Path(os.environ["GATES"]) / (name + ".open")).exists():
                return
            await asyncio.sleep(0.01)
        abort(500, "the gate stayed shut")
