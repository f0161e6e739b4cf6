"""Sessions in a signed cookie: what Microdot's has, with an end that the server keeps, and a logout that holds.

Needs portable.py, strictjson.py, tokens.py, files.py, revoked.py, origin.py, cookies.py and http.py::

    from microdot import Microdot
    from dotlatch.session import Session, with_session

    app = Microdot()
    Session(app, secret_key='at least 32 random bytes, see the docs')

    @app.get('/')
    @with_session
    async def index(request, session):
        session['visits'] = session.get('visits', 0) + 1
        session.save()
        return 'Visit number ' + str(session['visits'])
"""
from microdot import Request

from . import cookies, http, tokens
from .portable import MICROPYTHON, Key, call, random_id, warn_once, wraps
from .revoked import Revoked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

TYP = 'session+jwt'
MAX_AGE = 14 * 24 * 3600
MAX_COOKIE = 1800
_SHORT_KEY = ('the secret key is shorter than 32 bytes, so it can be guessed from one cookie. '
              'Make one with: python3 -c "import secrets; print(secrets.token_hex(32))"')


_MOST_VERIFIED = 4 if MICROPYTHON else 512  # tokens; about 1 KB each on a board


class SessionDict(dict):  # type: ignore[type-arg]  # a dictionary of whatever JSON carries
    """The data of one visitor: a dictionary with :meth:`save` and :meth:`delete`."""
    def __init__(self, request: 'Any', session_dict: 'dict[str, Any]') -> None:
        super().__init__(session_dict)
        self.request = request
        self._claims: 'dict[str, Any] | None' = None  # of the token it came from: its id and its end
        self._cookie: 'str | None' = None             # what the response will set; '' to clear it
        self._had_cookie = False

    def save(self) -> None:
        """Keep the session, as it is now, in the cookie of this response, whether it ends well or in ``abort()``.

        An empty session clears the cookie. A session that was ended meanwhile by a logout stays ended. Once a
        WebSocket or an event stream is open its response is gone, and saving comes too late.

        :raises TypeError: for data that JSON cannot carry.
        :raises ValueError: when the cookie would not fit, with its size.
        """
        session_of(self.request).update(self.request, self)

    def delete(self) -> None:
        """End the session for good: its data and cookie go, and copies of the cookie are worth nothing."""
        session_of(self.request).delete(self.request)

    def regenerate(self, max_age: 'int | None' = None) -> None:
        """End the session under its old id and go on with the same data under a new one, saved by :meth:`save`.

        :param max_age: seconds from now after which it ends at the latest.
        """
        session_of(self.request).renew(self, max_age)


