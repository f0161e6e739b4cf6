"""What dotlatch asks of a request and adds to a response, whichever server and whichever way Microdot ends it.

Needs portable.py, origin.py and onepiece.py::

    from dotlatch.http import on_response

    on_response(request, add_header)   # add_header(request, response), after abort() too
"""
from microdot import Response, abort

from .onepiece import in_one_piece
from .origin import quote
from .portable import MICROPYTHON, Busy, json_value, utf8, warn_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

MAX_CREDENTIALS = 4096  # characters of a header that are looked at
_IPV4 = bytes(10) + b'\xff\xff'  # before an IPv4 address, on a socket for both
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


def url_as_sent(request: 'Any') -> str:
    """Return path and query with the path percent-encoded, as a link to this page would have it.

    ASGI and WSGI hand the path out decoded, line ends and all, and the query as it was sent.
    """
    if is_built_in(request):
        return str(request.url)
    query = request.query_string
    return quote(request.path) + ('?' + query if query else '')


def is_websocket(request: 'Any') -> bool:
    """Tell whether the request asks for a WebSocket, under ASGI or with an Upgrade header (RFC 6455 section 4.1)."""
    scope = getattr(request, 'asgi_scope', None)
    if scope is not None:
        return bool(scope['type'] == 'websocket')
    upgrade = request.headers.get('Upgrade')
    return upgrade is not None and 'websocket' in upgrade.lower()


def wants_page(request: 'Any') -> bool:
    """Tell whether a redirect to a form would help: a person's browser asks for a page. So may who takes anything.

    WebSocket, EventSource, fetch() and JSON clients would only follow it to some HTML they cannot use.
    """
    headers = request.headers
    if is_websocket(request) or headers.get('X-Requested-With'):
        return False
    if headers.get('Sec-Fetch-Mode', 'navigate') != 'navigate' or 'json' in (request.content_type or ''):
        return False
    accept = headers.get('Accept', '*/*')
    return 'text/html' in accept or accept.startswith('*/*')


def source(request: 'Any') -> str:
    """Return the network that a request comes from: its IPv4 address or the first half of its IPv6 address."""
    address = request.client_addr
    if isinstance(address, (bytes, bytearray)):  # a sockaddr, on MicroPython's unix port
        at = 4
        if address[0] == 10:  # IPv6
            if bytes(address[8:20]) != _IPV4:
                return ':'.join(['%x' % (address[i] << 8 | address[i + 1]) for i in (8, 10, 12, 14)])
            at = 20
        return '.'.join([str(b) for b in address[at:at + 4]])
    host = str(address[0]) if address else ''
    if ':' not in host:
        return host
    if '.' in host and host[:7].lower() == '::ffff:':  # an IPv4 address, on a socket for both
        return host[7:]
    groups = host.split('::')[0].split(':')[:4]  # zeros stand between '::' and the end of these
    return ':'.join(groups + ['0'] * (4 - len(groups))) if '::' in host else ':'.join(groups)


# --- credentials ----------------------------------------------------------------------------------

def credentials(request: 'Any', header: str, scheme: str) -> 'str | None':
    """Return what follows ``scheme`` in a header, or ``None`` when the header is of another scheme or not there.

    The scheme is compared whole and in any case (RFC 9110 section 11.1), and one or more spaces follow it.
    """
    value: 'str | None' = request.headers.get(header)
    if not value or len(value) > MAX_CREDENTIALS:
        return None
    given, _, rest = value.partition(' ')
    if given != scheme and given.lower() != scheme.lower():  # nearly all write it as we do
        return None
    return rest.lstrip(' ') if rest.startswith(' ') else rest


# --- responses ------------------------------------------------------------------------------------

def on_response(request: 'Any', f: 'Callable[[Any, Any], Any]') -> None:
    """Have ``f(request, response)`` called before the response is sent, whether it is a result or an error's.

    It comes after the app's own handlers, which may put another response in the place of the one they get, and may be
    called again for that one. What it returns, unless ``None``, is awaited and may be another response.
    """
    waiting = getattr(request.g, '_dotlatch', None)
    if waiting is None:
        request.g._dotlatch = [f]
        handlers = request.app.after_error_request_handlers
        if not handlers or handlers[-1] is not _finish:
            hook(request.app)
    elif f not in waiting:
        waiting.append(f)
    handlers = request.after_request_handlers
    if not handlers or handlers[-1] is not _finish:
        handlers.append(_finish)


