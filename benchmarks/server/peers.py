"""What others do with sessions: Starlette's in a signed cookie with Starlette-Login, and Django's in a database."""
import os
from typing import Any

SECRET = '0123456789abcdef0123456789abcdef'
DJANGO_HASH = 'pbkdf2_sha256$600000$abcdefghijklmnopqrstuv$%043d='


def beside(app: Any, bare: Any) -> Any:
    """Return an ASGI application that is ``bare`` for its route, and ``app`` for all others."""
    async def site(scope: Any, receive: Any, send: Any) -> None:
        await (bare if scope['path'] == '/bare' else app)(scope, receive, send)
    return site


# --- Starlette ------------------------------------------------------------------------------------

def starlette() -> Any:
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.sessions import SessionMiddleware
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route
    from starlette_login.backends import SessionAuthBackend
    from starlette_login.decorator import login_required
    from starlette_login.login_manager import LoginManager
    from starlette_login.middleware import AuthenticationMiddleware
    from starlette_login.mixins import UserMixin
    from starlette_login.utils import login_user

    class Member(UserMixin):  # type: ignore[misc,unused-ignore]  # it has no types
        def __init__(self, number: str) -> None:
            self.number = number

        @property
        def identity(self) -> str:
            return self.number

    members = {str(number): Member(str(number)) for number in range(int(os.environ['USERS']))}

    async def plain(request: Any) -> Any:
        return PlainTextResponse('ok')

    async def enter(request: Any) -> Any:
        await login_user(request, members[request.query_params['u']])
        return PlainTextResponse('ok')

    async def load_user(request: Any, user_id: Any) -> Any:
        return members.get(user_id)

    manager = LoginManager(redirect_to='/enter', secret_key=SECRET)
    manager.set_user_loader(load_user)
    app = Starlette(
        routes=[Route('/enter', enter), Route('/login', login_required(plain))],
        middleware=[Middleware(SessionMiddleware, secret_key=SECRET),
                    Middleware(AuthenticationMiddleware, backend=SessionAuthBackend(manager), login_manager=manager)])
    app.state.login_manager = manager
    return beside(app, Starlette(routes=[Route('/bare', plain)]))


# --- Django ---------------------------------------------------------------------------------------

urlpatterns: 'list[Any]' = []  # this module is its ROOT_URLCONF


def django() -> Any:
    """Sessions and users in SQLite, and nothing but the two middlewares that a login needs."""
    set_up_django()
    from django.core.asgi import get_asgi_application
    from django.http import HttpResponse
    from django.urls import path

    async def bare(request: Any) -> Any:
        return HttpResponse('ok')

    async def protected(request: Any) -> Any:
        user = await request.auser()
        return HttpResponse('ok' if user.is_authenticated else '', status=200 if user.is_authenticated else 401)

    urlpatterns[:] = [path('bare', bare), path('login', protected)]
    return get_asgi_application()


def set_up_django() -> None:
    import django
    from django.conf import settings
    settings.configure(
        SECRET_KEY=SECRET, ROOT_URLCONF=__name__, ALLOWED_HOSTS=['*'], USE_TZ=True,
        INSTALLED_APPS=['django.contrib.contenttypes', 'django.contrib.auth', 'django.contrib.sessions'],
        MIDDLEWARE=['django.contrib.sessions.middleware.SessionMiddleware',
                    'django.contrib.auth.middleware.AuthenticationMiddleware'],
        DATABASES={'default': {'ENGINE': 'django.db.backends.sqlite3', 'CONN_MAX_AGE': None,
                               'NAME': os.environ['SQLITE'].partition('///')[2] + '.django'}})
    django.setup()


def fill_django(count: int) -> 'list[str]':
    set_up_django()
    import datetime

    from django.contrib.auth.models import User
    from django.contrib.sessions.backends.db import SessionStore
    from django.core.management import call_command
    from django.db import transaction
    from django.utils import timezone
    call_command('migrate', verbosity=0)
    with transaction.atomic():
        User.objects.bulk_create([
            User(username='user%d' % number, password=DJANGO_HASH % number) for number in range(count)], batch_size=500)
    store, cookies, rows = SessionStore(), [], []
    ends = timezone.now() + datetime.timedelta(days=14)
    for user in User.objects.all():
        key = SessionStore()._get_new_session_key()
        rows.append(store.get_model_class()(session_key=key, expire_date=ends, session_data=store.encode({
            '_auth_user_id': str(user.pk), '_auth_user_backend': 'django.contrib.auth.backends.ModelBackend',
            '_auth_user_hash': user.get_session_auth_hash()})))
        cookies.append('sessionid=' + key)
    with transaction.atomic():
        store.get_model_class().objects.bulk_create(rows, batch_size=500)
    return cookies
