"""Acting for somebody else: enter, act, and be oneself again, with both names on all that happens.

Needs what login.py needs, whose ``impersonation`` it is::

    login = Login(users=users, impersonation=Impersonation(scope='support'))

    @app.post('/support/<name>')
    @login.fresh
    async def support(request, name):
        return await login.impersonate(request, users.get_by_name(name))

    @app.post('/support/end')
    @login
    async def end_support(request):
        return await login.end_impersonation(request)
"""
from microdot import abort

from . import entry, tokens
from .identity import get, is_active, scope_list, user_id
from .portable import call
from .proofs import ANONYMOUS, FRESH, IMPERSONATOR, came_of, proofs
from .session import session_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .login import Login


class Impersonation:
    """Who may act for whom.

    Nobody acts for somebody who may do more than himself, for somebody who is not active, or twice at once. Whoever
    acts for somebody else passes neither ``@login.fresh`` nor ``@login.second_factor``: keep behind those what changes
    passwords, keys and second factors.

    :param scope: one that the user needs who wants to act for others; ``None`` when the guard alone decides.
    :param guard: ``guard(request, actor, user)``, plain or async: ``True`` for yes, and anything else for no.
    :param more_powerful: ``True`` to let people act for users who have scopes that they lack.
    :param max_age: seconds after which it ends at the latest.
    :raises ValueError: with neither scope nor guard, or without an end.
    """
    def __init__(self, scope: 'str | None' = 'impersonate', guard: 'Callable[..., Any] | None' = None,
                 more_powerful: bool = False, max_age: int = 3600) -> None:
        if scope is None and guard is None:
            raise ValueError('a scope or a guard decides who may act for others')
        if type(max_age) is not int or max_age < 1:
            raise ValueError('max_age is seconds, an int above 0')
        self.scope = scope
        self.guard = guard
        self.more_powerful = more_powerful
        self.max_age = max_age

    async def enter(self, login: 'Login', request: 'Any', user: 'Any') -> None:
        """Begin to act for ``user``, or end in a 403."""
        actor = await login.get_current_user(request)
        ext = session_of(request)
        session = ext.get(request)
        if actor is None or '_user_id' not in session or request.g.login_state != FRESH:
            abort(403, 'Log in again first')
        if user is None or not is_active(user) or user_id(user) == user_id(actor):
            abort(403, 'No such user to act for')
        if not await self._may(request, actor, user):
            login.tell('impersonation_refused', request, user, actor=get(actor, 'name') or user_id(actor))
            abort(403, 'Not allowed to act for this user')
        if not await ext.is_there(session):
            abort(403, 'Log in again first')
        left = tokens.left(session._claims or {})
        max_age = min(left, self.max_age)
        behind = {'id': user_id(actor), 'stamp': session.get('_stamp', ''), 'proven': proofs(session),
                  'left': left - max_age}  # seconds, once this has ended: on whichever clock
        entry.begin(login, request, user, {}, {'_actor': behind}, max_age, came_of(session), owner=actor)
        request.g.original_user = actor
        request.g.login_state = IMPERSONATOR
        login.tell('impersonation_started', request, user)

    async def leave(self, login: 'Login', request: 'Any') -> None:
        """Be oneself again; nothing for who is."""
        user = await login.get_current_user(request)
        ext = session_of(request)
        session = ext.get(request)
        behind = session.get('_actor')
        if request.g.login_state != IMPERSONATOR or type(behind) is not dict or not await ext.is_there(session):
            return
        login.tell('impersonation_ended', request, user)
        left = tokens.left(session._claims or {}) + behind['left']
        # In another client's hands (client.py) it proves nothing.
        proven = {} if getattr(request.g, '_is_doubtful', False) else behind['proven']
        max_age = max(1, min(left, ext.max_age))
        entry.begin(login, request, request.g.original_user, proven, {}, max_age, came_of(session), behind['stamp'])

    async def check(self, login: 'Login', request: 'Any', user: 'Any') -> 'Any':
        """Return the user who is acted for, as long as who is really there may; ``None`` and an ended session else."""
        ext = session_of(request)
        session = ext.get(request)
        behind = session['_actor']
        actor = None
        if type(behind) is dict:
            actor, _ = await login._load(request, ext, behind.get('id'), behind.get('stamp', ''))
        if actor is None or not self._has_scope(actor) or not self._is_weaker(user, actor):
            session.delete()
            request.g.login_state = ANONYMOUS
            return None
        request.g.original_user = actor
        request.g.login_state = IMPERSONATOR
        return user

    def _has_scope(self, actor: 'Any') -> bool:
        return self.scope is None or self.scope in scope_list(get(actor, 'scopes'))

    async def _may(self, request: 'Any', actor: 'Any', user: 'Any') -> bool:
        if not self._has_scope(actor) or not self._is_weaker(user, actor):
            return False
        return self.guard is None or await call(self.guard, request, actor, user) is True

    def _is_weaker(self, user: 'Any', actor: 'Any') -> bool:
        own = scope_list(get(actor, 'scopes'))
        return self.more_powerful or not [scope for scope in scope_list(get(user, 'scopes')) if scope not in own]
