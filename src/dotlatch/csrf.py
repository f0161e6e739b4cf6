"""What a page of another site has a visitor's browser send is refused before a handler sees it (CSRF).

Needs portable.py, origin.py, http.py and sameorigin.py; handshake.py for WebSockets, and formtoken.py for tokens::

    from dotlatch.csrf import CSRF

    csrf = CSRF(app)               # that is all for forms and fetch() of your own pages

    @app.post('/hook')
    @csrf.exempt                   # above or below @login, @auth, @with_session
    async def hook(request):
        return 'Anybody may call'
"""
import sys

from microdot import abort

from . import http, sameorigin
from .portable import MICROPYTHON, call, deny_websocket, inner_of, warn_once, wraps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_DEEPEST = 16  # decorators of one route


class CSRF:
    """CSRF protection for an app and all that is mounted in it.

    A request that may change something has to come from a page of the app's own origin, or of one that is allowed, or
    bring a token of :meth:`token`. One that says nothing of where it comes from passes when it has no cookie, or when
    it has an Authorization header: no browser of today sends such a request. The handshake of a WebSocket is held
    to the same.

    :param app: the main app.
    :param cors: Microdot's ``CORS``, whose list of origins is allowed as by :func:`dotlatch.sameorigin.allow`.
    :param protect_all: check all routes but those with :meth:`exempt`; else, only those with :meth:`protect`.
    :param allow_subdomains: allow the sub-domains of the app's origin, and of those that are allowed, too.
    :raises ValueError: for an origin in the list that is none.
    """
    SAFE_METHODS = ('GET', 'HEAD', 'OPTIONS', 'TRACE')  # RFC 9110 section 9.2.1
    FIELD = 'csrf_token'
    HEADER = 'X-CSRF-Token'

    def __init__(self, app: 'Any' = None, cors: 'Any' = None, protect_all: bool = True,
                 allow_subdomains: bool = False) -> None:
        self.cors = cors
        self.protect_all = protect_all
        self.allow_subdomains = allow_subdomains
        self._app: 'Any' = None
        self._marks: 'dict[Any, bool]' = {}  # of functions: protected, or exempt
        self._has_looked = False
        if app is not None:
            self.initialize(app)

    def initialize(self, app: 'Any', cors: 'Any' = None) -> None:
        """Attach to an app that was not there yet for the constructor; the arguments are the constructor's."""
        self.cors = cors = cors or self.cors
        origins = (cors.allowed_origins if cors else None) or ()
        if isinstance(origins, str):
            origins = () if origins == '*' else (origins,)  # who may read is not who may write
        sameorigin.allow(app, *origins, sub_domains=self.allow_subdomains)
        self._app = app
        http.ask_first(app, 2, self._enter)  # before any guard, and before any password is hashed

    # --- decorators -------------------------------------------------------------------------------

    def exempt(self, f: 'Callable[..., Any]') -> 'Any':
        """Decorator for a route that pages of any site may use, and for a WebSocket that they may open."""
        @wraps(f)
        async def wrapper(request: 'Any', *args: 'Any', **kwargs: 'Any') -> 'Any':
            return await call(f, request, *args, **kwargs)
        self._mark(wrapper, False)  # and not the function, which may have other routes
        return wrapper

    def protect(self, f: 'Callable[..., Any]') -> 'Any':
        """Decorator for a route that is checked whatever its method is, and whatever ``protect_all``.

        Over plain HTTP browsers do not say which page a GET comes from, so one with a cookie is refused there.
        """
        self._mark(f, True)  # in case nobody keeps the wrapper

        @wraps(f)
        async def wrapper(request: 'Any', *args: 'Any', **kwargs: 'Any') -> 'Any':
            await self._check(request, args)  # a decorator above may hide the mark
            return await call(f, request, *args, **kwargs)
        return wrapper

    def _mark(self, f: 'Any', is_protected: bool) -> None:
        self._marks[f] = is_protected
        if MICROPYTHON:
            inner_of[f] = None
            _teach_microdot()

    def _mark_of(self, request: 'Any') -> 'bool | None':
        """Return the mark of the route, which is on its function or on one that this one wraps."""
        if not self._marks:
            return None
        f = getattr(request, 'route', None) or request.app.find_route(request)[0]  # older releases do not say
        for g in _layers(f):
            if g in self._marks:
                return self._marks[g]
        return None

    # --- the check --------------------------------------------------------------------------------

    async def _enter(self, request: 'Any') -> None:
        if request.app is not self._app:
            raise RuntimeError('CSRF needs the main app: what is mounted in another would be open')
        mark = self._mark_of(request)
        if mark is None and self.protect_all:
            mark = request.method.upper() not in self.SAFE_METHODS
            if not mark and http.is_websocket(request):
                mark = True
                if _is_ambient(request):
                    from . import handshake  # loaded by those who have WebSockets
                    await handshake.check(request)
        elif mark is False:
            request.g._is_exempt = True
        if mark:
            await self._check(request, ())

    async def _check(self, request: 'Any', args: 'tuple[Any, ...]') -> None:
        """End a request that a page of another site may have sent in a 403."""
        if hasattr(request.g, '_is_ours'):
            return
        if 'Sec-Fetch-Site' in request.headers or request.method.upper() in self.SAFE_METHODS:
            http.on_response(request, _vary)
        if not _is_ours(request) and (http.is_websocket(request) or not await self._has_token(request)):
            self._look_for_lost_marks()
            await deny_websocket(request, 403, args)
            abort(403, 'Forbidden: sent from a page of another site')
        request.g._is_ours = True

    def _look_for_lost_marks(self) -> None:
        """Warn, once, of what should be exempt and is not: a decorator that hides the function that it wraps."""
        if self._has_looked:
            return
        self._has_looked = True
        found = []
        for route in self._app.url_map:
            found.extend(_layers(route[2]))
        for f, is_protected in self._marks.items():
            if not is_protected and f not in found:
                warn_once('a route under @csrf.exempt is not exempt, as the decorator above hides it: '
                          'put @csrf.exempt above that one')

    # --- tokens -----------------------------------------------------------------------------------

    def token(self, request: 'Any') -> str:
        """Return a token for a form of this visitor's, to come back in a field ``csrf_token`` or the header
        ``X-CSRF-Token``, and never in an address.

        It is good as long as the visitor's session has the same id, so a login or log-out ends it. A visitor without a
        session gets one. Each call returns another token.

        :raises RuntimeError: without a :class:`~dotlatch.session.Session`; with a store, before the session is loaded.
        """
        from . import formtoken  # loaded by those who use them
        return formtoken.issue(request)

    def field(self, request: 'Any') -> str:
        """Return the HTML of a hidden field with a :meth:`token`."""
        return '<input type="hidden" name="%s" value="%s">' % (self.FIELD, self.token(request))

    async def _has_token(self, request: 'Any') -> bool:
        if 'Cookie' not in request.headers:  # then there is no session, and what the body says does not matter
            return False
        given = request.headers.get(self.HEADER) or _in_form(request, self.FIELD)
        if not given:
            return False
        from . import formtoken
        return await formtoken.is_good(request, given)


