"""What ``benchmarks/sessions.py`` has served: the same routes with each framework's sessions and logins.

``SITE`` names the one that ``app`` is. ``/enter`` logs in and ``/begin`` begins to count in the session; ``/read`` and
``/write`` look there and count on, ``/login`` needs the login; ``/bare`` is a route of an app of that framework without
any of this, and ``/cpu`` tells the CPU time that the process has taken, in nanoseconds.
"""
import importlib
import os
import time
from typing import Any

SECRET = '0123456789abcdef0123456789abcdef'


class User:
    id = 'u-123'
    name = 'anna'
    password_hash = 'pbkdf2_sha256$600000$abcdefghijklmnopqrstuv$c2l4dGVlbiBieXRlcyBhcmUgbm90IGVub3VnaCBoZXJl'
    session_version = 0
    is_active = True


USER = User()


# --- Microdot: dotlatch, and its own --------------------------------------------------------------

def microdot(package: str, store: Any = None) -> Any:
    from microdot.asgi import Microdot
    session = importlib.import_module(package + '.session')
    login = importlib.import_module(package + '.login').Login()
    options = {'store': store} if store is not None else {}
    app, bare = Microdot(), Microdot()
    session.Session(app, secret_key=SECRET, **options)

    @login.user_loader
    async def load_user(user_id: Any) -> Any:
        return USER

    @app.get('/enter')
    async def enter(request: Any) -> Any:
        return await login.login_user(request, USER)

    @app.get('/begin')
    @session.with_session
    async def begin(request: Any, session: Any) -> Any:
        session['n'] = 1
        session.save()
        return 'ok'

    @app.get('/read')
    @session.with_session
    async def read(request: Any, session: Any) -> Any:
        return 'ok' if session['n'] else ''

    @app.get('/write')
    @session.with_session
    async def write(request: Any, session: Any) -> Any:
        session['n'] += 1
        session.save()
        return 'ok'

    @app.get('/login')
    @login
    async def protected(request: Any) -> Any:
        return 'ok'

    @bare.get('/bare')
    async def without(request: Any) -> Any:
        return 'ok'

    return asgi(app, bare)


def dotlatch_memory() -> Any:
    from dotlatch.stores import MemoryStore
    return microdot('dotlatch', MemoryStore())


def dotlatch_redis() -> Any:
    from dotlatch.server.redis import RedisStore
    return microdot('dotlatch', RedisStore(os.environ['REDIS']))


# --- Starlette ------------------------------------------------------------------------------------

def starlette(with_login: bool) -> Any:
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.sessions import SessionMiddleware
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def enter(request: Any) -> Any:
        if with_login:
            from starlette_login.utils import login_user
            await login_user(request, member)
        return PlainTextResponse('ok')

    async def begin(request: Any) -> Any:
        request.session['n'] = 1
        return PlainTextResponse('ok')

    async def read(request: Any) -> Any:
        return PlainTextResponse('ok' if request.session['n'] else '')

    async def write(request: Any) -> Any:
        request.session['n'] += 1
        return PlainTextResponse('ok')

    async def plain(request: Any) -> Any:
        return PlainTextResponse('ok')

    routes = [Route('/enter', enter), Route('/begin', begin), Route('/read', read), Route('/write', write)]
    middleware = [Middleware(SessionMiddleware, secret_key=SECRET)]
    if with_login:
        from starlette_login.backends import SessionAuthBackend
        from starlette_login.decorator import login_required
        from starlette_login.login_manager import LoginManager
        from starlette_login.middleware import AuthenticationMiddleware
        from starlette_login.mixins import UserMixin

        class Member(UserMixin):  # type: ignore[misc,unused-ignore]
            identity = USER.id

        member = Member()

        async def load_user(request: Any, user_id: Any) -> Any:
            return member

        manager = LoginManager(redirect_to='/enter', secret_key=SECRET)
        manager.set_user_loader(load_user)
        middleware.append(
            Middleware(AuthenticationMiddleware, backend=SessionAuthBackend(manager), login_manager=manager))
        routes.append(Route('/login', login_required(plain)))
    app = Starlette(routes=routes, middleware=middleware)
    if with_login:
        app.state.login_manager = manager
    return asgi(app, Starlette(routes=[Route('/bare', plain)]))


# --- Flask ----------------------------------------------------------------------------------------

def flask(with_login: bool) -> Any:
    from flask import Flask, session
    app, bare = Flask('app'), Flask('bare')
    app.secret_key = SECRET

    @app.get('/enter')
    def enter() -> Any:
        if with_login:
            login_user(member)
        return 'ok'

    @app.get('/begin')
    def begin() -> Any:
        session['n'] = 1
        return 'ok'

    @app.get('/read')
    def read() -> Any:
        return 'ok' if session['n'] else ''

    @app.get('/write')
    def write() -> Any:
        session['n'] += 1
        return 'ok'

    if with_login:
        from flask_login import LoginManager, UserMixin, login_required, login_user

        class Member(UserMixin):  # type: ignore[misc,unused-ignore]
            id = USER.id

        member = Member()
        manager = LoginManager(app)
        manager.user_loader(lambda user_id: member)

        @app.get('/login')
        @login_required
        def protected() -> Any:
            return 'ok'

    @bare.get('/bare')
    def without() -> Any:
        return 'ok'

    return wsgi(app, bare)


# --- in front of each -----------------------------------------------------------------------------

def asgi(app: Any, bare: Any) -> Any:
    """Return an ASGI application that is ``bare`` for its route, and ``app`` for all others."""
    async def site(scope: Any, receive: Any, send: Any) -> None:
        if scope['path'] == '/cpu':
            body = str(time.process_time_ns()).encode()
            length = str(len(body)).encode()
            await send({'type': 'http.response.start', 'status': 200, 'headers': [(b'content-length', length)]})
            await send({'type': 'http.response.body', 'body': body})
            return
        await (bare if scope['path'] == '/bare' else app)(scope, receive, send)
    return site


def wsgi(app: Any, bare: Any) -> Any:
    def site(environ: Any, start_response: Any) -> Any:
        if environ['PATH_INFO'] == '/cpu':
            body = str(time.process_time_ns()).encode()
            start_response('200 OK', [('Content-Length', str(len(body)))])
            return [body]
        return (bare if environ['PATH_INFO'] == '/bare' else app)(environ, start_response)
    return site


SITES = {
    'dotlatch': lambda: microdot('dotlatch'),
    'dotlatch, MemoryStore': dotlatch_memory,
    'dotlatch, RedisStore': dotlatch_redis,
    'microdot.session': lambda: microdot('microdot'),
    'Starlette': lambda: starlette(False),
    'Starlette-Login': lambda: starlette(True),
    'Flask': lambda: flask(False),
    'Flask-Login': lambda: flask(True),
}

if 'SITE' in os.environ:
    app = SITES[os.environ['SITE']]()
