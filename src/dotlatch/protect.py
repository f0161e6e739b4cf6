"""What every way to prove a name has in common: decorators that ask who is there, and what they may do.

Needs portable.py, origin.py, http.py and identity.py. An authenticator of your own is a class with two methods::

    class ByBadge(Protector):
        async def identify(self, request):
            return badges.get(request.headers.get('X-Badge'))   # a user, or None

        def challenge(self, request):
            return 'Badge'                                      # what a 401 says of the way in

    badge = ByBadge()

    @app.get('/door')
    @badge.requires('door')
    async def door(request):
        return 'Open for ' + request.g.current_user.name
"""
from microdot import abort

from . import http
from .identity import get
from .portable import call, deny_websocket, wraps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Protector:
    """The decorators of an authenticator, which has :meth:`identify` and :meth:`challenge`."""

    async def identify(self, request: 'Any') -> 'Any':
        """Return the user whose credentials the request carries, or ``None``."""
        raise NotImplementedError

    def challenge(self, request: 'Any') -> str:
        """Return what a 401 says of this way in, as in WWW-Authenticate (RFC 9110 section 11.6.1)."""
        raise NotImplementedError

    def is_tried(self, request: 'Any') -> bool:
        """Tell whether the request carries credentials of this kind, good or bad."""
        return False

    # --- decorators -------------------------------------------------------------------------------

    def __call__(self, f: 'Callable[..., Any]') -> 'Any':
        """Decorator for a route that needs a user, who is ``request.g.current_user`` there."""
        return self._protected(f, (), True)

    def requires(self, *scopes: str) -> 'Callable[..., Any]':
        """Decorator for a route that needs a user with all of these scopes; others get a 403."""
        return self._with_scopes(scopes, True)

    def requires_any(self, *scopes: str) -> 'Callable[..., Any]':
        """Decorator for a route that needs a user with one of these scopes; others get a 403."""
        return self._with_scopes(scopes, False)

    def optional(self, f: 'Callable[..., Any]') -> 'Any':
        """Decorator for a route that does without a user: ``request.g.current_user`` may be ``None``."""
        @wraps(f)
        async def wrapper(request: 'Any', *args: 'Any', **kwargs: 'Any') -> 'Any':
            user = await self.identify(request)
            if user is not None or not hasattr(request.g, 'current_user'):
                request.g.current_user = user
            return await call(f, request, *args, **kwargs)
        return wrapper

    def _with_scopes(self, scopes: 'tuple[str, ...]', all_of_them: bool) -> 'Callable[..., Any]':
        for scope in scopes or (None,):
            if not isinstance(scope, str) or not _is_scope(scope):
                raise ValueError("name the scopes, such as @auth.requires('pump', 'log')")
        return lambda f: self._protected(f, scopes, all_of_them)

    def _protected(self, f: 'Callable[..., Any]', scopes: 'tuple[str, ...]', all_of_them: bool) -> 'Any':
        @wraps(f)
        async def wrapper(request: 'Any', *args: 'Any', **kwargs: 'Any') -> 'Any':
            user = await self.identify(request)
            if user is None:
                return await self.refuse(request, args)
            request.g.current_user = user
            if scopes and not _may(request, scopes, all_of_them):
                return await self.forbid(request, args, scopes)
            return await call(f, request, *args, **kwargs)
        return wrapper

    # --- refusals ---------------------------------------------------------------------------------

    async def refuse(self, request: 'Any', args: 'tuple[Any, ...]') -> 'Any':
        """Answer who has not proven a name: 401, with the challenge.

        :param args: the handler's, among which an open WebSocket may be.
        """
        http.challenge(request, self.challenge(request))
        await deny_websocket(request, 401, args)
        abort(401)

    async def forbid(self, request: 'Any', args: 'tuple[Any, ...]', scopes: 'tuple[str, ...]') -> 'Any':
        """Answer who is known and may not: 403 (RFC 9110 section 15.5.4)."""
        by: Protector = getattr(request.g, '_authenticator', self)
        challenge = by.insufficient(scopes)
        if challenge:
            http.challenge(request, challenge, 403)
        await deny_websocket(request, 403, args)
        abort(403)

    def insufficient(self, scopes: 'tuple[str, ...]') -> str:
        """Return what a 403 says of the scopes that are missing; nothing, but for Bearer (RFC 6750 section 3.1)."""
        return ''


def scopes_of(request: 'Any') -> 'list[str]':
    """Return what the visitor may do: the user's ``scopes``, or those of them that a key or token was given for."""
    scopes = get(getattr(request.g, 'current_user', None), 'scopes') or ()
    if isinstance(scopes, str):
        scopes = scopes.split(' ')
    granted = getattr(request.g, '_granted', None)
    return [scope for scope in scopes if granted is None or scope in granted]


def _may(request: 'Any', scopes: 'tuple[str, ...]', all_of_them: bool) -> bool:
    given = scopes_of(request)
    found = [scope in given for scope in scopes]
    return all(found) if all_of_them else any(found)


def _is_scope(text: str) -> bool:
    """Tell whether ``text`` is a scope-token (RFC 6749 section 3.3), which goes into a header."""
    for c in text:
        if not '!' <= c <= '~' or c in '"\\':
            return False
    return bool(text)
