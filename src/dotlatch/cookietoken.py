"""A signed token in a cookie of its own, for one purpose: remember-me, or a trusted device.

Needs portable.py, tokens.py, identity.py, cookies.py, http.py and session.py; remember.py and trusted.py load it::

    cookie = CookieToken('_remember', 'dl-remember+jwt', options)
    claims = cookie.issue(request, user, stamp(user, ext.keys[0]), 30 * 24 * 3600)
    for claims in cookie.accepted(request): ...
    cookie.clear(request)
"""
from . import cookies, http, tokens
from .identity import user_id
from .portable import random_id
from .session import session_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


class CookieToken:
    """A cookie of an app.

    :param name: its name; over TLS with ``__Host-`` in front, as the session's.
    :param typ: what its tokens are for: no other one's are taken (RFC 8725 section 3.11).
    :param options: its attributes; ``None`` for the session's.
    """
    def __init__(self, name: str, typ: str, options: 'dict[str, Any] | None' = None) -> None:
        self.name = name
        self.typ = typ
        self.options = options

    def _transport(self, request: 'Any') -> 'Any':
        ours = session_of(request).cookies
        if self.options is None:
            return ours
        return cookies.CookieTransport(self.name, self.options, ours.host_prefix)

    def issue(self, request: 'Any', user: 'Any', stamped: str, seconds: int) -> 'dict[str, Any]':
        """Have the response set the cookie, bound to the user's password and session version; return its claims.

        :param stamped: what :func:`dotlatch.identity.stamp` said of the user when the credentials were checked.
        """
        ext = session_of(request)
        claims: 'dict[str, Any]' = {'jti': random_id(), 'sub': user_id(user)}
        if stamped:
            claims['stamp'] = stamped
        claims = tokens.with_lifetime(claims, seconds)
        ext.begin_token(claims)
        self.set(request, tokens.encode(claims, ext.keys[0], self.typ), seconds)
        return claims

    def accepted(self, request: 'Any') -> 'Iterator[dict[str, Any]]':
        """Go through the claims of the tokens that came and hold."""
        ext = session_of(request)
        for value in self.sent(request):
            try:
                claims = tokens.decode(value, ext.keys, self.typ)
            except tokens.TokenError:
                continue
            if isinstance(claims.get('jti'), str) and not ext.is_token_ended(claims):
                yield claims

    def sent(self, request: 'Any') -> 'list[str]':
        """Return what came under the cookie's name."""
        return cookies.read(request, self._transport(request).name_for(request, self.name))

    def set(self, request: 'Any', value: str, max_age: int, always: bool = False) -> None:
        """Have the response set the cookie, to be kept for ``max_age`` seconds.

        :param always: also when it is an error of ours.
        """
        transport = self._transport(request)
        name = transport.name_for(request, self.name)
        waiting = getattr(request.g, '_cookies', None)
        if waiting is None:
            request.g._cookies = waiting = {}
        waiting[name] = value, max_age, transport, always
        cookies.plan(request, name, value)
        http.on_response(request, _write)

    def clear(self, request: 'Any') -> None:
        """Have the response clear the cookie."""
        self.set(request, '', 0)


def _write(request: 'Any', response: 'Any') -> None:
    waiting = request.g._cookies
    for name in waiting:
        value, max_age, transport, always = waiting[name]
        if value and not always and response.status_code >= 500:
            continue  # a store that is down has let nobody in, so nobody is remembered either
        options = transport.options_for(request).copy()
        options.pop('expires', None)
        options['max_age'] = max_age
        if value:
            cookies.write(response, name, value, options, transport.same_site)
        else:
            cookies.clear(response, name, options, transport.same_site)
