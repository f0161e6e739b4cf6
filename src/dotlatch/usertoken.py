"""Who is there, as one object with the same names for a user and for nobody.

Needs identity.py and proofs.py; login.py loads it::

    token = await login.token(request)
    token.is_authenticated, token.user_id, token.display_name, token.state
    'pump' in token.scopes, 'pump' in token
"""
from .identity import get, name_of, scope_list, user_id
from .proofs import ANONYMOUS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Anonymous:
    """Nobody, with the names that users have: for ``Login(anonymous=Anonymous)``."""
    id = None
    name = ''
    scopes = ()
    is_active = False
    is_authenticated = False

    def __bool__(self) -> bool:
        return False


class UserToken:
    """A user and how much is known about who it is.

    :param user: an object, a dictionary, a name or id; what stands for nobody when the state is ANONYMOUS.
    :param state: one of the states in :mod:`dotlatch.login`.
    """
    def __init__(self, user: 'Any', state: str) -> None:
        self.user = user
        self.state = state

    @property
    def is_authenticated(self) -> bool:
        """Whether somebody is logged in, in whichever state."""
        return self.state != ANONYMOUS

    @property
    def is_anonymous(self) -> bool:
        """Whether nobody is."""
        return self.state == ANONYMOUS

    @property
    def user_id(self) -> 'str | int | None':
        """The user's id; ``None`` for nobody."""
        return None if self.is_anonymous else user_id(self.user)

    @property
    def display_name(self) -> str:
        """The user's ``display_name`` or ``name``, or else the id; ``''`` for nobody."""
        if self.is_anonymous:
            return ''
        return str(get(self.user, 'display_name') or name_of(self.user))

    @property
    def scopes(self) -> 'list[str]':
        """What the user may do."""
        return scope_list(None if self.is_anonymous else get(self.user, 'scopes'))

    def __contains__(self, scope: str) -> bool:
        return scope in self.scopes

    def __bool__(self) -> bool:
        return self.is_authenticated

    def __repr__(self) -> str:
        return '<UserToken %s>' % self.state
