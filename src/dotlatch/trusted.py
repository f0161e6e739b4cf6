"""Browsers that are asked for no code: a cookie that stands in for the second factor at a login with the password.

Needs cookietoken.py with what that needs; halflogin.py loads it. It proves nothing by itself: a route with
``@login.second_factor`` asks for a code all the same. It ends with a new password, another second factor, and
``users.end_sessions``.
"""
from .cookietoken import CookieToken
from .identity import is_same_id, stamp_key, user_id
from .session import session_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NAME = '_device'
TYP = 'dl-device+jwt'


def trust(request: 'Any', user: 'Any', stamped: str, days: int) -> None:
    """Ask this user for no code in this browser, for so many days."""
    CookieToken(NAME, TYP).issue(request, user, stamped, days * 24 * 3600)


def is_trusted(request: 'Any', user: 'Any') -> bool:
    """Tell whether this browser has the cookie, and for this user."""
    owner = user_id(user)
    for claims in CookieToken(NAME, TYP).accepted(request):
        if is_same_id(claims.get('sub'), owner):
            if stamp_key(user, session_of(request).keys, claims.get('stamp', '')) is not None:
                return True
    return False
