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
from .portable import MICROPYTHON, Key, call, now, random_id, warn_once, wraps
from .revoked import Revoked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

TYP = 'session+jwt'
MAX_AGE = 14 * 24 * 3600
MAX_COOKIE = 1800
_DAY = 24 * 3600
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
        self._renew = False                           # the cookie is to be written again, with the time of this use
        # With a store: what is to be written and deleted there when the response is ready.
        self._secret = ''
        self._is_new = False
        self._record: 'dict[str, Any] | None' = None
        self._doomed: 'list[str]' = []

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
    :param idle: seconds without a request after which a session ends (ASVS 7.3.1). The time of use is written anew once
        an eighth of that has passed.
    :param store: where sessions are kept on the server, see :mod:`dotlatch.stores`; without one they are in the cookie.
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
                 require_strong_key: bool = False, idle: 'int | None' = None, store: 'Any' = None) -> None:
        cookies.check_name(name)
        self.name = name
        self.host_prefix = host_prefix
        self.max_cookie = max_cookie
        self.require_strong_key = require_strong_key
        self.revoked = Revoked(max_revoked, revoked_path)
        self._max_age = max_age
        self.idle = idle
        self.store = store
        self._stored = None
        if store is not None:
            from . import stored  # a board without a store does not load it
            self._stored = stored.Stored(self, store)
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
        """Return the visitor's session: empty when there is no cookie, or one that is not accepted.

        With a store, :meth:`load` has to come first, as it does in :func:`with_session` and ``Login``.
        """
        session: 'SessionDict | None' = getattr(request.g, '_session', None)
        if session is not None:
            return session
        keys = self.keys
        if self._stored is not None:
            raise RuntimeError('with a store, sessions are loaded by with_session, Login or await load(request)')
        claims = None
        for value in cookies.read(request, self.cookie_name(request, self.name)):
            found = self._known(value, keys)
            if found is not None:
                if claims is not None:  # two sessions at once: somebody planted one, and nothing tells which
                    claims = None
                    break
                claims = found
        return self._begin(request, claims)

    async def load(self, request: 'Any') -> SessionDict:
        """Return the visitor's session, from its store when there is one. Ends in a 503 when the store is down."""
        if self._stored is None or hasattr(request.g, '_session'):
            return self.get(request)
        found = await self._stored.find(request)
        session = self._begin(request, found[0] if found else None)
        if found:
            session._secret = found[1]
        return session

    def _begin(self, request: 'Any', claims: 'dict[str, Any] | None') -> SessionDict:
        session = SessionDict(request, _copied(claims['data']) if claims else {})
        session._claims = claims
        session._had_cookie = self.cookie_name(request, self.name) in request.headers.get('Cookie', '')
        if claims and self.idle:
            _, by_uptime = tokens.end_of(claims)
            used = tokens.time_on(by_uptime) - _seen(claims)
            session._renew = used >= self.idle // 8 or (by_uptime and now() is not None)
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
        return claims if self.is_live(claims) else None

    def _accept(self, token: str, keys: 'list[Key]') -> 'dict[str, Any] | None':
        try:
            claims = tokens.decode(token, keys, TYP)
        except tokens.TokenError:
            return None
        if type(claims.get('data')) is not dict or type(claims.get('jti')) is not str or not self.is_live(claims):
            return None
        return claims

    def is_live(self, claims: 'dict[str, Any]') -> bool:
        """Tell whether a session with these claims goes on: neither expired nor idle for too long, nor ended."""
        try:
            tokens.check_lifetime(claims)
        except tokens.TokenError:
            return False
        _, by_uptime = tokens.end_of(claims)
        time = tokens.time_on(by_uptime)
        # What began or was used tomorrow was so under a clock that was wrong: it would end years late.
        if claims.get('iat', 0) > time + _DAY and not by_uptime:
            return False
        if self.idle and not -_DAY <= time - _seen(claims) < self.idle:
            return False
        return not self._ended(claims)

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
            self._start(current, None)
        elif self.is_revoked(current):
            return
        if current._claims is not None:
            claims = self._used_now(current._claims)
            claims['data'] = _copied(current)
            if self._stored is not None:
                self._stored.put(current, claims)
            else:
                token = tokens.encode(claims, keys[0], TYP)
                self._check_size(request, token)
                current._cookie = token
        http.on_response(request, _write_cookie)  # once more, for handlers of the response that save

    def _start(self, session: SessionDict, max_age: 'int | None') -> 'dict[str, Any]':
        session._claims = claims = self._new_claims(max_age)
        session._is_new = True
        if self._stored is not None:
            self._stored.begin(session, claims)
        return claims

    def _used_now(self, claims: 'dict[str, Any]') -> 'dict[str, Any]':
        """Return a copy of the claims with the time of this use, and by the clock once that is set."""
        claims = claims.copy()
        _, by_uptime = tokens.end_of(claims)
        time = now()
        if by_uptime and time is not None:
            uptime = tokens.time_on(True)
            claims['exp'] = time + claims.pop(tokens.BOOT_CLAIM)[1] - uptime
            claims['iat'] = time
            by_uptime = False
        if self.idle or self._stored is not None:
            claims['seen'] = tokens.time_on(by_uptime)
        return claims

    def _new_claims(self, max_age: 'int | None') -> 'dict[str, Any]':
        claims = tokens.with_lifetime({'jti': random_id()}, self.max_age if max_age is None else max_age)
        return self._used_now(claims)

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
        session._claims = session._record = None
        session._cookie = '' if session._had_cookie else None

    def renew(self, session: SessionDict, max_age: 'int | None' = None, parent: 'list[Any] | None' = None,
              user: 'str | int | None' = None) -> None:
        """End the session under its old id and give it a new one; see :meth:`SessionDict.regenerate`.

        :param parent: id, end and clock of another token, with which the session ends too.
        :param user: whose it is, for the list of a user's sessions that a store can give.
        """
        if session._claims is not None:
            if self._stored is None:
                self.end_token(session._claims)
            elif not session._is_new:
                session._doomed.append(session._claims['jti'])
        claims = self._start(session, max_age)
        if parent is not None:
            claims['parent'] = parent
        if user is not None and self._stored is not None:
            claims['user'] = user
        session._cookie = None
        session._renew = False

    def touch(self, session: SessionDict) -> None:
        """Have the session's time of use written, and nothing that the handler has not saved."""
        if session._claims is not None:
            claims = self._used_now(session._claims)
            if self._stored is not None:
                self._stored.put(session, claims)
            else:
                session._cookie = tokens.encode(claims, self.keys[0], TYP)

    async def finish(self, session: SessionDict) -> 'Any':
        """Carry out in the store what the handlers did; a response of 503 when it cannot."""
        return await self._stored.finish(session) if self._stored is not None else None

    # --- all sessions of a user, with a store -----------------------------------------------------

    async def list_sessions(self, user_id: 'str | int') -> 'list[dict[str, Any]]':
        """Return a user's sessions, the one used last first: id, iat (when it began), seen, source and client.

        :raises RuntimeError: without a store, which alone knows them.
        :raises OSError: when the store cannot be asked.
        """
        names = ('iat', 'seen', 'source', 'client')
        found = []
        for session_id, record in await self._need_store().list_user(user_id):
            if self.is_live(record):
                shown = {name: record.get(name) for name in names}
                shown['id'] = session_id
                found.append(shown)
        return found

    async def end_session(self, user_id: 'str | int', session_id: str) -> bool:
        """End one session of a user; ``False`` when that user has none of that id."""
        store = self._need_store()
        record = await store.load(session_id)
        if record is None or record.get('user') != user_id:
            return False
        await store.delete(session_id)
        return True

    async def end_sessions(self, user_id: 'str | int', keep: 'SessionDict | None' = None) -> int:
        """End all sessions of a user but ``keep``, and return how many there were."""
        claims = keep._claims if keep is not None else None
        return int(await self._need_store().delete_user(user_id, claims['jti'] if claims else None))

    def _need_store(self) -> 'Any':
        if self.store is None:
            raise RuntimeError('sessions in cookies are known to their browsers only: give Session a store')
        return self.store

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


def _seen(claims: 'dict[str, Any]') -> int:
    seen = claims.get('seen', claims.get('iat', 0))
    return seen if type(seen) is int else 0


def _write_cookie(request: 'Any', response: 'Any') -> 'Any':
    """Finish the response of a request that has looked at its session."""
    session = request.g._session
    ext = session_of(request)
    http.vary(response, 'Cookie')
    if session or session._cookie is not None:
        http.no_store(response)
    if session._renew and session._cookie is None and session._record is None and not ext.is_revoked(session):
        session._renew = False
        ext.touch(session)
    if session._doomed or session._record is not None:
        return _finish_stored(request, response, session, ext)
    _set_cookie(request, response, session, ext)
    return None


async def _finish_stored(request: 'Any', response: 'Any', session: SessionDict, ext: Session) -> 'Any':
    response = await ext.finish(session) or response
    _set_cookie(request, response, session, ext)
    return response


def _set_cookie(request: 'Any', response: 'Any', session: SessionDict, ext: Session) -> None:
    if session._cookie is not None:
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
        ext = session_of(request)
        session = ext.get(request) if ext.store is None else await ext.load(request)
        return await call(f, request, session, *args, **kwargs)
    return wrapper
