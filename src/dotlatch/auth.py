"""HTTP authentication: Basic (RFC 7617) and Bearer or any other token (RFC 6750), read strictly.

Needs portable.py, http.py and identity.py::

    auth = BasicAuth(realm='Greenhouse')

    @auth.authenticate
    async def check(request, username, password):
        return await users.authenticate(username, password)   # a user, or None

    @app.get('/')
    @auth
    async def index(request):
        return 'Hello, ' + request.g.current_user.name
"""
from microdot import abort

from . import http
from .identity import as_user, is_active
from .portable import b64_decode, call, deny_websocket, utf8, warn_once, wraps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .throttle import Throttle


def quoted_string(text: str) -> str:
    """Return ``text`` as a quoted-string (RFC 9110 section 5.6.4); ValueError for what a header cannot carry."""
    for c in text:
        if not ' ' <= c <= '~':
            raise ValueError('a realm is printable ASCII')
    return '"' + text.replace('\\', '\\\\').replace('"', '\\"') + '"'


class BaseAuth:
    """What the schemes share: the callbacks and the decorators.

    :param error_status: the status of a refusal.
    :param throttle: a :class:`dotlatch.throttle.Throttle`, asked before the callback; who has to wait gets a 429.
    :param allow_http: credentials that anybody on the network can read are taken with one warning (``None``), without
        one (``True``), or refused with a 403 (``False``).
    """
    scheme = ''

    header = 'Authorization'

    def __init__(self, error_status: int, allow_http: 'bool | None', throttle: 'Throttle | None') -> None:
        if error_status == 407:
            raise ValueError('407 is for proxies (RFC 9110 section 15.5.8)')
        self.error_status = error_status
        self.allow_http = allow_http
        self.throttle = throttle
        self.auth_callback: 'Callable[..., Any] | None' = None
        self.error_callback: 'Callable[..., Any]' = self.authentication_error

    def authenticate(self, f: 'Callable[..., Any]') -> 'Callable[..., Any]':
        """Decorator for the callback that takes the request and the credentials and returns a user, or ``None``.

        ``def``, ``async def`` and anything else that can be called will do; what is neither a user nor a no is a
        TypeError, see :func:`dotlatch.identity.as_user`.
        """
        self.auth_callback = f
        return f

    def errorhandler(self, f: 'Callable[..., Any]') -> 'Callable[..., Any]':
        """Decorator for a callback that takes the request and returns the response of a refusal.

        A 401 of its own gets the challenge too. The default calls ``abort()``, so ``app.errorhandler(401)`` works.
        """
        self.error_callback = f
        return f

    def __call__(self, f: 'Callable[..., Any]') -> 'Any':
        """Decorator for a route that needs valid credentials; the user is ``request.g.current_user``."""
        @wraps(f)
        async def wrapper(request: 'Any', *args: 'Any', **kwargs: 'Any') -> 'Any':
            user = await self._user(request)
            if user is None:
                return await self._refuse(request, args)
            request.g.current_user = user
            return await call(f, request, *args, **kwargs)
        return wrapper

    def optional(self, f: 'Callable[..., Any]') -> 'Any':
        """Decorator for a route that takes valid credentials and does without; the user may be ``None``."""
        @wraps(f)
        async def wrapper(request: 'Any', *args: 'Any', **kwargs: 'Any') -> 'Any':
            user = await self._user(request)
            if user is not None or not hasattr(request.g, 'current_user'):
                request.g.current_user = user
            return await call(f, request, *args, **kwargs)
        return wrapper

    async def _user(self, request: 'Any') -> 'Any':
        if self.auth_callback is None:
            raise RuntimeError('no callback: decorate the function that checks credentials with @auth.authenticate')
        http.on_response(request, self._mark)
        given = self._get_auth(request)
        if given is None:
            return None
        if self.allow_http is not True and not http.is_https(request):
            if self.allow_http is False:
                abort(403, 'HTTPS is needed here')
            warn_once(self.scheme + ' credentials travel over plain HTTP, readable by whoever can listen to the '
                      'network; allow_http=True says that this is known, False refuses them')
        if self.throttle is None:
            return await self._check(request, given)
        account = given[0] if len(given) > 1 else ''
        source = http.source(request)
        wait = self.throttle.attempt(account, source)
        if wait:
            http.too_many(request, wait)
        user = await self._check(request, given)
        if user is not None:
            self.throttle.succeeded(account, source)
        return user

    async def _check(self, request: 'Any', given: 'tuple[str, ...]') -> 'Any':
        user = as_user(await call(self.auth_callback, request, *given))  # type: ignore[arg-type]  # _user has looked
        return user if user is not None and is_active(user) else None

    def _get_auth(self, request: 'Any') -> 'tuple[str, ...] | None':
        return None

    def _mark(self, request: 'Any', response: 'Any') -> None:
        http.vary(response, self.header, getattr(request.g, 'current_user', None) is not None)

    async def _refuse(self, request: 'Any', args: 'tuple[Any, ...]') -> 'Any':
        http.challenge(request, self._challenge(request))
        await deny_websocket(request, self.error_status, args)
        return await call(self.error_callback, request)

    def _challenge(self, request: 'Any') -> str:
        return self.scheme

    async def authentication_error(self, request: 'Any') -> 'Any':
        """The default error callback."""
        abort(self.error_status)


