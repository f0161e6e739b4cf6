"""How long a session lasts for which Django's ``set_expiry`` was called, and the cookie of it.

Needs cookies.py and session.py::

    left({'_session_expiry': 300}, now)     # 300
    Session(app, codec.keys, codec=codec, transport=SessionCookie('sessionid'))
"""
import datetime
from typing import Any

from ..cookies import MAX_COOKIE, CookieTransport, write
from ..session import session_of
from . import records

_EXPIRY = '_session_expiry'  # seconds, 0 for as long as the browser is open, or a time as ISO 8601 has it


def left(data: 'dict[str, Any]', time: int) -> 'int | None':
    """Return for how many seconds a session with this data goes on when it is saved now; ``None`` for the usual.

    :param time: Unix seconds.
    """
    expiry = data.get(_EXPIRY)
    try:
        if isinstance(expiry, str):
            return int(datetime.datetime.fromisoformat(expiry).timestamp()) - time
        return int(expiry) or None if isinstance(expiry, (int, float)) else None
    except (ValueError, OverflowError):  # no time, or none that there is
        return None


class SessionCookie(CookieTransport):
    """Django's session cookie: it goes when the browser is closed, or after as long, where Django has said so.

    :param name: Django's ``SESSION_COOKIE_NAME``.
    :param options: see :class:`dotlatch.cookies.CookieTransport`; so is ``max_cookie``. ``max_age`` is the session's
        unless given, and ``None`` for Django's ``SESSION_EXPIRE_AT_BROWSER_CLOSE``.
    """
    def __init__(self, name: str = 'sessionid', options: 'dict[str, Any] | None' = None,
                 max_cookie: int = MAX_COOKIE) -> None:
        super().__init__(name, options, host_prefix=False, max_cookie=max_cookie)

    def write(self, request: Any, response: Any, token: str) -> None:
        """Have the client keep the token, or forget it when it is empty."""
        if not token:
            return super().write(request, response, token)
        ext = session_of(request)
        data = ext.get(request)
        options = self.options_for(request).copy()
        options.setdefault('max_age', ext.max_age)
        if data.get(_EXPIRY) is not None:
            options['max_age'] = None if data[_EXPIRY] == 0 else left(data, records.read_clock()) or options['max_age']
        write(response, self.name_for(request), token, options, self.same_site)
