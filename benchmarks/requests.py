"""What a protected route costs above the bare one sent the same credentials, as an ASGI application (CPython).

The application is called as a server calls it, so that the figure is the framework's and not the client's. All take
turns of some milliseconds, so that what else the machine does is spread over them.
"""
import asyncio
import importlib
import logging
import time
from statistics import quantiles
from typing import Any

from microdot.asgi import Microdot

ROUNDS = 100
NUMBER = 200
PATHS = ('/bare', '/session', '/login')
CREDENTIALS = {'/basic': b'Basic YW5uYTpjb3JyZWN0IGhvcnNl', '/token': b'Bearer 4Hs8LqXe0Zk3VbNnP1rT7yUoW2a5cDfG'}


class User:
    id = 'u-123'
    name = 'anna'
    password_hash = 'pbkdf2_sha256$600000$abcdefghijklmnopqrstuv$c2l4dGVlbiBieXRlcyBhcmUgbm90IGVub3VnaCBoZXJl'
    session_version = 0
    is_active = True


def make_app(package: str) -> Any:
    session = importlib.import_module(package + '.session')
    login = importlib.import_module(package + '.login').Login()
    app = Microdot()
    session.Session(app, secret_key='0123456789abcdef0123456789abcdef')
    user = User()

    @login.user_loader
    async def load_user(user_id: Any) -> Any:
        return user

    @app.get('/enter')
    async def enter(request: Any) -> Any:
        return await login.login_user(request, user)

    @app.get('/bare')
    async def bare(request: Any) -> Any:
        return 'ok'

    @app.get('/session')
    @session.with_session
    async def with_session(request: Any, session: Any) -> Any:
        return 'ok'

    @app.get('/login')
    @login
    async def protected(request: Any) -> Any:
        return 'ok'

    return app


def make_locked_app(package: str, path: str) -> Any:
    """An app with one route, since the last are found last, which takes as long as some checks."""
    app = Microdot()
    user = User()

    async def check(request: Any, *credentials: str) -> Any:
        return user

    async def page(request: Any) -> Any:
        return 'ok'

    if package:
        auth = importlib.import_module(package + '.auth')
        options = {'allow_http': True} if package == 'dotlatch' else {}
        scheme = auth.BasicAuth(**options) if path == '/basic' else auth.TokenAuth(**options)
        scheme.authenticate(check)
        page = scheme(page)
    app.get(path)(page)
    return app


async def get(app: Any, path: str, cookie: 'bytes | None', number: int = 1,
              authorization: 'bytes | None' = None) -> 'tuple[float, dict[bytes, bytes]]':
    headers = [(b'host', b'example.org'), (b'accept', b'*/*'), (b'user-agent', b'benchmark')]
    if cookie:
        headers.append((b'cookie', cookie))
    if authorization:
        headers.append((b'authorization', authorization))
    scope = {'type': 'http', 'http_version': '1.1', 'method': 'GET', 'scheme': 'http', 'path': path,
             'query_string': b'', 'headers': headers, 'client': ('127.0.0.1', 1)}
    sent: 'list[Any]' = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {'type': 'http.disconnect'}

    start = time.process_time()
    for _ in range(number):
        await app(scope, receive, send)
    taken = (time.process_time() - start) / number * 1e6
    assert sent[0]['status'] in (200, 302), sent[0]
    return taken, dict(sent[0]['headers'])


async def measure() -> None:
    apps = {package: make_app(package) for package in ('dotlatch', 'microdot')}
    cookies = {}
    for package, app in apps.items():
        _, headers = await get(app, '/enter', None)
        cookies[package] = headers[b'set-cookie'].split(b';')[0]
    times: 'dict[tuple[str, str], list[float]]' = {(package, path): [] for package in apps for path in PATHS}
    for _ in range(ROUNDS):
        for package, app in apps.items():
            for path in PATHS:
                taken, _ = await get(app, path, cookies[package], NUMBER)
                times[package, path].append(taken)
    locked = {(package, path): make_locked_app(package, path) for package in ('', *apps) for path in CREDENTIALS}
    taken_by: 'dict[tuple[str, str], list[float]]' = {key: [] for key in locked}
    for _ in range(ROUNDS):
        for (package, path), app in locked.items():
            taken, _ = await get(app, path, None, NUMBER, CREDENTIALS[path])
            taken_by[package, path].append(taken)
    print('CPU time of one request, and what it adds to the bare route\n')
    for package in apps:
        for path in PATHS:
            print_row(package, path, times[package, path], times[package, '/bare'])
        for path in CREDENTIALS:
            print_row(package, path, taken_by[package, path], taken_by['', path])


def print_row(package: str, path: str, times: 'list[float]', bare: 'list[float]') -> None:
    taken, less = [quantiles(t, n=10)[0] for t in (times, bare)]  # what others did meanwhile is in the slower ones
    print('%-10s %-10s %7.1f us   adds %5.1f us' % (package, path, taken, taken - less))


def main(arguments: 'list[str]') -> None:
    logging.disable()
    asyncio.run(measure())


if __name__ == '__main__':
    main([])
