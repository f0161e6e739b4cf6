"""Everything locked unless opened: one guard in front of a whole app, its mounted apps included.

Needs portable.py, http.py, protect.py and anyof.py, with what those need::

    Guard(app, any_of(login, token), exclude=['/static/*', '/health'])

    @app.get('/')
    async def index(request):
        return 'Hello, ' + request.g.current_user.name
"""
from microdot import Response, abort
from microdot.microdot import HTTPException

from . import http
from .anyof import any_of
from .portable import deny_websocket, has_controls, utf8, warn_once
from .protect import Protector, refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_UNRESERVED = b'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~'
_HEX = b'0123456789ABCDEFabcdef'


class Guard:
    """A guard for all routes of an app, whoever adds them and wherever they are mounted.

    Who gets in is ``request.g.current_user``. Make it before the routes or after them, and for the main app: handlers
    of a mounted app do not run for what is mounted in that one, so this one refuses to serve.

    A pattern is an address, ``/login``, all below one, ``/static/*``, or has names for any one segment,
    ``/<device>/state``. What opens is compared exactly. What locks is compared generously: in capitals or not, with a
    slash, dots or spaces at the end or parameters after a ``;``, and by the route that the request came to, since a dot
    in a route stands for any character. A short name of FAT, such as ``SECRET~1``, is locked.

    :param app: the main app.
    :param auth: an authenticator, or a list of them, of which any will do.
    :param include: patterns of what is locked; ``None`` for all.
    :param exclude: patterns of what is open. The form of a :class:`dotlatch.login.Login` is open by itself.
    :param on_failure: what a stranger gets. ``'refuse'``: what the authenticator's decorator would say. ``'redirect'``:
        people are sent to the login form whatever they tried. ``'ignore'``: he goes on, and ``current_user`` is
        ``None``.
    :param exempt_methods: methods that need nobody, such as ``('OPTIONS',)``. The GET of a WebSocket is none of them.
    :raises ValueError: for a pattern that is none, or ``'redirect'`` without a form to go to.
    """
    def __init__(self, app: 'Any', auth: 'Any', include: 'Iterable[str] | None' = None,
                 exclude: 'Iterable[str]' = (), on_failure: str = 'refuse',
                 exempt_methods: 'Iterable[str]' = ()) -> None:
        if isinstance(exempt_methods, str):
            raise TypeError("exempt_methods is a list, such as ('OPTIONS',)")
        if on_failure not in ('refuse', 'redirect', 'ignore'):
            raise ValueError("on_failure is 'refuse', 'redirect' or 'ignore'")
        if not isinstance(auth, Protector):
            auth = any_of(*auth)
        forms = [one for one in getattr(auth, 'authenticators', [auth]) if hasattr(one, 'login_url')]
        if on_failure == 'redirect' and not forms:
            raise ValueError("on_failure='redirect' needs a Login among the authenticators")
        self.app = app
        self.auth = auth
        self.on_failure = on_failure
        self._methods = [method.upper() for method in exempt_methods]
        self._form = forms[0] if forms else None
        self._open = _Patterns(exclude)
        self._named = [form for form in forms if '/' not in form.login_url]  # they open with the first request
        for form in forms:
            self._open.exact.append(form.login_url.split('?')[0])
            if getattr(form, 'second', None) is not None:
                self._open.exact.append(form.second_factor_url.split('?')[0])
        self._locked = None if include is None else _Patterns(include, generous=True)
        self._routes: 'dict[Any, bool]' = {}  # which handlers have a locked address
        self._known = 0                       # for how many routes
        # Before all others: what they say of a request is not for strangers, and CORS adds to what is answered here.
        http.ask_first(app, 3, self._enter)
        app.after_error_request_handlers.insert(0, self._hide)
        http.hook(app)  # once _hide is at work, it is too late for that request

    # --- requests that have a route -----------------------------------------------------------------

    async def _enter(self, request: 'Any') -> 'Any':
        if request.app is not self.app:
            raise RuntimeError('Guard needs the main app: what is mounted in another would be open')
        g = request.g
        g._has_route = True
        if not await self._is_locked(request):
            return None
        user = await self.auth.find_user(request)
        if user is not None:
            self.auth.admit(request, user)
            return None
        if not hasattr(g, 'current_user'):
            g.current_user = None
        if self.on_failure == 'ignore':
            return None
        return await self._refuse(request)

    async def _refuse(self, request: 'Any') -> 'Any':
        by = self.auth
        if self.on_failure == 'redirect' and http.wants_page(request):
            by = self._form
        return refusal(await by.refuse(request, ()), 401)

    # --- requests that have none --------------------------------------------------------------------

    async def _hide(self, request: 'Any', response: 'Any') -> 'Any':
        """Have a stranger learn nothing of which routes there are: not from 404, 405, or OPTIONS."""
        if request is None or request.app is not self.app or hasattr(request.g, '_has_route'):
            return None
        if request.content_length > request.max_content_length or callable(self.app.find_route(request)[0]):
            return None  # too large, or refused by who comes before the guard
        try:
            for rank, f in self.app._asked_first:
                if rank < 2:
                    await f(request)
            if self.on_failure == 'ignore':
                return None
            if not await self._is_locked(request):
                return None
            if _is_preflight(request):  # it has no credentials, and its answer is for the browser, not for the page
                if 'Allow' in response.headers:
                    del response.headers['Allow']
                return None
            if await self.auth.find_user(request) is not None:
                return None
            answer = await self._refuse(request)
        except HTTPException as error:
            answer = await self.app.error_response(request, error.status_code, error.reason)
        except Exception as error:  # nobody above catches it
            warn_once('a guard could not ask who is there: ' + type(error).__name__)
            answer = await self.app.error_response(request, 500, 'Internal server error')
        if isinstance(answer, tuple):
            return Response(*answer)
        return answer if isinstance(answer, Response) else Response(answer)

    # --- addresses ----------------------------------------------------------------------------------

    async def _is_locked(self, request: 'Any') -> bool:
        try:
            path = plain_path(request)
        except ValueError:
            await deny_websocket(request, 400, ())
            abort(400, 'Bad request')
        while self._named:
            self._open.exact.append(self._named[-1].form_url(request))
            self._named.pop()
        if self._open.match(path):
            return False
        if request.method.upper() in self._methods and not http.is_websocket(request):
            return False
        return self._locked is None or self._locked.match(path) or self._is_locked_route(request)

    def _is_locked_route(self, request: 'Any') -> bool:
        if not hasattr(request.g, '_has_route'):
            return False
        routes = self.app.url_map
        if len(routes) != self._known:
            self._known = len(routes)
            self._routes = {}
            for _, pattern, handler, _, _ in routes:
                if self._locked.match('/' + pattern.url_pattern.lstrip('/')):  # type: ignore[union-attr]  # it is there
                    self._routes[handler] = True
        # Older releases do not say which route it is.
        return (getattr(request, 'route', None) or self.app.find_route(request)[0]) in self._routes


