"""A site under load whose Redis and PostgreSQL are killed and frozen in turn, all in one app.

Sessions and the throttle are in Redis, users and API keys in PostgreSQL. Some visitors count in their sessions, some
log in again and again, some come with a key. What was measured stands under "figures".
"""

import asyncio
import time

import httpx
import pytest

from dotlatch import passwords
from dotlatch.auth import APIKeyAuth
from dotlatch.http import form
from dotlatch.login import Login
from dotlatch.server.asgi import Microdot
from dotlatch.server.redis import RedisBackend
from dotlatch.server.sqlalchemy_keys import SQLAlchemyKeys
from dotlatch.server.sqlalchemy_users import SQLAlchemyUsers
from dotlatch.session import Session, with_session
from tests.stores.kinds import TIMEOUT

KEY = "the key of the tests: 32 bytes or more of it"
PASSWORD = "correct horse battery staple"
VISITORS = 3            # of each kind
QUESTIONS = 4           # that one request asks its servers at most, each with its time limit
SLACK = 1.5             # seconds that a busy machine may take on top
PATIENCE = 20
FAULTS = [(server, fault) for server in ("redis", "postgresql") for fault in ("kill", "freeze")]


def make_app(redis, users, keys):
    app = Microdot()
    Session(app, secret_key=KEY, store=redis.store)
    login = Login(users=users, throttle=redis.throttle)
    by_key = APIKeyAuth(keys, users.get_by_id, allow_http=True)

    @app.post("/login")
    async def log_in(request):
        fields = form(request)
        return await login.login(request, fields["name"], fields["password"]) or ("no", 401)

    @app.post("/count")
    @login
    @with_session
    async def count(request, session):
        session["count"] = int(form(request)["count"])
        session.save()
        return request.g.current_user.name

    @app.get("/count")
    @login
    @with_session
    async def counted(request, session):
        return {"name": request.g.current_user.name, "count": session.get("count", 0)}

    @app.get("/key")
    @by_key
    async def keyed(request):
        return request.g.current_user.name

    return app


class Visitor:
    """Somebody who asks again and again, and what came back."""

    def __init__(self, app, name, key):
        self.name = name
        self.key = key
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, client=(f"10.0.0.{name[4:]}", 1)), base_url="http://site.example",
            headers={"Origin": "http://site.example", "Accept": "application/json"})
        self.answers = []  # (when it was asked, when it was answered, status)
        self.acknowledged = self.sent = 0

    async def log_in(self):
        return await self.client.post("/login", data={"name": self.name, "password": PASSWORD})

    async def count(self):
        self.sent += 1
        answer = await self.client.post("/count", data={"count": self.sent})
        if answer.status_code == 200:
            assert answer.text == self.name
            self.acknowledged = self.sent
        return answer

    async def show_key(self):
        answer = await self.client.get("/key", headers={"X-API-Key": self.key})
        assert answer.status_code != 200 or answer.text == self.name
        return answer

    async def go_on(self, ask, ended):
        while not ended.is_set():
            asked = time.monotonic()
            answer = await ask()
            assert answer.status_code != 503 or answer.headers["Retry-After"] == "2"
            self.answers.append((asked, time.monotonic(), answer.status_code))
            assert answer.status_code in (200, 302, 503), answer.text
            await asyncio.sleep(0.01)

    def has(self, statuses, since):
        return any(asked > since and status in statuses for asked, _, status in self.answers)


async def each_has(visitors, statuses, since):
    deadline = time.monotonic() + PATIENCE
    while not all(visitor.has(statuses, since) for visitor in visitors):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("stores", ["redis"], indirect=True)
async def test_S11_a_site_outlives_its_servers_without_a_restart_and_loses_nothing(
        stores, postgresql_server, monkeypatch):
    monkeypatch.setattr(passwords, "ITERATIONS", 2)
    servers = {"redis": stores.server, "postgresql": postgresql_server}
    postgresql_server.start()
    redis = RedisBackend(stores.address, prefix="load:", timeout=TIMEOUT)
    users = SQLAlchemyUsers(postgresql_server.url, timeout=TIMEOUT)
    keys = SQLAlchemyKeys(users.database)
    await users.create_all()
    await keys.create_all()
    app = make_app(redis, users, keys)
    visitors, tasks, ended = [], [], asyncio.Event()
    for number in range(3 * VISITORS):
        user = await users.create(f"user{number}", PASSWORD)
        visitors.append(Visitor(app, user.name, await keys.create(user, "load")))
        assert (await visitors[-1].log_in()).status_code == 302
    counting, by_password, by_key = (visitors[kind::3] for kind in range(3))
    try:
        for group, ask in ((counting, Visitor.count), (by_password, Visitor.log_in), (by_key, Visitor.show_key)):
            tasks += [asyncio.create_task(visitor.go_on(ask.__get__(visitor), ended)) for visitor in group]
        figures = []
        for name, fault in FAULTS:
            server = servers[name]
            # What needs the server, and what goes on without it.
            hurt = counting + by_password + (by_key if name == "postgresql" else [])
            await each_has(visitors, (200, 302), time.monotonic())
            getattr(server, fault)()
            down = time.monotonic()
            await each_has(hurt, (503,), down)
            if name == "redis":
                await each_has(by_key, (200,), down)
            back = time.monotonic()
            await asyncio.to_thread(server.thaw if fault == "freeze" else server.start)
            up = time.monotonic()
            await each_has(visitors, (200, 302), up)
            figures.append(f"{name} {fault} {back - down:.1f} s, all back {time.monotonic() - up:.1f} s after it was")
            assert not any(task.done() for task in tasks)
    finally:
        ended.set()
        for server in servers.values():
            server.thaw()
            server.start()
        await asyncio.gather(*tasks)
    answers = [answer for visitor in visitors for answer in visitor.answers]
    slowest = max(done - asked for asked, done, _ in answers)
    assert slowest < QUESTIONS * TIMEOUT + SLACK
    for visitor in counting:
        found = (await visitor.client.get("/count")).json()
        assert found["name"] == visitor.name
        assert visitor.acknowledged <= found["count"] <= visitor.sent
    for visitor in visitors:
        await visitor.client.aclose()
    await redis.close()
    await users.close()
    print(f"figure: a site under load: {'; '.join(figures)}; {len(answers)} answers, "
          f"{sum(status == 503 for _, _, status in answers)} of them 503, the slowest after {slowest:.2f} s")