def _layers(f: 'Any') -> 'list[Any]':
    """Return a function and those that it wraps, the outermost first."""
    found: 'list[Any]' = []
    while f is not None and len(found) < _DEEPEST:
        try:
            inner = inner_of.get(f)
        except TypeError:  # an object that is no key of a dict, and so has no mark
            break
        found.append(f)
        f = inner or getattr(f, '__wrapped__', None)
    return found


def _teach_microdot() -> None:
    """Have Microdot's own decorators say what they wrap, such as ``with_websocket``: on MicroPython they do not."""
    helpers = sys.modules.get('microdot.helpers')
    silent = getattr(helpers, 'wraps', None)
    if silent is not None and silent is not wraps:
        for name in sys.modules:
            module: 'Any' = sys.modules[name]
            if getattr(module, 'wraps', None) is silent:
                module.wraps = wraps


# --- what a request says --------------------------------------------------------------------------

def _is_ours(request: 'Any') -> bool:
    """Tell whether no page of another site can have sent it, by its headers."""
    headers = request.headers
    is_authorized = bool(headers.get('Authorization'))
    same = sameorigin.is_same_origin(request)
    if same is None:
        return is_authorized or 'Cookie' not in headers
    # A page that names the credentials itself has them, and has asked for leave (a CORS preflight).
    return same or (is_authorized and not _is_ambient(request))


def _is_ambient(request: 'Any') -> bool:
    """Tell whether a browser sent credentials by itself."""
    headers = request.headers
    return 'Cookie' in headers or headers.get('Authorization', '').split(' ')[0].lower() in http.AMBIENT


def _in_form(request: 'Any', name: str) -> 'Any':
    try:
        form = request.form
        return form.get(name) if form else None
    except Exception:  # whatever a parser says of bytes from outside
        return None


def _vary(request: 'Any', response: 'Any') -> None:
    http.vary(response, 'Sec-Fetch-Site')
    if request.method.upper() in CSRF.SAFE_METHODS:
        http.vary(response, 'Origin')
