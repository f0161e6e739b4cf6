"""HTTP authentication: Basic (RFC 7617) and Bearer or any other token (RFC 6750), read strictly.

Needs portable.py, onepiece.py, http.py, identity.py and protect.py; refusals.py and visitor.py, anyof.py for
:func:`any_of`, and attempts.py to tell of those that fail::

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
from .http import credentials, on_response, vary  # CPython is slow to look into a module that has __getattr__
from .identity import as_user, has_second_factor, is_active
from .portable import b64_decode, caller, is_token68, is_word, plain_utf8, warn_once
from .protect import Protector

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


class BaseAuth(Protector):
    """What the schemes of HTTP authentication share: the callbacks, and who may try how often.

    A scheme of your own has :meth:`find`, :meth:`challenge` and perhaps :meth:`verify`.

    :param error_status: the status of a refusal.
    :param throttle: a :class:`dotlatch.throttle.Throttle`, asked before the callback; who has to wait gets a 429.
    :param allow_http: credentials that anybody on the network can read are taken with one warning (``None``), without
        one (``True``), or refused with a 403 (``False``).
    :param events: a :class:`dotlatch.events.Events` that is told of credentials that were refused.
    """
    scheme = ''

    header = 'Authorization'

    allow_one_factor = True  # what is no password is given out to who has proven both

    failure = 'password'     # the reason that events are told, unless a better one is known

    def __init__(self, error_status: int, allow_http: 'bool | None', throttle: 'Throttle | None',
                 events: 'Any' = None) -> None:
        if error_status == 407:
            raise ValueError('407 is for proxies (RFC 9110 section 15.5.8)')
        self.error_status = error_status
        self.allow_http = allow_http
        self._is_told = False  # that credentials travel in the open
        self.throttle = throttle
        self.events = events
        self.auth_callback: 'Callable[..., Any] | None' = None
        self.error_callback = self.authentication_error

    def authenticate(self, f: 'Callable[..., Any]') -> 'Callable[..., Any]':
        """Decorator for the callback that takes the request and the credentials and returns a user, or ``None``.

        ``def``, ``async def`` and anything else that can be called will do; what is neither a user nor a no is a
        TypeError, see :func:`dotlatch.identity.as_user`. An OSError, from a store that cannot be asked, ends in a 503.
        """
        self.auth_callback = caller(f)
        return f

    # --- a scheme's part --------------------------------------------------------------------------

    def find(self, request: 'Any') -> 'tuple[str, ...] | None':
        """Return the credentials of this scheme that the request carries, well formed, or ``None``."""
        return None

    def verify(self, request: 'Any', credentials: 'tuple[Any, ...]') -> 'Any':
        """Return what is to be awaited for the user whose credentials these are, or for a no; a scheme of your own may
        have an ``async def``.

        :raises OSError: when that cannot be told now; the request ends in a 503.
        """
        return self.auth_callback(request, *credentials)  # type: ignore[misc]  # identify() has looked

    def challenge(self, request: 'Any') -> str:
        """Return the challenge of this scheme."""
        return self.scheme

    # --- what is the same for all -----------------------------------------------------------------

    async def identify(self, request: 'Any') -> 'Any':
        """Return the user whose credentials the request carries, or ``None``."""
        if self.auth_callback is None:
            raise RuntimeError('no callback: decorate the function that checks credentials with @auth.authenticate')
        g = request.g
        if not on_response(request, self._mark):
            proven = getattr(g, '_proven', None)
            if proven is not None and proven[0] is self:  # a guard has asked before
                if proven[2] is not None:
                    g._granted = proven[2]  # and another one in between
                return proven[1]
        given = self.find(request)
        if given is None:
            return None
        if self.allow_http is not True and not self._is_told and not http.is_https(request):
            if self.allow_http is False:
                abort(403, 'HTTPS is needed here')
            warn_once(self.scheme + ' credentials travel over plain HTTP, readable by whoever can listen to the '
                      'network; allow_http=True says that this is known, False refuses them')
            self._is_told = True
        try:
            if self.throttle is None:
                user = self._judged(request, await self.verify(request, given))
            else:
                user = await self._throttled(request, given)
        except OSError as error:  # users, or a throttle, that are asked over the network
            http.unavailable(request, error)
        if user is not None and not self.allow_one_factor and has_second_factor(user):
            g._why = self, 'second_factor', user
            user = None
        if user is None and self.events is not None:
            self._tell(request)
        g._proven = (self, user, getattr(g, '_granted', None))
        return user

    async def recheck(self, request: 'Any', user: 'Any') -> 'Any':
        """Return the user of an open WebSocket or event stream who would still be let in, or ``None``.

        That is without the throttle; and Basic and Digest are not asked, where it is too much work, or would be a
        replay.
        """
        if self.is_ambient():
            return user
        given = self.find(request)
        return None if given is None else self._judged(request, await self.verify(request, given))

    def _judged(self, request: 'Any', verdict: 'Any') -> 'Any':
        """Return the user that somebody has found, if it is one who may come in."""
        user = as_user(verdict)
        if user is None or is_active(user):
            return user
        request.g._why = self, 'inactive', user
        return None

    async def _throttled(self, request: 'Any', given: 'tuple[str, ...]') -> 'Any':
        throttle: Throttle = self.throttle  # type: ignore[assignment]  # its caller has looked
        account = given[0] if len(given) > 1 else ''
        source = http.source(request)
        wait = await throttle.attempt(account, source)
        if wait:
            if self.events is not None:
                self._tell(request, wait)
            http.too_many(request, wait)
        try:
            user = self._judged(request, await self.verify(request, given))
        except Exception as error:
            if http.is_unavailable(error):  # a store that is down, a full queue
                await throttle.undecided(account, source)
            raise
        if user is None:
            return None
        if not self.allow_one_factor and has_second_factor(user):
            await throttle.undecided(account, source)  # right, as far as it goes
        else:
            await throttle.succeeded(account, source)
        return user

    def _tell(self, request: 'Any', seconds: int = 0) -> None:
        from . import attempts  # loaded by those who want to hear of them
        attempts.tell(self, request, seconds)

    def is_tried(self, request: 'Any') -> bool:
        """Tell whether the request carries credentials of this scheme, good or bad."""
        return credentials(request, self.header, self.scheme) is not None

    def _mark(self, request: 'Any', response: 'Any') -> None:
        try:
            user = request.g.current_user
        except AttributeError:  # nobody got as far
            user = None
        vary(response, self.header, user is not None)

    async def authentication_error(self, request: 'Any') -> 'Any':
        """The default error callback."""
        abort(self.error_status)


class BasicAuth(BaseAuth):
    """Basic authentication (RFC 7617).

    :param realm: what the browser shows when it asks; printable ASCII.
    :param charset: sent with the challenge; only UTF-8 is read, and the only one that RFC 7617 has.
    :param scheme: another name for the scheme, such as ``'xBasic'``, which keeps browsers from asking.
    :param error_status: the status of a refusal.
    :param allow_http: see :class:`BaseAuth`; so are ``throttle`` and ``events``.
    :param allow_one_factor: let in, by the password alone, users who have a second factor. They are refused otherwise
        (ASVS 6.3.4): Basic has no place for a code. See :func:`dotlatch.identity.has_second_factor`.
    """
    def __init__(self, realm: 'Any' = 'Please login', charset: str = 'UTF-8', scheme: str = 'Basic',
                 error_status: int = 401, allow_http: 'bool | None' = None, throttle: 'Throttle | None' = None,
                 events: 'Any' = None, allow_one_factor: bool = False) -> None:
        super().__init__(error_status, allow_http, throttle, events)
        self.allow_one_factor = allow_one_factor
        if not isinstance(realm, str):
            realm = 'Please login'  # BasicAuth(app), as Microdot's documentation once had it
        self.realm = realm
        self.charset = charset
        self.scheme = scheme
        self._header = '%s realm=%s, charset=%s' % (scheme, quoted_string(realm), quoted_string(charset))

    def challenge(self, request: 'Any') -> str:
        """Return the challenge (RFC 7617 section 2)."""
        return self._header

    def find(self, request: 'Any') -> 'tuple[str, ...] | None':
        """Return name and password."""
        token = credentials(request, 'Authorization', self.scheme)
        if not token:
            return None
        try:
            pair = plain_utf8(b64_decode(token))  # RFC 7617 section 2 has no controls
        except ValueError:
            return None
        name, colon, password = pair.partition(':')
        return (name, password) if colon else None

    def verify(self, request: 'Any', credentials: 'tuple[Any, ...]') -> 'Any':
        """Return what is to be awaited for the user of this name and password, or for a no."""
        name, password = credentials  # a call with a star takes half as long again
        return self.auth_callback(request, name, password)  # type: ignore[misc]  # identify() has looked


class TokenAuth(BaseAuth):
    """Token authentication: ``Authorization: Bearer ...`` (RFC 6750), or a header of its own.

    :param header: the header that carries the token.
    :param scheme: the scheme before the token, when the header is Authorization.
    :param error_status: the status of a refusal. A header that is malformed is a 400 (RFC 6750 section 3.1).
    :param realm: sent with the challenge; printable ASCII.
    :param allow_http: see :class:`BaseAuth`; so are ``throttle`` and ``events``.
    """
    failure = 'token'

    def __init__(self, header: str = 'Authorization', scheme: str = 'Bearer', error_status: int = 401,
                 realm: str = 'Please login', allow_http: 'bool | None' = None, throttle: 'Throttle | None' = None,
                 events: 'Any' = None) -> None:
        super().__init__(error_status, allow_http, throttle, events)
        self.header = header
        self.scheme = scheme
        self._has_scheme = header.lower() == 'authorization'
        # A b64token (RFC 6750 section 2.1), or in a header of its own, one printable word.
        self._is_token: 'Callable[[str], bool]' = is_token68 if self._has_scheme else is_word
        self._header = '%s realm=%s' % (scheme, quoted_string(realm))

    def _given(self, request: 'Any') -> 'str | None':
        if self._has_scheme:
            return credentials(request, self.header, self.scheme)
        value: 'str | None' = request.headers.get(self.header)
        return value if value and len(value) <= http.MAX_CREDENTIALS else None

    def find(self, request: 'Any') -> 'tuple[str, ...] | None':
        """Return the token."""
        token = self._given(request)
        return (token,) if token and self._is_token(token) else None

    def challenge(self, request: 'Any') -> str:
        """Return the challenge (RFC 6750 section 3)."""
        token = self._given(request)
        if token is None:
            return self._header
        return self._header + (', error="invalid_token"' if self._is_token(token) else ', error="invalid_request"')

    def insufficient(self, scopes: 'tuple[str, ...]') -> str:
        """Return what a 403 says of the scopes that are missing (RFC 6750 section 3.1)."""
        return '%s, error="insufficient_scope", scope="%s"' % (self._header, ' '.join(scopes))

    def is_tried(self, request: 'Any') -> bool:
        """Tell whether the request carries a token, good or bad."""
        return self._given(request) is not None

    async def authentication_error(self, request: 'Any') -> 'Any':
        """The default error callback."""
        token = self._given(request)
        abort(self.error_status if token is None or self._is_token(token) else 400)


if TYPE_CHECKING:
    from .anyof import AnyOf as AnyOf
    from .anyof import any_of as any_of
    from .anyof import authenticate as authenticate
    from .keyauth import APIKeyAuth as APIKeyAuth
else:
    def __getattr__(name):
        # Their files are loaded by those who have several ways in, or API keys.
        if name in ('any_of', 'AnyOf', 'authenticate'):
            from . import anyof
            return getattr(anyof, name)
        if name != 'APIKeyAuth':
            raise AttributeError(name)
        from . import keyauth
        return keyauth.APIKeyAuth