class _Patterns:
    """Patterns for addresses, compiled once: nothing is searched for that is not there."""

    def __init__(self, patterns: 'Iterable[str]', generous: bool = False) -> None:
        self.generous = generous
        self.exact: 'list[str]' = []
        self.starts: 'list[str]' = []
        self.named: 'list[tuple[list[str], bool]]' = []  # segments, and whether more may follow
        for pattern in [patterns] if isinstance(patterns, str) else patterns:
            self._add(pattern)

    def _add(self, pattern: str) -> None:
        below = pattern.endswith('/*')
        address = pattern[:-1] if below else pattern
        segments = address.split('/')
        names = [one for one in segments if '<' in one or '>' in one]
        wrong = [one for one in names if not (one.startswith('<') and one.endswith('>') and ':' not in one)]
        if wrong or not _is_plain(address.encode()) or [c for c in '*%?;#' if c in address]:
            raise ValueError("a pattern is an address such as '/login', '/static/*' or '/<name>/x', not "
                             + repr(pattern))
        if self.generous:
            address = _bare(address)
            segments = (address if below else address.rstrip('/')).split('/')
        if names:
            self.named.append((segments[:-1] if below else segments, below))
        elif below:
            self.starts.append(address)
        else:
            self.exact.append('/'.join(segments))
        if self.generous and below:  # and what it is below of
            self._add(address.rstrip('/') or '/')

    def match(self, path: str) -> bool:
        """Tell whether one of them is for this path."""
        if self.generous:
            if '~' in path.replace('/~', ''):  # what FAT calls a file of a long name: no pattern tells which
                return True
            path = _bare(path).rstrip('/')
        if path in self.exact:
            return True
        for start in self.starts:
            if path.startswith(start):
                return True
        segments = path.split('/') if self.named else ()
        for wanted, below in self.named:
            if len(segments) > len(wanted) if below else len(segments) == len(wanted):
                for i in range(len(wanted)):
                    if wanted[i] != segments[i] and not (wanted[i].startswith('<') and segments[i]):
                        break
                else:
                    return True
        return False


def _bare(path: str) -> str:
    """Return what is left of a path when nothing counts that some file systems and servers leave out."""
    if ';' in path or '.' in path or ' ' in path:  # FAT leaves dots and spaces out at the end
        path = '/'.join([segment.split(';')[0].rstrip('. ') for segment in path.split('/')])
    return path.lower()


# --- one spelling for a path ----------------------------------------------------------------------

def plain_path(request: 'Any') -> str:
    """Return the path, decoded once.

    :raises ValueError: for one that somebody else would read differently: empty segments and dots (RFC 3986 section
        6.2.2.3), backslashes, control characters, what is no UTF-8; where Microdot finds the route by the path as it
        was sent, an escape of what needs none.
    """
    path: str = request.path
    sent = path.encode()
    if b'%' in sent and http.is_built_in(request):
        sent = _unescaped(sent)
        path = utf8(sent)
    elif len(sent) != len(path):
        utf8(sent)
    if not _is_plain(sent):
        raise ValueError('not a plain path')
    return path


def _is_plain(path: bytes) -> bool:
    if path[:1] != b'/' or has_controls(path) or b'\\' in path or b'//' in path or b'/;' in path:
        return False
    if b'\xef\xbf\xbd' in path:  # what ASGI servers make of bytes that are no UTF-8
        return False
    if b'/.' in path:
        for segment in path.split(b'/'):
            if segment.split(b';')[0] in (b'.', b'..'):
                return False
    return True


def _unescaped(path: bytes) -> bytes:
    parts = path.split(b'%')
    for i in range(1, len(parts)):
        code = parts[i][:2]
        if len(code) < 2 or code.strip(_HEX):
            raise ValueError('half an escape')
        byte = bytes([int(code, 16)])
        if byte in _UNRESERVED or byte == b'/':
            raise ValueError('an escape of what needs none')
        parts[i] = byte + parts[i][2:]
    return b''.join(parts)


def _is_preflight(request: 'Any') -> bool:
    """Tell whether a browser asks before a request of another origin's page (Fetch section 4.8)."""
    headers = request.headers
    return (request.method.upper() == 'OPTIONS' and 'Origin' in headers
            and 'Access-Control-Request-Method' in headers)