class Session:
    """Session handling.

    :param app: the application.
    :param secret_key: the key, as str or bytes, or a list of keys, newest first: the first signs, all are accepted.
        To change them while the app runs, set ``secret_key`` anew.
    :param cookie_options: what Microdot's ``set_cookie`` takes, and ``same_site`` (``'Lax'``). ``path`` is ``'/'``,
        ``http_only`` is on and ``secure`` is on when the request came over TLS, unless given.
    :param max_age: seconds after which a session ends, whatever the browser does (ASVS 7.3.2); 14 days, or the
        ``max_age`` of the cookie.
    :param name: the cookie's name. Over TLS it gets the prefix ``__Host-`` where path and domain allow it, so that no
        other host or port can plant one (RFC 6265bis section 4.1.3.2).
    :param host_prefix: ``False`` for the same name over TLS.
    :param max_cookie: bytes that name and value may have: 1800, since Microdot's own server drops Cookie lines above
        2048. Browsers take 4096.
    :param max_revoked: how many ended sessions are remembered, see :class:`dotlatch.revoked.Revoked`.
    :param revoked_path: a file that keeps them over a restart and tells other processes, written at each logout.
    :param require_strong_key: refuse keys under 32 bytes (RFC 7518 section 3.2) rather than warn.
    """
    secret_key: 'Any' = None

    def __init__(self, app: 'Any' = None, secret_key: 'Any' = None, cookie_options: 'dict[str, Any] | None' = None,
                 max_age: 'int | None' = None, name: str = 'session', host_prefix: bool = True,
                 max_cookie: int = MAX_COOKIE, max_revoked: int = 64, revoked_path: 'str | None' = None,
                 require_strong_key: bool = False) -> None:
        cookies.check_name(name)
        self.name = name
        self.host_prefix = host_prefix
        self.max_cookie = max_cookie
        self.require_strong_key = require_strong_key
        self.revoked = Revoked(max_revoked, revoked_path)
        self._max_age = max_age
        self._keys: 'list[Key]' = []
        self._verified: 'dict[str, dict[str, Any]]' = {}
        self._keys_of: 'Any' = None
        self._set_options(cookie_options or {})
        if secret_key is not None:
            self._set_key(secret_key)
        if app is not None:
            self.initialize(app)

    def initialize(self, app: 'Any', secret_key: 'Any' = None, cookie_options: 'dict[str, Any] | None' = None) -> None:
        """Attach to an app that was not there yet for the constructor; the arguments are the constructor's."""
        if cookie_options is not None:
            self._set_options(cookie_options)
        if secret_key is not None:
            self._set_key(secret_key)
        app._session = self
        http.hook(app)

    def _set_options(self, options: 'dict[str, Any]') -> None:
        options = options.copy()
        self.same_site: 'str | None' = options.pop('same_site', 'Lax')
        if self.same_site not in ('Lax', 'Strict', 'None', None):
            raise ValueError("same_site is 'Lax', 'Strict', 'None' or None")
        options.setdefault('path', '/')
        options.setdefault('http_only', True)
        for name in options:
            cookies.check_attribute(name, options[name])
        self.cookie_options = options
        self.max_age = self._max_age or options.get('max_age') or MAX_AGE

    def _set_key(self, secret_key: 'Any') -> None:
        keys = tokens.make_keys(secret_key)
        if min([key.size for key in keys]) < 32:
            if self.require_strong_key:
                raise ValueError(_SHORT_KEY)
            warn_once(_SHORT_KEY)
        self.secret_key = self._keys_of = tuple(secret_key) if isinstance(secret_key, list) else secret_key
        self._keys = keys
        self._verified.clear()

    @property
    def keys(self) -> 'list[Key]':
        """The keys, prepared; ValueError while there is none."""
        if self.secret_key is not self._keys_of or not self._keys:
            if not self.secret_key:
                raise ValueError('The session secret key is not configured')
            self._set_key(self.secret_key)
        return self._keys

    # --- cookies of this app, of which the session is one -----------------------------------------

    def cookie_name(self, request: 'Any', name: str) -> str:
        """Return the name under which this app keeps a cookie for this request."""
        options = self.cookie_options
        if (self.host_prefix and options['path'] == '/' and not options.get('domain')
                and options.get('secure', True) and http.is_https(request)):
            return '__Host-' + name
        return name

    def options_for(self, request: 'Any') -> 'dict[str, Any]':
        """Return the cookie options with ``secure`` as the request has it."""
        options = self.cookie_options
        if 'secure' not in options:
            options = options.copy()
            options['secure'] = http.is_https(request)
            if not options['secure']:
                warn_once('cookies travel over plain HTTP: whoever can listen to the network can use them')
        return options

    # --- one request ------------------------------------------------------------------------------

    def get(self, request: 'Any') -> SessionDict:
        """Return the visitor's session: empty when there is no cookie, or one that is not accepted."""
        keys = self.keys
        session: 'SessionDict | None' = getattr(request.g, '_session', None)
        if session is None:
            name = self.cookie_name(request, self.name)
            claims = None
            for value in cookies.read(request, name):
                found = self._known(value, keys)
                if found is not None:
                    if claims is not None:  # two sessions at once: somebody planted one, and nothing tells which
                        claims = None
                        break
                    claims = found
            session = SessionDict(request, _copied(claims['data']) if claims else {})
            session._claims = claims
            session._had_cookie = name in request.headers.get('Cookie', '')
            request.g._session = session
            http.on_response(request, _write_cookie)
        return session

    def _known(self, token: str, keys: 'list[Key]') -> 'dict[str, Any] | None':
        """Return the claims of a token, not to be changed, or ``None``.

        A visitor comes with the same token again and again. The last ones that our keys have verified are known by
        their whole text; that they have not ended is looked at every time.
        """
        claims = self._verified.get(token)
        if claims is None:
            claims = self._accept(token, keys)
            if claims is not None:
                if len(self._verified) >= _MOST_VERIFIED:
                    self._verified.clear()
                self._verified[token] = claims
            return claims
        try:
            tokens.check_lifetime(claims)
        except tokens.TokenError:
            return None
        return None if self._ended(claims) else claims

    def _accept(self, token: str, keys: 'list[Key]') -> 'dict[str, Any] | None':
        try:
            claims = tokens.decode(token, keys, TYP)
        except tokens.TokenError:
            return None
        if type(claims.get('data')) is not dict or type(claims.get('jti')) is not str or self._ended(claims):
            return None
        return claims

    def _ended(self, claims: 'dict[str, Any]') -> bool:
        end, by_uptime = tokens.end_of(claims)
        parent = claims.get('parent')
        return self.revoked.has(claims['jti'], end, by_uptime) or (parent is not None and self.revoked.has(*parent))

    def update(self, request: 'Any', session: 'dict[str, Any]') -> None:
        """Keep ``session`` in the cookie of this response; what :meth:`SessionDict.save` calls."""
        keys = self.keys
        current = self.get(request)
        if session is not current:
            current.clear()
            current.update(session)
        if not current:
            return self.delete(request)
        if current._claims is None:
            current._claims = self._new_claims(None)
        elif self.is_revoked(current):
            return
        claims = current._claims.copy()
        claims['data'] = current
        token = tokens.encode(claims, keys[0], TYP)
        self._check_size(request, token)
        current._cookie = token
        http.on_response(request, _write_cookie)  # once more, for handlers of the response that save

    def _new_claims(self, max_age: 'int | None') -> 'dict[str, Any]':
        return tokens.with_lifetime({'jti': random_id()}, self.max_age if max_age is None else max_age)

    def _check_size(self, request: 'Any', token: str) -> None:
        name = self.cookie_name(request, self.name)
        size = len(name) + 1 + len(token)
        limit = self.max_cookie
        if http.is_built_in(request):
            # All the cookies of a host come back in one line, which the server drops with the request when it is too
            # long: the visitor would be locked out of every page.
            remember_name, remember, _ = getattr(request.g, '_remember', ('', '', 0))  # set by this response too
            remember_name = self.cookie_name(request, remember_name)
            room = Request.max_readline - len('Cookie: \r\n')
            if remember:
                room -= len(remember_name) + 1 + len(remember) + len('; ')
            for pair in request.headers.get('Cookie', '').split(';'):
                if pair.strip().split('=', 1)[0] not in (name, remember_name):
                    room -= len(pair.strip()) + len('; ')
            limit = min(limit, room)
        if size > limit:
            raise ValueError('the session cookie would be %d bytes, %d fit: keep less in the session' % (size, limit))

    def is_revoked(self, session: SessionDict) -> bool:
        """Tell whether the session was ended while its handler ran."""
        return session._claims is not None and self._ended(session._claims)

    def delete(self, request: 'Any') -> None:
        """End the session for good; what :meth:`SessionDict.delete` calls."""
        session = self.get(request)
        self.renew(session)
        session.clear()
        session._claims = None
        session._cookie = '' if session._had_cookie else None

    def renew(self, session: SessionDict, max_age: 'int | None' = None, parent: 'list[Any] | None' = None) -> None:
        """End the session under its old id and give it a new one; see :meth:`SessionDict.regenerate`.

        :param parent: id, end and clock of another token, with which the session ends too.
        """
        if session._claims is not None:
            self.end_token(session._claims)
        session._claims = self._new_claims(max_age)
        if parent is not None:
            session._claims['parent'] = parent
        session._cookie = None

    def end_token(self, claims: 'dict[str, Any]') -> None:
        """End the token with these claims before its time."""
        end, by_uptime = tokens.end_of(claims)
        try:
            self.revoked.add(claims['jti'], end, by_uptime)
        except OSError:  # it is ended here and now; a full disk is no reason to tell the visitor otherwise
            warn_once('an ended session could not be written down: a restart will bring it back')

    # --- tokens -----------------------------------------------------------------------------------

    def encode(self, payload: 'dict[str, Any]', secret_key: 'Any' = None) -> str:
        """Return a new session token that carries ``payload``."""
        claims = self._new_claims(None)
        claims['data'] = payload
        return tokens.encode(claims, secret_key or self.keys[0], TYP)

    def decode(self, session: str, secret_key: 'Any' = None) -> 'dict[str, Any]':
        """Return the payload of a session token, or ``{}`` for anything that is not accepted."""
        claims = self._accept(session, tokens.make_keys(secret_key) if secret_key else self.keys)
        return _copied(claims['data']) if claims else {}


