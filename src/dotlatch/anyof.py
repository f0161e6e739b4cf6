"""Several ways to prove a name as one: the first that finds a user has it.

Needs portable.py, onepiece.py, http.py, visitor.py, refusals.py, identity.py and protect.py; auth.py has its functions
too::

    from dotlatch.auth import any_of

    auth = any_of(login, token, basic)

    @app.get('/state')
    @auth
    async def state(request):
        return {'user': request.g.current_user.name}
"""
from . import http
from .protect import Protector

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class AnyOf(Protector):
    """Several authenticators as one: the first that finds a user has it. See :func:`any_of`."""
    is_several = True

    def __init__(self, authenticators: 'tuple[Any, ...]') -> None:
        self.authenticators: 'list[Any]' = []
        for authenticator in authenticators:
            if not isinstance(authenticator, Protector):
                raise TypeError('an authenticator is one such as BasicAuth(), not ' + repr(authenticator))
            self.authenticators += getattr(authenticator, 'authenticators', None) or [authenticator]
        if not authenticators:
            raise ValueError('name the authenticators, such as any_of(login, token)')

    async def identify(self, request: 'Any') -> 'Any':
        """Return the user that the first authenticator finds, or ``None``."""
        for authenticator in self.authenticators:
            user = await authenticator.identify(request)
            if user is not None:
                request.g._authenticator = authenticator
                return user
        return None

    def challenge(self, request: 'Any') -> str:
        """Have a 401 carry all challenges, in order, and return the last."""
        for authenticator in self.authenticators[:-1]:
            http.challenge(request, authenticator.challenge(request))
        return str(self.authenticators[-1].challenge(request))

    def is_tried(self, request: 'Any') -> bool:
        """Tell whether the request carries credentials of any kind."""
        return any(authenticator.is_tried(request) for authenticator in self.authenticators)

    async def refuse(self, request: 'Any', args: 'tuple[Any, ...]') -> 'Any':
        """Send people to the form, where there is one, unless they tried another way; else a 401 with all challenges.

        A session is no such way: one that has ended is why the form is needed.
        """
        if http.wants_page(request):
            form = None
            for authenticator in self.authenticators:
                if hasattr(authenticator, 'login_url'):
                    form = form or authenticator
                elif authenticator.is_tried(request):
                    form = None
                    break
            if form is not None:
                return await form.refuse(request, args)
        return await super().refuse(request, args)

    async def forbid(self, request: 'Any', args: 'tuple[Any, ...]', scopes: 'tuple[str, ...]') -> 'Any':
        """Answer who is known and may not, in the words of the way that this user came."""
        return await request.g._authenticator.forbid(request, args, scopes)


def any_of(*authenticators: 'Any') -> AnyOf:
    """Return a decorator for routes that take any of these ways to prove a name, tried in this order::

        auth = any_of(login, token, basic)

        @app.get('/state')
        @auth.requires('read')
        async def state(request):
            return {'user': request.g.current_user.name}

    A person who tries no other way is sent to the login form, if ``Login`` is among them. Everyone else gets a 401 that
    names all of them, each in a line of its own. Browsers show their own dialogue for Basic and Digest, even for a
    ``fetch()``: ``BasicAuth(scheme='xBasic')`` keeps them from it.
    """
    return AnyOf(authenticators)


async def authenticate(request: 'Any', authenticators: 'Any') -> 'Any':
    """Return the user whom the first of these authenticators finds, or ``None``; it is ``request.g.current_user`` too.
    """
    user = await AnyOf(tuple(authenticators)).find_user(request)
    request.g.current_user = user
    return user