def hook(app: 'Any') -> None:
    """Have error responses finished too: an abort() skips the handlers of the request. Ours stays the last."""
    handlers = app.after_error_request_handlers
    if _finish in handlers:
        handlers.remove(_finish)
    handlers.append(_finish)
    app.error_handlers.setdefault(Busy, _busy)


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


async def _finish(request: 'Any', response: 'Any') -> 'Any':
    waiting = getattr(request.g, '_dotlatch', None) if request is not None else None
    if waiting and response is not Response.already_handled:
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
    if not headers:  # as nearly always, and to look for one takes 0.2 ms on an RP2040
        headers['Vary'] = name
        if is_personal:
            headers['Cache-Control'] = 'no-store'
        return
    known = headers.get('Vary')
    if not known:
        headers['Vary'] = name
    elif name.lower() not in [given.strip().lower() for given in known.split(',')]:
        headers['Vary'] = known + ', ' + name
    if is_personal:
        no_store(response)


def no_store(response: 'Any') -> None:
    """Keep the response out of caches, unless its handler has said something about caching."""
    if 'Cache-Control' not in response.headers:
        response.headers['Cache-Control'] = 'no-store'


def challenge(request: 'Any', value: str, status: int = 401) -> None:
    """Have a 401, or a 403, carry this challenge in WWW-Authenticate (RFC 9110 section 11.6.1), whoever makes its page.
    """
    g = request.g
    g._challenges = getattr(g, '_challenges', ()) + (value,) if status == 401 else (value,)
    g._challenge_status = (400, 401) if status == 401 else (status,)
    on_response(request, _add_challenges)


def _add_challenges(request: 'Any', response: 'Any') -> None:
    if response.status_code in request.g._challenge_status:
        no_store(response)
        if 'WWW-Authenticate' not in response.headers:
            # A line for each: browsers take the first that they know, but of one line some take the last.
            challenges = list(request.g._challenges)
            response.headers['WWW-Authenticate'] = challenges if len(challenges) > 1 else challenges[0]


def too_many(request: 'Any', wait: int) -> None:
    """Answer with 429 (RFC 6585 section 4): the client may come back after ``wait`` seconds."""
    request.g._retry_after = wait
    on_response(request, _add_retry_after)
    abort(429, 'Too many attempts')


def unavailable(request: 'Any', error: Exception) -> None:
    """Answer with 503: what knows who may enter cannot be asked now, so nobody does."""
    if not isinstance(error, Busy):
        warn_once('credentials could not be checked: ' + type(error).__name__)
    request.g._retry_after = 2
    on_response(request, _add_retry_after)
    abort(503, 'Try again in a moment')


def is_unavailable(error: Exception) -> bool:
    """Tell whether the error says that no guess was judged. Any other may be how a callback says that one was wrong."""
    return isinstance(error, OSError) or getattr(error, 'status_code', 0) == 503


def _add_retry_after(request: 'Any', response: 'Any') -> None:
    if response.status_code in (429, 503):
        response.headers['Retry-After'] = str(request.g._retry_after)


# --- bodies ---------------------------------------------------------------------------------------

def form(request: 'Any') -> 'dict[str, str]':
    """Return the fields of an urlencoded or JSON body, the first of each name; ends in a 400 for anything else.

    ``request.form`` raises in the handler when a client sends bytes that are no UTF-8 or an escape that is none.
    """
    fields: 'dict[str, str]' = {}
    try:
        given = request.form
        if given is None and 'json' in (request.content_type or ''):
            given = json_value(request.body) if request.body else {}
        for name in given or ():
            value = given[name]
            if isinstance(value, bytes):  # empty: what Microdot makes of a name alone
                value = ''
            utf8((name + value).encode())  # no string, or none that UTF-8 has a form for
            fields[name] = value
    except Exception:  # whatever a parser says of bytes from outside
        abort(400, 'Bad form')
    return fields