def _copied(value: 'Any') -> 'Any':
    """Return a copy of what JSON gave, as deep as it goes: what one request changes is nobody else's."""
    if type(value) is dict:
        return {name: _copied(item) if type(item) in (dict, list) else item for name, item in value.items()}
    return [_copied(item) for item in value] if type(value) is list else value


def session_of(request: 'Any') -> Session:
    """Return the :class:`Session` of the request's app; RuntimeError when it has none."""
    ext: 'Session | None' = getattr(request.app, '_session', None) or getattr(request.subapp, '_session', None)
    if ext is None:
        raise RuntimeError('this app has no sessions yet: call Session(app, secret_key=...) at its start')
    return ext


def _write_cookie(request: 'Any', response: 'Any') -> None:
    session = request.g._session
    http.vary(response, 'Cookie')
    if session or session._cookie is not None:
        http.no_store(response)
    if session._cookie is not None:
        ext = session_of(request)
        name = ext.cookie_name(request, ext.name)
        if not session._cookie:
            cookies.clear(response, name, ext.options_for(request), ext.same_site)
        elif not ext.is_revoked(session):
            cookies.write(response, name, session._cookie, ext.options_for(request), ext.same_site)


def with_session(f: 'Callable[..., Any]') -> 'Any':
    """Decorator that passes the session to the handler, after the request.

    The handler saves it itself, with :meth:`SessionDict.save`.
    """
    @wraps(f)
    async def wrapper(request: 'Any', *args: 'Any', **kwargs: 'Any') -> 'Any':
        return await call(f, request, session_of(request).get(request), *args, **kwargs)
    return wrapper