class BasicAuth(BaseAuth):
    """Basic authentication (RFC 7617).

    :param realm: what the browser shows when it asks; printable ASCII.
    :param charset: sent with the challenge; only UTF-8 is read, and the only one that RFC 7617 has.
    :param scheme: another name for the scheme, such as ``'xBasic'``, which keeps browsers from asking.
    :param error_status: the status of a refusal.
    :param allow_http: see :class:`BaseAuth`; so is ``throttle``.
    """
    def __init__(self, realm: 'Any' = 'Please login', charset: str = 'UTF-8', scheme: str = 'Basic',
                 error_status: int = 401, allow_http: 'bool | None' = None,
                 throttle: 'Throttle | None' = None) -> None:
        super().__init__(error_status, allow_http, throttle)
        if not isinstance(realm, str):
            realm = 'Please login'  # BasicAuth(app), as Microdot's documentation once had it
        self.realm = realm
        self.charset = charset
        self.scheme = scheme
        self._header = '%s realm=%s, charset=%s' % (scheme, quoted_string(realm), quoted_string(charset))

    def _challenge(self, request: 'Any') -> str:
        return self._header

    def _get_auth(self, request: 'Any') -> 'tuple[str, ...] | None':
        token = http.credentials(request, 'Authorization', self.scheme)
        if not token:
            return None
        try:
            pair = utf8(b64_decode(token))
        except ValueError:
            return None
        for c in pair:
            if c < ' ' or c == '\x7f':  # RFC 7617 section 2 has no control characters
                return None
        username, colon, password = pair.partition(':')
        return (username, password) if colon else None


_TOKEN68 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/'


class TokenAuth(BaseAuth):
    """Token authentication: ``Authorization: Bearer ...`` (RFC 6750), or a header of its own.

    :param header: the header that carries the token.
    :param scheme: the scheme before the token, when the header is Authorization.
    :param error_status: the status of a refusal. A header that is malformed is a 400 (RFC 6750 section 3.1).
    :param realm: sent with the challenge; printable ASCII.
    :param allow_http: see :class:`BaseAuth`; so is ``throttle``.
    """
    def __init__(self, header: str = 'Authorization', scheme: str = 'Bearer', error_status: int = 401,
                 realm: str = 'Please login', allow_http: 'bool | None' = None,
                 throttle: 'Throttle | None' = None) -> None:
        super().__init__(error_status, allow_http, throttle)
        self.header = header
        self.scheme = scheme.lower()
        self._header = '%s realm=%s' % (scheme, quoted_string(realm))

    def _given(self, request: 'Any') -> 'str | None':
        if self.header.lower() == 'authorization':
            return http.credentials(request, self.header, self.scheme)
        value: 'str | None' = request.headers.get(self.header)
        return value if value and len(value) <= http.MAX_CREDENTIALS else None

    def _get_auth(self, request: 'Any') -> 'tuple[str, ...] | None':
        token = self._given(request)
        return (token,) if token and self._is_token(token) else None

    def _challenge(self, request: 'Any') -> str:
        token = self._given(request)
        if token is None:
            return self._header
        return self._header + (', error="invalid_token"' if self._is_token(token) else ', error="invalid_request"')

    async def authentication_error(self, request: 'Any') -> 'Any':
        """The default error callback."""
        token = self._given(request)
        abort(self.error_status if token is None or self._is_token(token) else 400)

    def _is_token(self, text: str) -> bool:
        """Tell whether ``text`` is a b64token (RFC 6750 section 2.1), or in a header of its own, one printable word."""
        if self.header.lower() != 'authorization':
            return all('!' <= c <= '~' for c in text)
        body = text.rstrip('=')
        return bool(body) and all(c in _TOKEN68 for c in body)
