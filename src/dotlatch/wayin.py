"""Where somebody is sent who has to prove a name, or more than was proven: to the form and back, or to a 401.

Needs what login.py needs, which loads it for the first visitor who is not let in::

    return wayin.to_form(login, request, login.form_url(request))   # the redirect, with ?next=
"""
from microdot import abort, redirect

from . import http
from .identity import has_second_factor
from .origin import quote, safe_next, with_query
from .portable import deny_websocket
from .proofs import CODE, IMPERSONATOR, PASSWORD
from .session import session_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .login import Login

_LONGEST = 1900  # characters: Microdot's own server takes lines of 2048, gunicorn of 4094


def log_in_first(login: 'Login', request: 'Any') -> 'Any':
    """Send who is nobody to the form, or to the one for the code when that alone is missing."""
    is_half = '_half' in session_of(request).get(request)
    return to_form(login, request, login.second_factor_url if is_half else login.form_url(request))


async def step_up(login: 'Login', request: 'Any', args: 'tuple[Any, ...]', factor: str, max_age: 'int | None') -> 'Any':
    """Have somebody prove more: a person at the form, a program by a 401 (RFC 9470 section 3)."""
    if request.g.login_state == IMPERSONATOR or (factor == CODE and not has_second_factor(request.g.current_user)):
        await deny_websocket(request, 403, args)
        abort(403)
    if http.wants_page(request):
        # Another client's session (client.py) is this one's once the password was proven here.
        by_password = factor == PASSWORD or getattr(request.g, '_is_doubtful', False)
        return to_form(login, request, login.form_url(request) if by_password else login.second_factor_url, True)
    challenge = login.challenge(request) + ', error="insufficient_user_authentication"'
    http.challenge(request, challenge + (', max_age=%d' % max_age if max_age is not None else ''))
    await deny_websocket(request, 401, args)
    abort(401)


def url_of(app: 'Any', name: str) -> str:
    """Return the address of the route whose handler has that name."""
    for methods, pattern, handler, _, _ in app.url_map:
        address: str = pattern.url_pattern
        if getattr(handler, '__name__', None) == name and 'GET' in methods and '<' not in address:
            return address
    raise RuntimeError('login_url is an address, such as /login, or the name of the function whose route it is: there '
                       'is no route for GET of a function ' + name)


def to_form(login: 'Login', request: 'Any', target: str, again: bool = False) -> 'Any':
    """Return the redirect to a form, from which the visitor comes back.

    :param again: for who is logged in, and is told when what a form of his has sent is lost.
    """
    url = http.url_as_sent(request)
    lost = request.method.upper() not in ('GET', 'HEAD')
    if lost:
        url = _page_before(request)  # a form's body is lost on the way, and its address may be no page
    query = ['next=' + _fitting(request, url)] if url else []
    if lost and again:
        query.append('again=lost')
    return redirect(with_query(target, '&'.join(query)))


def _fitting(request: 'Any', url: str) -> str:
    """Return a URL for a query, without its own where the server would not take the form's with it."""
    most = _LONGEST if http.is_built_in(request) else 2 * _LONGEST
    for part in (url, url.split('?')[0]):
        text = quote(part)
        if len(text) <= most:
            return text
    return ''


def _page_before(request: 'Any') -> str:
    """Return path and query of the page of this site that the request was sent from, or ``''``."""
    host, found, path = request.headers.get('Referer', '').partition('://')[2].partition('/')
    same = found and host.lower() == request.headers.get('Host', '').lower()
    return safe_next('/' + path, '') if same else ''
