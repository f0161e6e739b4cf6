"""Sessions in a signed cookie: what Microdot's has, with an end that the server keeps, and a logout that holds.

Needs portable.py, strictjson.py, tokens.py, lifetime.py, files.py, revoked.py, onepiece.py, http.py, cookies.py and
signed.py, or with a store stored.py and stores.py; autosave.py for sessions that save themselves::

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
from . import http, lifetime, tokens
from .cookies import MAX_COOKIE, CookieTransport

# By name: a look-up in a module that has a __getattr__ takes CPython seven times as long.
from .http import on_response, vary
from .portable import MICROPYTHON, Key, call, now, warn_once, weakly, wraps
from .revoked import Revoked
from .tokens import end_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .signed import Signed

MAX_AGE = 14 * 24 * 3600
MAX_REVOKED = 64 if MICROPYTHON else 10000
MAX_FLASHES = 8  # messages that wait for a page
_NESTED = (dict, list, tuple)
_LEAVES = (str, int, bool, type(None), float)
_SHORT_KEY = ('the secret key is shorter than 32 bytes, so it can be guessed from one cookie. '
              'Make one with: python3 -c "import secrets; print(secrets.token_hex(32))"')


class SessionDict(dict):  # type: ignore[type-arg]  # a dictionary of whatever JSON carries
    """The data of one visitor: a dictionary with :meth:`save` and :meth:`delete`.

    ``token`` is what the response will hand the client after :meth:`save`, for programs that want it in a body.
    """
    ext: 'Any' = None                        # the Session that it is of
    token: 'str | None' = None               # '' for a client that is to forget the one it has
    _claims: 'dict[str, Any] | None' = None  # of the token it came from: its id and its end
    _saved: 'Any' = None                     # its data as it was found or saved last
    _renew = False                           # its time of use, or its signature, is to be written anew
    _is_new = False
    _origin = ''                             # the id that it goes on from, if that is still there
    _doomed: 'tuple[Any, ...]' = ()          # what is to be ended when the response is ready: claims,
    # or ids with a store, where also something may be written then.
    _secret = ''
    _is_read_only = False
    _record: 'dict[str, Any] | None' = None

    def __init__(self, request: 'Any', session_dict: 'dict[str, Any]') -> None:
        super().__init__(session_dict)
        self.request = request

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

        The old one ends when the response is ready. One that a logout has ended by then stays ended, and one that came
        of a remember-me cookie ends with it.

        :param max_age: seconds from now after which it ends at the latest; unless given, it ends when it would have.
        """
        session_of(self.request).regenerate(self, max_age)

    def flash(self, message: str, category: str = 'message') -> None:
        """Keep a message for the next page that asks for :meth:`flashes`, the last 8 of them, and save the session."""
        self['_flashes'] = self.get('_flashes', [])[1 - MAX_FLASHES:] + [[category, message]]
        self.save()

    def flashes(self) -> 'list[tuple[str, str]]':
        """Return category and text of the messages that wait, the oldest first, and save the session without them."""
        waiting = self.pop('_flashes', None)
        if not waiting:
            return []
        self.save()
        return [(category, message) for category, message in waiting]


