"""Remember me: a cookie that logs a visitor in again after the browser has forgotten the session.

Needs what login.py needs, which loads it when somebody is remembered, and cookietoken.py; series.py where sessions have
a store. Without one the cookie is a token that is bound to the user's password and session version, ends when it was
said to end, however often it is used, and is worth nothing after a logout.
"""
from . import tokens
from .cookietoken import CookieToken
from .session import session_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .login import Login

TYP = 'dl-remember+jwt'
_DAY = 24 * 3600


class RememberMe:
    """The remember-me cookie of an app.

    What comes of it has a parent: id, end and clock of the token or series that it ends with.
    """
    def __init__(self, login: 'Login') -> None:
        self.login = login
        self.cookie = CookieToken(login.remember_name, TYP, login.remember_options)

    def _series(self, request: 'Any') -> 'Any':
        if session_of(request).store is None:
            return None
        from . import series  # loaded by those who have a store
        return series.Series(self.login, self.cookie)

    async def issue(self, request: 'Any', user: 'Any', stamped: str, days: int) -> 'list[Any]':
        """Have the response set the cookie, good for ``days`` from now; return the parent of what comes of it."""
        request.g._remembered = True
        series = self._series(request)
        if series is not None:
            return parent_of(await series.begin(request, user, stamped, days * _DAY))
        return parent_of(self.cookie.issue(request, user, stamped, days * _DAY))

    async def find(self, request: 'Any') -> 'tuple[Any, Any, int, list[Any]] | None':
        """Return user id, stamp, seconds left and parent of the only cookie that is accepted, or ``None``."""
        series = self._series(request)
        found = None
        for claims in await series.accepted(request) if series is not None else self.cookie.accepted(request):
            if found is not None:
                return None
            found = claims.get('sub'), claims.get('stamp', ''), tokens.left(claims), parent_of(claims)
        return found

    async def forget(self, request: 'Any', parent: 'list[Any] | None' = None) -> None:
        """End what came with the request, and what the session came of, and have the response clear the cookie."""
        ext = session_of(request)
        series = self._series(request)
        if series is not None:
            await series.end(request, parent)
        else:
            for claims in self.cookie.accepted(request):
                ext.end_token(claims)
            if type(parent) is list and len(parent) == 4:
                ext.end_token(_claims_of(parent))
            if ext.is_shared:
                await ext.revoked.settle()
        request.g._remembered = True
        self.cookie.clear(request)


def parent_of(claims: 'dict[str, Any]') -> 'list[Any]':
    """Return what a session has as its parent that comes of a token with these claims."""
    end, by_uptime = tokens.end_of(claims)
    return [claims['jti'], end, by_uptime, claims.get('floor', 0)]


def _claims_of(parent: 'list[Any]') -> 'dict[str, Any]':
    token_id, end, by_uptime, floor = parent
    claims: 'dict[str, Any]' = {'jti': token_id, 'floor': floor}
    if by_uptime:
        claims[tokens.BOOT_CLAIM] = [tokens.BOOT_ID, end]
    else:
        claims['exp'] = end
    return claims
