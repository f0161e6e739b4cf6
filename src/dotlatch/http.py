"""What dotlatch asks of a request and adds to a response, whichever server and whichever way Microdot ends it.

Needs portable.py and onepiece.py. What visitor.py and refusals.py have is found here too, and loaded when somebody asks
for it::

    from dotlatch.http import on_response

    on_response(request, add_header)   # add_header(request, response), after abort() too
"""
from microdot import Response

from .onepiece import in_one_piece
from .portable import MICROPYTHON, Busy, warn_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_SPELLED = {'vary': 'Vary', 'cache-control': 'Cache-Control'}
_BODIES = (str, dict, list, bytes)
MAX_CREDENTIALS = 4096  # characters of a header that are looked at
AMBIENT = ('basic', 'digest', 'negotiate', 'ntlm')  # schemes that browsers use again unasked, as they send cookies


def is_https(request: 'Any') -> bool:
    """Tell whether the request came over TLS. Microdot's own server says so in ``app.ssl`` only, and older releases
    have no ``request.scheme``."""
    scheme = getattr(request, 'scheme', None)
    if scheme is None and hasattr(request, 'asgi_scope'):
        scheme = request.asgi_scope.get('scheme')
    elif scheme is None and hasattr(request, 'environ'):
        scheme = request.environ.get('wsgi.url_scheme')
    return scheme in ('https', 'wss') or bool(getattr(request.app, 'ssl', None))


def is_built_in(request: 'Any') -> bool:
    """Tell whether Microdot's own server took the request, with its lines of 2 KB and paths as they were sent."""
    return not hasattr(request, 'asgi_scope') and not hasattr(request, 'environ')


def is_websocket(request: 'Any') -> bool:
    """Tell whether the request asks for a WebSocket, under ASGI or with an Upgrade header (RFC 6455 section 4.1)."""
    scope = getattr(request, 'asgi_scope', None)
    if scope is not None:
        return scope['type'] == 'websocket'  # type: ignore[no-any-return]  # a comparison of strings
    upgrade = request.headers.get('Upgrade')
    return upgrade is not None and 'websocket' in upgrade.lower()


# --- credentials ----------------------------------------------------------------------------------

def credentials(request: 'Any', header: str, scheme: str) -> 'str | None':
    """Return what follows ``scheme`` in a header, or ``None`` when the header is of another scheme or not there.

    The scheme is compared whole and in any case (RFC 9110 section 11.1), and one or more spaces follow it.
    """
    headers = request.headers
    # The dictionary's own get() takes an eighth of Microdot's, which is for those who spell the name otherwise.
    value: 'str | None' = (None if MICROPYTHON else dict.get(headers, header)) or headers.get(header)
    if not value or len(value) > MAX_CREDENTIALS:
        return None
    given, _, rest = value.partition(' ')
    if given != scheme and given.lower() != scheme.lower():  # nearly all write it as we do
        return None
    return rest.lstrip(' ')


# --- responses ------------------------------------------------------------------------------------

def on_response(request: 'Any', f: 'Callable[[Any, Any], Any]') -> bool:
    """Have ``f(request, response)`` called before the response is sent, whether it is a result or an error's.

    It comes after the app's own handlers, which may put another response in the place of the one they get, and may be
    called again for that one. What it returns, unless ``None``, is awaited and may be another response.

    :returns: whether it is the first for this request.
    """
    g = request.g
    handlers = request.after_request_handlers
    if not hasattr(g, '_dotlatch'):
        g._dotlatch = [f]
        handlers.append(_finish)
        handlers = request.app.after_error_request_handlers
        if not handlers or handlers[-1] is not _finish:
            hook(request.app)
        return True
    if f not in g._dotlatch:
        g._dotlatch.append(f)
    if not handlers or handlers[-1] is not _finish:
        handlers.append(_finish)
    return False


def hook(app: 'Any') -> None:
    """Have error responses finished too: an abort() skips the handlers of the request. Ours stays the last."""
    handlers = app.after_error_request_handlers
    if _finish in handlers:
        handlers.remove(_finish)
    handlers.append(_finish)
    app.error_handlers.setdefault(Busy, _busy)
    if not MICROPYTHON:
        from .portable import server_problem
        problem = server_problem(app)
        if problem:
            warn_once(problem)


