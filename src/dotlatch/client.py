"""Whether a session comes from the client it began with, for ``Login(protection=...)``.

Needs what login.py needs, which loads it. Address and browser are no secret, and whoever has stolen a cookie may be on
the same network: this slows a thief down, and no more.
"""
from hashlib import sha256

from . import cookies, entry, http
from .portable import b64url_bytes, compare_digest
from .proofs import FRESH, REMEMBERED, came_of
from .session import session_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .login import Login


def fingerprint(request: 'Any') -> str:
    """Return the text that a client is known by unless told otherwise: its address and its browser's name."""
    return '%s\n%s' % (http.source(request), request.headers.get('User-Agent', ''))


def digest(login: 'Login', request: 'Any') -> str:
    """Return what the session keeps of it."""
    text: str = (login.fingerprint or fingerprint)(request)
    kept: str = b64url_bytes(sha256(text.encode()).digest()[:12]).decode()
    return kept


async def check(login: 'Login', request: 'Any', user: 'Any') -> 'Any':
    """Return the user, or ``None`` when the session is another client's and ends with that."""
    session = session_of(request).get(request)
    if compare_digest(str(session.get('_client')).encode(), digest(login, request).encode()):
        return user
    if login.protection == 'strong':
        login.tell('session_ended', request, user, reason='client')
        parent = came_of(session)
        session.delete()
        if parent is not None or cookies.is_sent(request, login.remember_name):
            await entry.forget(login, request, parent)
        return None
    request.g._is_doubtful = True
    if request.g.login_state == FRESH:
        request.g.login_state = REMEMBERED
    return user
