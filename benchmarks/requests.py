"""What a protected route costs above the bare one sent the same credentials, as an ASGI application (CPython).

The application is called as a server calls it, so that the figure is the framework's and not the client's.
"""
import asyncio
import importlib
import logging
import time
from statistics import median
from typing import Any

from microdot.asgi import Microdot

ROUNDS = 9
NUMBER = 2000
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
    auth = importlib.import_module(package + '.auth')
    options = {'allow_http': True} if package == 'dotlatch' else {}
    basic, token = auth.BasicAuth(**options), auth.TokenAuth(**options)
    app = Microdot()
    session.Session(app, secret_key='0123456789abcdef0123456789abcdef')
    user = User()

    @login.user_loader
    async def load_user(user_id: Any) -> Any:
        return user

    @basic.authenticate
    async def check_password(request: Any, username: str, password: str) -> Any:
        return user

    @token.authenticate
    async def check_token(request: Any, value: str) -> Any:
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

    @app.get('/beside')  # the last routes are found last, which takes as long as some checks
    async def beside(request: Any) -> Any:
        return 'ok'

    @app.get('/basic')
    @basic
    async def with_basic(request: Any) -> Any:
        return 'ok'

    @app.get('/token')
    @token
    async def with_token(request: Any) -> Any:
        return 'ok'

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
    added: 'dict[tuple[str, str], list[float]]' = {(package, path): [] for package in apps for path in CREDENTIALS}
    for _ in range(ROUNDS):
        for package, path in added:
            bare, _ = await get(apps[package], '/beside', None, NUMBER, CREDENTIALS[path])
            taken, _ = await get(apps[package], path, None, NUMBER, CREDENTIALS[path])
            added[package, path].append(taken - bare)
    print('CPU time of one request, and what it adds to the bare route\n')
    for package in apps:
        bare_times = times[package, '/bare']
        for path in PATHS:
            adds = median(t - b for t, b in zip(times[package, path], bare_times))
            print('%-10s %-10s %7.1f us   adds %5.1f us' % (package, path, median(times[package, path]), adds))
        for path in CREDENTIALS:
            print('%-10s %-10s %10s   adds %5.1f us' % (package, path, '', median(added[package, path])))


def main(arguments: 'list[str]') -> None:
    logging.disable()
    asyncio.run(measure())


if __name__ == '__main__':
    main([])