def ask_first(app: 'Any', rank: int, f: 'Callable[[Any], Any]') -> None:
    """Register ``f`` before all other ``before_request`` handlers, in whichever order they are registered: what tells
    who the client is (rank 0), what looks for whom he asks (1) and from whose page (2), then guards (3)."""
    ranked = getattr(app, '_asked_first', [])
    place = len([r for r, _ in ranked if r < rank])
    handlers = app.before_request_handlers
    handlers.insert(handlers.index(ranked[place - 1][1]) + 1 if place else 0, f)
    app._asked_first = ranked[:place] + [(rank, f)] + ranked[place:]


async def _busy(request: 'Any', error: Exception) -> 'Any':
    return Response('Too many are logging in: try again in a moment', 503, {'Retry-After': '2'})


class Route:
    """What a route's wrapper knows of itself: with itself in a cell it would have no end where MicroPython shows it."""
    wrapper: 'Any' = None


def finishing(request: 'Any', route: Route, answer: 'Any') -> 'tuple[Any, Any]':
    """Return a route's response, finished where nobody but us looks at it, or else the answer as it came; and what is
    to be awaited for the response instead, or ``None``.

    It spares Microdot's way to a handler of ours, which is a tenth of what a check costs.
    """
    handlers = request.after_request_handlers
    if getattr(request, 'route', None) is not route.wrapper or request.app.after_request_handlers or request.subapp:
        return answer, None  # a decorator around it, the app or a sub-app; older releases do not say which route it is
    if len(handlers) != 1 or handlers[0] is not _finish:
        return answer, None
    if type(answer) in _BODIES:  # as nearly always
        response = Response(answer)
    elif not isinstance(answer, Response) or answer is Response.already_handled:
        return answer, None  # which Microdot knows to read
    else:
        response = answer
    handlers.clear()
    waiting = iter(request.g._dotlatch)
    for f in waiting:
        work = f(request, response)
        if work is not None:
            return None, _go_on(request, response, work, waiting)
    if MICROPYTHON:
        in_one_piece(response)
    return response, None


async def _finish(request: 'Any', response: 'Any') -> 'Any':
    waiting = getattr(request.g, '_dotlatch', None) if request is not None else None
    if waiting and response is not Response.already_handled:
        return await _go_on(request, response, None, iter(waiting))
    return response


async def _go_on(request: 'Any', response: 'Any', work: 'Any', waiting: 'Any') -> 'Any':
    """Finish a response: await what a store does, and call those who wait still."""
    if work is not None:
        response = await work or response
    for f in waiting:
        work = f(request, response)
        if work is not None:
            response = await work or response
    if MICROPYTHON:
        in_one_piece(response)
    return response


def vary(response: 'Any', name: str, is_personal: bool = False) -> None:
    """Say that the response depends on a request header, and keep a personal one out of caches (ASVS 14.3.2)."""
    headers = response.headers
    if not headers:  # as nearly always: what NoCaseDict does with new names, in a sixth of the time
        headers.keymap = _SPELLED.copy()
        headers.setdefault('Vary', name)
        if is_personal:
            headers.setdefault('Cache-Control', 'no-store')
        return
    known = headers.get('Vary')
    if not known:
        headers['Vary'] = name
    elif name.lower() not in [given.strip().lower() for given in known.split(',')]:
        headers['vary'] = known + ', ' + name  # in small letters it goes where it stands, however that is written
    if is_personal:
        no_store(response)


def no_store(response: 'Any') -> None:
    """Keep the response out of caches, unless its handler has said something about caching."""
    if 'Cache-Control' not in response.headers:
        response.headers['Cache-Control'] = 'no-store'


if TYPE_CHECKING:
    from .refusals import asked as asked
    from .refusals import challenge as challenge
    from .refusals import is_unavailable as is_unavailable
    from .refusals import too_many as too_many
    from .refusals import unavailable as unavailable
    from .visitor import form as form
    from .visitor import source as source
    from .visitor import url_as_sent as url_as_sent
    from .visitor import wants_page as wants_page
else:
    def __getattr__(name):
        # What no request with a session needs is loaded by the first that does.
        if name in ('challenge', 'too_many', 'unavailable', 'is_unavailable', 'asked'):
            from . import refusals as found
        elif name in ('source', 'form', 'wants_page', 'url_as_sent'):
            from . import visitor as found
        else:
            raise AttributeError(name)
        f = globals()[name] = getattr(found, name)
        return f
