"""The sites under load: the same two routes, ``/bare`` and ``/login``, with sessions in different places.

``SITE`` names the one that ``app`` is; ``USERS`` says how many users it has, and ``REDIS``, ``POSTGRESQL`` and
``SQLITE`` where the servers are. ``python -m benchmarks.server.sites FILE`` logs all users in and writes their cookies.
"""
import asyncio
import os
import sys
from typing import Any

import microdot.asgi
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import create_async_engine

from dotlatch.login import Login
from dotlatch.server import records
from dotlatch.server.asgi import Microdot
from dotlatch.server.redis import RedisStore
from dotlatch.server.sqlalchemy import SQLAlchemyStore
from dotlatch.server.sqlalchemy_users import SQLAlchemyUsers
from dotlatch.session import Session
from dotlatch.stores import MemoryStore

from . import peers

SECRET = '0123456789abcdef0123456789abcdef'
AT_ONCE = 8
PATIENCE = 30  # seconds: here nothing is wrong, only slow


class User:
    """One of many, as a table has them."""
    session_version = 0
    is_active = True

    def __init__(self, number: int) -> None:
        self.id = str(number)
        self.name = 'user%d' % number
        self.password_hash = 'pbkdf2_sha256$600000$abcdefghijklmnopqrstuv$%043d=' % number


class Users:
    """All of them in memory, so that a session is all that is looked up elsewhere."""
    def __init__(self, count: int) -> None:
        self._users = {str(number): User(number) for number in range(count)}

    async def load_user(self, user_id: str) -> 'User | None':
        return self._users.get(user_id)

    get_by_id = load_user


def site(store: Any = None, users: Any = None) -> Any:
    app, bare = Microdot(), microdot.asgi.Microdot()
    login = Login(users=users or Users(int(os.environ['USERS'])))
    Session(app, secret_key=SECRET, store=store)

    @app.get('/enter')
    async def enter(request: Any) -> Any:
        return await login.login_user(request, User(int(request.args['u'])))

    @app.get('/login')
    @login
    async def protected(request: Any) -> Any:
        return 'ok'

    @bare.get('/bare')
    async def without(request: Any) -> Any:
        return 'ok'

    return peers.beside(app, bare)


def redis() -> Any:
    return site(RedisStore(os.environ['REDIS'], timeout=PATIENCE))


def postgresql() -> Any:
    return site(SQLAlchemyStore(os.environ['POSTGRESQL'], timeout=PATIENCE))


def all_postgresql() -> Any:
    store = SQLAlchemyStore(os.environ['POSTGRESQL'], timeout=PATIENCE)
    return site(store, SQLAlchemyUsers(store.database))


def all_sqlite() -> Any:
    store = SQLAlchemyStore(os.environ['SQLITE'], timeout=PATIENCE)
    return site(store, SQLAlchemyUsers(store.database))


SITES = {
    'cookie': site,
    'redis': redis,
    'postgresql': postgresql,
    'postgresql-users': all_postgresql,
    'sqlite-users': all_sqlite,
    'starlette': peers.starlette,
    'django': peers.django,
}


# --- logging in -----------------------------------------------------------------------------------

async def cookie_of(application: Any, number: int) -> str:
    """Log a user in, and return the cookie."""
    scope = {'type': 'http', 'http_version': '1.1', 'method': 'GET', 'scheme': 'http', 'path': '/enter',
             'query_string': b'u=%d' % number, 'client': ('127.0.0.1', 1),
             'headers': [(b'host', b'127.0.0.1'), (b'user-agent', b'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0')]}
    sent: 'list[Any]' = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {'type': 'http.disconnect'}

    await application(scope, receive, send)
    cookies = [value for name, value in sent[0]['headers'] if name.lower() == b'set-cookie']
    if not cookies:
        raise RuntimeError('no login: %s' % sent)
    return cookies[-1].decode().split(';')[0]


async def log_all_in(application: Any, count: int) -> 'list[str]':
    cookies: 'list[str]' = [''] * count
    numbers = iter(range(count))

    async def some() -> None:
        for number in numbers:
            cookies[number] = await cookie_of(application, number)

    await asyncio.gather(*[some() for _ in range(AT_ONCE)])
    return cookies


async def fill(name: str, path: str) -> None:
    count = int(os.environ['USERS'])
    if name == 'django':
        cookies = await asyncio.to_thread(peers.fill_django, count)
    else:
        if name in ('postgresql-users', 'sqlite-users'):
            await fill_users(url_of(name), count)
        store = MemoryStore(count) if 'postgresql' in name or 'sqlite' in name else None
        cookies = await log_all_in(SITES[name]() if store is None else site(store), count)
        if store is not None:  # a table takes them sooner in one piece
            await fill_sessions(url_of(name), store, [cookie.partition('=')[2][:22] for cookie in cookies])
    with open(path, 'w') as file:
        file.write('\n'.join(cookies) + '\n')


def url_of(name: str) -> str:
    return os.environ['POSTGRESQL' if name.startswith('postgresql') else 'SQLITE']


async def fill_sessions(url: str, store: MemoryStore, ids: 'list[str]') -> None:
    table = SQLAlchemyStore(url)
    await table.create_all()
    await table.close()
    rows = []
    for session_id in ids:
        packed = records.pack(await store.load(session_id) or {}, records.MAX_RECORD)
        rows.append({'id': session_id, 'user_key': packed.user_key, 'ends': packed.ends, 'seen': packed.seen,
                     'record': packed.text.decode()})
    await put(url, table.table, rows)


async def put(url: str, table: Any, rows: 'list[dict[str, Any]]') -> None:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        for start in range(0, len(rows), 1000):
            await connection.execute(insert(table), rows[start:start + 1000])
    await engine.dispose()


async def fill_users(url: str, count: int) -> None:
    users = SQLAlchemyUsers(url)
    await users.create_all()
    await users.close()
    await put(url, users.table, [{
        'id': user.id, 'name': user.name, 'name_key': user.name, 'password_hash': user.password_hash,
        'is_active': True, 'session_version': 0, 'scopes': '[]', 'totp_step': 0} for user in map(User, range(count))])


if __name__ == '__main__':
    asyncio.run(fill(os.environ['SITE'], sys.argv[1]))
elif 'SITE' in os.environ:
    app = SITES[os.environ['SITE']]()
