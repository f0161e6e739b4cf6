"""Remember me: a signed cookie that logs a visitor in again after the browser has forgotten the session.

Needs what login.py needs, which loads it when somebody is remembered. The token is for this one purpose, is bound to
the user's password and session version, ends when it was said to end, however often it is used, and is worth nothing
after a logout.
"""
from . import cookies, http, tokens
from .identity import stamp, user_id
from .portable import random_id
from .session import session_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

TYP = 'remember+jwt'
_DAY = 24 * 3600


class RememberMe:
    """The remember-me cookie of an app.

    :param name: the cookie's name; its other attributes are those of the session's.
    """
    def __init__(self, name: str) -> None:
        self.name = name

    def issue(self, request: 'Any', user: 'Any', days: int) -> 'list[Any]':
        """Have the response set the cookie, good for ``days`` from now.

        Returns what sessions that come of it have as their parent: id, end and clock. They end with it.
        """
        ext = session_of(request)
        claims: 'dict[str, Any]' = {'jti': random_id(), 'sub': user_id(user)}
        mark = stamp(user, ext.keys[0])
        if mark:
            claims['stamp'] = mark
        claims = tokens.with_lifetime(claims, days * _DAY)
        ext.begin_token(claims)
        self._respond(request, tokens.encode(claims, ext.keys[0], TYP), days * _DAY)
        return _parent(claims)

    def find(self, request: 'Any') -> 'tuple[Any, Any, int, list[Any]] | None':
        """Return user id, stamp, seconds left and parent of the only token that is accepted, or ``None``."""
        found = None
        for claims in self._accepted(request):
            if found is not None:
                return None
            end, by_uptime = tokens.end_of(claims)
            left = end - tokens.time_on(by_uptime)
            found = claims.get('sub'), claims.get('stamp', ''), left, _parent(claims)
        return found

    def forget(self, request: 'Any') -> None:
        """End the tokens that came with the request, and have the response clear the cookie."""
        ext = session_of(request)
        for claims in self._accepted(request):
            ext.end_token(claims)
        self._respond(request, '', 0)

    def _accepted(self, request: 'Any') -> 'Iterator[dict[str, Any]]':
        ext = session_of(request)
        for value in cookies.read(request, ext.cookies.name_for(request, self.name)):
            try:
                claims = tokens.decode(value, ext.keys, TYP)
            except tokens.TokenError:
                continue
            if isinstance(claims.get('jti'), str) and not ext.is_token_ended(claims):
                yield claims

    def _respond(self, request: 'Any', token: str, max_age: int) -> None:
        request.g._remember = (session_of(request).cookies.name_for(request, self.name), token, max_age)
        cookies.plan(request, *request.g._remember[:2])
        http.on_response(request, _write)


def _parent(claims: 'dict[str, Any]') -> 'list[Any]':
    end, by_uptime = tokens.end_of(claims)
    return [claims['jti'], end, by_uptime, claims.get('floor', 0)]


def _write(request: 'Any', response: 'Any') -> None:
    name, token, max_age = request.g._remember
    transport = session_of(request).cookies
    options = transport.options_for(request).copy()
    options.pop('expires', None)
    options['max_age'] = max_age
    if token and response.status_code >= 500:
        return  # a store that is down has let nobody in, so nobody is remembered either
    if token:
        cookies.write(response, name, token, options, transport.same_site)
    else:
        cookies.clear(response, name, options, transport.same_site)