class Session:
    """Session handling.

    :param app: the application.
    :param secret_key: the key, as str or bytes, or a list of keys, newest first: the first signs, all are accepted, and
        a session that an old one has signed is signed anew. To change them while the app runs, set ``secret_key`` anew.
    :param cookie_options: see :class:`~dotlatch.cookies.CookieTransport`, which also says what ``name``,
        ``host_prefix`` and ``max_cookie`` are.
    :param max_age: seconds after which a session ends, whatever the browser does (ASVS 7.3.2); 14 days, or the
        ``max_age`` of the cookie.
    :param idle: seconds without a request after which a session ends (ASVS 7.3.1). The time of use is written anew once
        an eighth of that has passed.
    :param store: where sessions are kept on the server, see :mod:`dotlatch.stores`; without one they are in the cookie.
    :param autosave: save a session that a handler has changed, wherever in it, without being told.
    :param max_revoked: how many ended sessions are remembered: 64 on a board, 10,000 on CPython, see
        :class:`~dotlatch.revoked.Revoked`.
    :param revoked_path: a file that keeps them over a restart and tells other processes, written at each logout.
    :param revoked: where several processes keep them, such as :class:`~dotlatch.server.redis_revoked.RedisRevoked`, in
        place of these two; not with a store, which has no need of them.
    :param require_strong_key: refuse keys under 32 bytes (RFC 7518 section 3.2) rather than warn.
    :param codec: what makes tokens and reads them, see :mod:`dotlatch.signed`; not with a store.
    :param transport: how tokens travel, see :mod:`dotlatch.headers`; in a cookie unless given.
    """
    secret_key: 'Any' = None

    def __init__(self, app: 'Any' = None, secret_key: 'Any' = None, cookie_options: 'dict[str, Any] | None' = None,
                 max_age: 'int | None' = None, name: str = 'session', host_prefix: bool = True,
                 max_cookie: int = MAX_COOKIE, max_revoked: int = MAX_REVOKED, revoked_path: 'str | None' = None,
                 require_strong_key: bool = False, idle: 'int | None' = None, store: 'Any' = None,
                 autosave: bool = False, codec: 'Any' = None, transport: 'Any' = None, revoked: 'Any' = None) -> None:
        for limit in (max_age, idle):
            if limit is not None and (type(limit) is not int or limit <= 0):
                raise ValueError('max_age and idle are seconds, an int above 0, or None')
        self.cookies = CookieTransport(name, cookie_options, host_prefix, max_cookie)
        self.transport = transport or self.cookies
        self.require_strong_key = require_strong_key
        self.revoked: 'Any' = Revoked(max_revoked, revoked_path) if revoked is None else revoked
        self.is_shared = revoked is not None and store is None  # then the list is asked before and told after
        self.waits = self.is_shared or store is not None        # then load() has to come before get()
        self.idle = idle or 0
        self.store = store
        self._max_age = max_age
        self._keys: 'list[Key]' = []
        self._keys_of: 'Any' = None
        self._save_changes: 'Any' = None
        if autosave:
            from .autosave import save_changes
            self._save_changes = save_changes
        self._kept: 'Any'
        if store is None:  # a board loads the one that it uses
            from .signed import Signed
            self._kept = Signed(self, codec)
        else:
            if codec is not None:
                raise ValueError('with a store the cookie holds an id, and there is nothing for a codec to do')
            from .stored import Stored
            # One that keeps sessions as another framework does has its own.
            self._kept = store.keeper(self) if hasattr(store, 'keeper') else Stored(self, store)
        if secret_key is not None:
            self._set_key(secret_key)
        if app is not None:
            self.initialize(app)

    def initialize(self, app: 'Any', secret_key: 'Any' = None, cookie_options: 'dict[str, Any] | None' = None) -> None:
        """Attach to an app that was not there yet for the constructor; the arguments are the constructor's."""
        if cookie_options is not None:
            self.cookies.set_options(cookie_options)
        if secret_key is not None:
            self._set_key(secret_key)
        app._session = self
        http.hook(app)

    @property
    def cookie_options(self) -> 'dict[str, Any]':
        """The options that cookies are written with."""
        return self.cookies.options

    @property
    def max_age(self) -> int:
        """Seconds after which a session ends."""
        return self._max_age or self.cookies.options.get('max_age') or MAX_AGE

    def _set_key(self, secret_key: 'Any') -> None:
        keys = tokens.make_keys(secret_key)
        if min([key.size for key in keys]) < 32:
            if self.require_strong_key:
                raise ValueError(_SHORT_KEY)
            warn_once(_SHORT_KEY)
        self.secret_key = self._keys_of = tuple(secret_key) if isinstance(secret_key, list) else secret_key
        self._keys = keys

    @property
    def keys(self) -> 'list[Key]':
        """The keys, prepared; ValueError while there is none."""
        if self.secret_key is not self._keys_of or not self._keys:
            if not self.secret_key:
                raise ValueError('The session secret key is not configured')
            self._set_key(self.secret_key)
        return self._keys

    # --- one request ------------------------------------------------------------------------------

    def get(self, request: 'Any') -> SessionDict:
        """Return the visitor's session: empty when there is no cookie, or one that is not accepted.

        With a store, or a list of ended sessions that is shared, :meth:`load` has to come first, as it does in
        :func:`with_session` and ``Login``.
        """
        session: 'SessionDict | None' = getattr(request.g, '_session', None)
        if session is not None:
            return session
        if self.waits:
            raise RuntimeError('these sessions are loaded by with_session, Login or await load(request)')
        try:
            found = self._kept.find(self.transport.read(request))
        except OSError as error:
            http.unavailable(request, error)
        return self._begin(request, found)

    async def load(self, request: 'Any') -> SessionDict:
        """Return the visitor's session, from its store when there is one. Ends in a 503 when the store is down."""
        if not self.waits or hasattr(request.g, '_session'):
            return self.get(request)
        if self.is_shared:
            await self.revoked.prepare(self, request)
        found = self._kept.find(self.transport.read(request))
        if not self.is_shared:
            try:
                found = await found
            except OSError as error:
                http.unavailable(request, error)
        return self._begin(request, found)

    def _begin(self, request: 'Any', found: 'tuple[dict[str, Any], bool] | None') -> SessionDict:
        if found is None:
            session = SessionDict(weakly(request), {})
        else:
            claims, is_old = found
            content = claims['data']
            session = SessionDict(weakly(request), content)
            for name, value in content.items():
                if type(value) not in _LEAVES:  # what one request changes is nobody else's
                    session[name] = _copied(value)
            session._claims = claims
            session._saved = content
            session._renew = is_old or lifetime.is_due(claims, self.idle)
        session.ext = self
        request.g._session = session
        on_response(request, _write)
        return session

    def is_live(self, claims: 'dict[str, Any]') -> bool:
        """Tell whether a session with these claims goes on: neither expired nor idle for too long, nor ended."""
        return not lifetime.is_over(claims, self.idle) and not self.is_ended(claims)

    def is_ended(self, claims: 'dict[str, Any]') -> bool:
        """Tell whether a session with these claims was ended before its time, or what it came from was."""
        if self.revoked.is_empty:
            return False
        parent = claims.get('parent')
        try:
            if parent is not None and self.revoked.has(*parent):
                return True
            return self.store is None and self.is_token_ended(claims)  # what a store has ended is not there
        except (TypeError, IndexError):  # a codec's or a store's claims may be anything
            return True

    def is_revoked(self, session: SessionDict) -> bool:
        """Tell whether the session was ended while its handler ran."""
        return session._claims is not None and self.is_ended(session._claims)

    async def is_there(self, session: SessionDict) -> bool:
        """Tell whether there is a session, and nobody has ended it while its handler ran."""
        claims = session._claims
        if self.is_shared and claims is not None:
            await self.revoked.prepare(self, session.request)
        if claims is None or self.is_ended(claims):
            return False
        if self.store is None or session._is_new:
            return True
        try:
            found: bool = await self._kept.is_there(claims['jti'])
        except OSError as error:
            http.unavailable(session.request, error)
        return found

    def update(self, request: 'Any', session: 'dict[str, Any]') -> None:
        """Keep ``session`` in the cookie of this response; what :meth:`SessionDict.save` calls."""
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
        self._put(current, current)
        on_response(request, _write)  # once more, for handlers of the response that save

    def _start(self, session: SessionDict, max_age: 'int | None') -> 'dict[str, Any]':
        session._claims = claims = lifetime.begin(self.max_age if max_age is None else max_age)
        session._is_new = True
        self._kept.start(session, claims)
        return claims

    def _put(self, session: SessionDict, content: 'dict[str, Any]') -> None:
        claims = self._used_now(session)
        claims['data'] = content = {name: content[name] for name in content}
        self._kept.put(session, claims)
        # What is kept is as it was saved; the copy comes second, since what JSON cannot carry may have no end.
        claims['data'] = session._saved = _copied(content)
        session._renew = False

    def touch(self, session: SessionDict) -> None:
        """Have the session's time of use written, and nothing that the handler has not saved."""
        session._renew = False
        if not self.is_revoked(session):
            self._kept.touch(session, self._used_now(session))

    def _used_now(self, session: SessionDict) -> 'dict[str, Any]':
        claims: 'Any' = session._claims
        return lifetime.used(claims, self.idle > 0 or self.store is not None)

    def hand_out(self, request: 'Any', response: 'Any', session: SessionDict) -> None:
        """Have the response carry the session's token, unless the session was ended meanwhile."""
        token = session.token
        if token is not None and not (token and self.is_revoked(session)):
            self.transport.write(request, response, token)

    def delete(self, request: 'Any') -> None:
        """End the session for good; what :meth:`SessionDict.delete` calls."""
        session = self.get(request)
        self._end(session)
        if self.store is None:
            self._kept.bury(session)
        session.clear()
        session._claims = None
        session._saved = {}
        session.token = '' if self.transport.is_there(request) else None
        on_response(request, _write)

    async def end_now(self, session: SessionDict) -> None:
        """Have others know what :meth:`delete` has ended, which otherwise waits for the response."""
        if self.is_shared:
            await self.revoked.settle()
        elif session._doomed and session._claims is None:
            await self._kept.end_now(session)

    def renew(self, session: SessionDict, max_age: 'int | None' = None, parent: 'list[Any] | None' = None,
              user: 'str | int | None' = None) -> None:
        """End the session under its old id and give it a new one; see :meth:`SessionDict.regenerate`.

        :param parent: id, end and clock of another token, with which the session ends too.
        :param user: whose it is, for the list of a user's sessions that a store can give.
        """
        self._end(session)
        session._saved = None
        claims = self._start(session, max_age)
        if parent is not None:
            claims['parent'] = parent
        if user is not None and self.store is not None:
            claims['user'] = user

    def regenerate(self, session: SessionDict, max_age: 'int | None' = None) -> None:
        """Give a session a new id, if it has not ended; what :meth:`SessionDict.regenerate` calls."""
        claims = session._claims
        if claims is None:
            return self.renew(session, max_age)
        if self.is_ended(claims):
            return
        left = tokens.left(claims)
        parent = claims.get('parent')
        if max_age is None:
            max_age = left
        elif parent is not None:
            max_age = min(max_age, max(left, parent[1] - tokens.time_on(parent[2])))
        origin = session._origin or ('' if session._is_new else claims['jti'])
        if self.store is None and not session._is_new:  # as with a store, it ends when the response is ready
            session._doomed = (claims,)
            session._claims = None
        self.renew(session, max_age, parent, claims.get('user'))
        session._origin = origin

    def _end(self, session: SessionDict) -> None:
        if session._claims is not None:
            self._kept.end(session, session._claims)
        session.token = session._record = None
        session._origin = ''
        session._renew = False

    def begin_token(self, claims: 'dict[str, Any]') -> None:
        """Complete the claims of a new token: it is none of those that a full list ends together."""
        end, by_uptime = end_of(claims)
        floor = self.revoked.floor(end, by_uptime)
        if floor:
            claims['floor'] = floor

    def is_token_ended(self, claims: 'dict[str, Any]') -> bool:
        """Tell whether the token with these claims was ended before its time."""
        end, by_uptime = end_of(claims)
        ended: bool = self.revoked.has(claims['jti'], end, by_uptime, claims.get('floor', 0))
        return ended

    def end_token(self, claims: 'dict[str, Any]') -> None:
        """End the token with these claims before its time."""
        end, by_uptime = end_of(claims)
        try:
            self.revoked.add(claims['jti'], max(end, claims.get('floor', 0) + 1), by_uptime)
            if by_uptime and now() is not None:  # and what it has become, or would, now that the clock is set
                self.revoked.add(claims['jti'], lifetime.used(claims, False)['exp'] + 1)
        except (OSError, ValueError):  # it is ended here and now; why should the visitor hear otherwise of a full disk
            warn_once('an ended session could not be written down: a restart will bring it back')

    # --- all sessions of a user, with a store -----------------------------------------------------

    async def list_sessions(self, user_id: 'str | int') -> 'list[dict[str, Any]]':
        """Return a user's sessions, the one used last first: id, iat (when it began), seen, source and client.

        :raises RuntimeError: without a store, which alone knows them; so do the next two.
        :raises OSError: when the store cannot be asked.
        """
        found: 'list[dict[str, Any]]' = await self._need_store().list(user_id)
        return found

    async def end_session(self, user_id: 'str | int', session_id: str) -> bool:
        """End one session of a user; ``False`` when that user has none of that id."""
        ended: bool = await self._need_store().end_one(user_id, session_id)
        return ended

    async def end_sessions(self, user_id: 'str | int', keep: 'SessionDict | None' = None) -> int:
        """End all sessions of a user but ``keep``, and return how many there were."""
        claims = keep._claims if keep is not None else None
        count: int = await self._need_store().end_all(user_id, claims['jti'] if claims else None)
        return count

    def _need_store(self) -> 'Any':
        if self.store is None:
            raise RuntimeError('sessions in cookies are known to their browsers only: give Session a store')
        return self._kept

    # --- tokens -----------------------------------------------------------------------------------

    def encode(self, payload: 'dict[str, Any]', secret_key: 'Any' = None) -> str:
        """Return a new session token that carries ``payload``; RuntimeError with a store, where there are none."""
        claims = lifetime.used(lifetime.begin(self.max_age), self.idle > 0)
        claims['data'] = payload
        return self._need_tokens().encode(claims, secret_key)

    def decode(self, session: str, secret_key: 'Any' = None) -> 'dict[str, Any]':
        """Return the payload of a session token, or ``{}`` for anything that is not accepted."""
        claims = self._need_tokens().decode(session, secret_key)
        return _copied(claims['data']) if claims else {}

    def _need_tokens(self) -> 'Signed':
        if self.store is not None:
            raise RuntimeError('with a store the cookie holds an id: there are no tokens')
        return self._kept  # type: ignore[no-any-return]


