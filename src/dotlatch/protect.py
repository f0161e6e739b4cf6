"""What every way to prove a name has in common: decorators that ask who is there, and what they may do.

Needs portable.py, onepiece.py, http.py, refusals.py and identity.py. An authenticator of your own is a class with two
methods::

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
from microdot import Response, abort
from microdot.microdot import HTTPException

from . import http
from .http import Route, finishing, is_websocket
from .identity import get, scope_list
from .portable import call, caller, deny_websocket, wraps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Protector:
    """The decorators of an authenticator, which has :meth:`identify` and :meth:`challenge`."""

    is_several = False  # any_of() is, and says itself which of them has found the user

    error_status = 401

    error_callback: 'Callable[..., Any] | None' = None

    async def identify(self, request: 'Any') -> 'Any':
        """Return the user whose credentials the request carries, or ``None``."""
        raise NotImplementedError  # each way to prove a name has its own

    def challenge(self, request: 'Any') -> str:
        """Return what a 401 says of this way in, as in WWW-Authenticate (RFC 9110 section 11.6.1)."""
        raise NotImplementedError  # each way to prove a name has its own

    def is_tried(self, request: 'Any') -> bool:
        """Tell whether the request carries credentials of this kind, good or bad."""
        return False

    def is_ambient(self) -> bool:
        """Tell whether browsers send credentials of this kind by themselves, for whichever page: cookies, Basic and
        Digest. Then a WebSocket opens only for pages of this origin (RFC 6455 section 10.2)."""
        return getattr(self, 'scheme', 'Basic').lower() in http.AMBIENT

    async def recheck(self, request: 'Any', user: 'Any') -> 'Any':
        """Return the user of an open WebSocket or event stream who would still be let in, or ``None``.

        :class:`dotlatch.live.Live` asks this once a second; unless told otherwise, it identifies the user again.

        :param request: the one that opened it, with a ``g`` of its own.
        """
        return await self.identify(request)

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
        handler = caller(f)

        @wraps(f)
        async def wrapper(request: 'Any', *args: 'Any', **kwargs: 'Any') -> 'Any':
            user = await self.find_user(request, args)
            if user is not None:
                self.admit(request, user)
            elif not hasattr(request.g, 'current_user'):
                request.g.current_user = None
            return await handler(request, *args, **kwargs)
        return wrapper

    def _with_scopes(self, scopes: 'tuple[str, ...]', all_of_them: bool) -> 'Callable[..., Any]':
        for scope in scopes or (None,):
            if not isinstance(scope, str) or not _is_scope(scope):
                raise ValueError("name the scopes, such as @auth.requires('pump', 'log')")
        return lambda f: self._protected(f, scopes, all_of_them)

    def _protected(self, f: 'Callable[..., Any]', scopes: 'tuple[str, ...]', all_of_them: bool) -> 'Any':
        handler = caller(f)
        route = Route()

        @wraps(f)
        async def wrapper(request: 'Any', *args: 'Any', **kwargs: 'Any') -> 'Any':
            user = await self.find_user(request, args)
            if user is None:
                return await self.refuse(request, args)
            self.admit(request, user)
            if scopes and not _may(request, scopes, all_of_them):
                return await self.forbid(request, args, scopes)
            # Without arguments a call takes half as long.
            answer = await (handler(request, *args, **kwargs) if args or kwargs else handler(request))
            response, rest = finishing(request, route, answer)
            return response if rest is None else await rest
        route.wrapper = wrapper
        return wrapper

    def find_user(self, request: 'Any', args: 'tuple[Any, ...]' = ()) -> 'Any':
        """Return what is to be awaited for the user who may go on, or ``None``."""
        if not is_websocket(request):
            return self.identify(request)
        from . import handshake  # loaded by those who have WebSockets
        return handshake.identify(self, request, args)

    def admit(self, request: 'Any', user: 'Any') -> None:
        """Have the user be ``request.g.current_user``, and keep in mind who has found him."""
        g = request.g
        g.current_user = user
        if not self.is_several:
            g._authenticator = self

    # --- refusals ---------------------------------------------------------------------------------

    def errorhandler(self, f: 'Callable[..., Any]') -> 'Callable[..., Any]':
        """Decorator for a callback that takes the request and returns the response of a refusal, a WebSocket's too.

        Its status is that of the refusal unless it names one, and a 401 gets the challenge. Without one, and when it
        returns nothing, the request ends in ``abort()``, so ``app.errorhandler(401)`` works.
        """
        self.error_callback = f
        return f

    async def refuse(self, request: 'Any', args: 'tuple[Any, ...]') -> 'Any':
        """Answer who has not proven a name: the error callback's response or a 401, with the challenge.

        :param args: the handler's, among which an open WebSocket may be.
        """
        http.challenge(request, self.challenge(request))
        try:
            answer = None if self.error_callback is None else await call(self.error_callback, request)
            answer = refusal(answer, self.error_status)
        except HTTPException as error:
            await deny_websocket(request, error.status_code, args)
            raise
        await deny_websocket(request, self.error_status, args)
        return answer

    async def forbid(self, request: 'Any', args: 'tuple[Any, ...]', scopes: 'tuple[str, ...]') -> 'Any':
        """Answer who is known and may not: 403 (RFC 9110 section 15.5.4)."""
        challenge = self.insufficient(scopes)
        if challenge:
            http.challenge(request, challenge, 403)
        await deny_websocket(request, 403, args)
        abort(403)

    def insufficient(self, scopes: 'tuple[str, ...]') -> str:
        """Return what a 403 says of the scopes that are missing; nothing, but for Bearer (RFC 6750 section 3.1)."""
        return ''


def refusal(response: 'Any', status: int) -> 'Any':
    """Return what an error callback answers with, as a response with a status: the refusal's unless it names one.

    What it forgets to return is no way in: to Microdot, nothing from a ``before_request`` handler means to go on.
    """
    if response is None:
        abort(status)
    if isinstance(response, Response):
        return response
    if isinstance(response, int):
        return '', response
    if not isinstance(response, tuple):
        return response, status
    if isinstance(response[0], int):
        return ('',) + response
    return response if isinstance(response[1], int) else (response[0], status, response[1])


def scopes_of(request: 'Any') -> 'list[str]':
    """Return what the visitor may do: the user's ``scopes``, or those of them that a key or token was given for."""
    scopes = scope_list(get(getattr(request.g, 'current_user', None), 'scopes'))
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
