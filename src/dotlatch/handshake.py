"""What a WebSocket handshake has to be before it opens for a user: well formed, and of a page that may have it.

Needs what protect.py needs, and sameorigin.py; protect.py loads it for the first WebSocket.
"""
from microdot import abort
from microdot.microdot import HTTPException

from . import http, sameorigin
from .portable import b64_decode, deny_websocket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .protect import Protector


async def identify(by: 'Protector', request: 'Any', args: 'tuple[Any, ...]' = ()) -> 'Any':
    """Return the user for whom a WebSocket may open, or ``None``; a handshake that is refused never opens."""
    try:
        user = await by.identify(request)
    except HTTPException as error:  # a 429 or 503
        await deny_websocket(request, error.status_code, args)
        raise
    if user is not None:
        await check(request, request.g._authenticator if by.is_several else by, args)
    return user


async def check(request: 'Any', by: 'Protector | None' = None, args: 'tuple[Any, ...]' = ()) -> None:
    """End a handshake that may not go on in a 400, 403 or 426, before it opens.

    Authenticators do this. A handler that looks at a session or cookie by itself calls ``await check(request)`` before
    it opens the WebSocket.

    A route that ``csrf.exempt`` was put on may be opened by pages of any site.

    :param by: the authenticator that has found the user; without one, it was a cookie.
    :param args: the handler's, among which an open WebSocket may be.
    """
    status = _malformed(request)
    if not status and (by is None or by.is_ambient()) and not _is_of_this_site(request):
        status = 0 if getattr(request.g, '_is_exempt', False) else 403
    if status:
        if status == 426:
            http.on_response(request, _say_version)
        await deny_websocket(request, status, args)
        abort(status)


def _malformed(request: 'Any') -> int:
    """Return the status for a handshake that is none (RFC 6455 section 4.2.1), or 0."""
    if hasattr(request, 'asgi_scope'):  # the server has seen to it; over HTTP/2 there is no key
        return 0
    if request.headers.get('Sec-WebSocket-Version', '').strip() != '13':
        return 426
    try:
        return 0 if len(b64_decode(request.headers.get('Sec-WebSocket-Key', ''))) == 16 else 400
    except ValueError:
        return 400


def _is_of_this_site(request: 'Any') -> bool:
    """Tell whether no other site's page can have sent it (RFC 6455 section 10.2).

    Browsers name the page's origin in every handshake. Who does not, and brings an Authorization header, is no browser.
    """
    same = sameorigin.is_same_origin(request)
    return request.headers.get('Authorization') is not None if same is None else same


def _say_version(request: 'Any', response: 'Any') -> None:
    if response.status_code == 426:
        response.headers['Sec-WebSocket-Version'] = '13'  # RFC 6455 section 4.4
        response.headers['Upgrade'] = 'websocket'         # RFC 9110 section 15.5.22