def session_of(request: 'Any') -> Session:
    """Return the :class:`Session` of the request's app; RuntimeError when it has none."""
    ext: 'Session | None' = getattr(request.app, '_session', None) or getattr(request.subapp, '_session', None)
    if ext is None:
        raise RuntimeError('this app has no sessions yet: call Session(app, secret_key=...) at its start')
    return ext


def with_session(f: 'Callable[..., Any]') -> 'Any':
    """Decorator that passes the session to the handler, after the request.

    The handler saves it itself, with :meth:`SessionDict.save`, unless the app has ``autosave``.
    """
    @wraps(f)
    async def wrapper(request: 'Any', *args: 'Any', **kwargs: 'Any') -> 'Any':
        ext = session_of(request)
        if not ext.waits:
            return await call(f, request, ext.get(request), *args, **kwargs)
        session = await ext.load(request)
        try:
            return await call(f, request, session, *args, **kwargs)
        finally:  # after a WebSocket, or when the client has gone, there is no response to wait for
            await ext.end_now(session)
    return wrapper


def _write(request: 'Any', response: 'Any') -> 'Any':
    """Finish the response of a request that has looked at its session."""
    session = request.g._session
    ext = session.ext
    vary(response, ext.transport.header, bool(session) or session.token is not None)
    if ext._save_changes is not None:
        ext._save_changes(request, response, session, ext)
    if session._renew:
        ext.touch(session)
    if session._doomed or session._record is not None:
        if ext.store is not None:
            return ext._kept.respond(request, response, session)
        ext._kept.bury(session)
    if ext.is_shared:
        return ext.revoked.respond(request, response, session)
    if session.token is not None:
        ext.hand_out(request, response, session)
    return None


def _copied(value: 'Any') -> 'Any':
    """Return a copy of what JSON carries, as deep as it goes."""
    if isinstance(value, dict):
        return {name: _copied(item) if isinstance(item, _NESTED) else item for name, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, _NESTED) else value
