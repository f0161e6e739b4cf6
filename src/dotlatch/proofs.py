"""What was proven in a session, and when: the names that a login has for it, and what they are worth now.

Needs portable.py and tokens.py. login.py and the files that it loads are built on it::

    session.update({AT_PASSWORD: mark()})   # the password was right
    age(session, AT_PASSWORD)               # 0, and 60 a minute later; None for never
"""
from .portable import now, uptime_ms
from .tokens import BOOT_CLAIM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .session import SessionDict

# request.g.login_state
ANONYMOUS = 'anonymous'
REMEMBERED = 'remembered'    # known, by a cookie or a password that was typed too long ago
FRESH = 'fresh'              # has typed the password lately
IMPERSONATOR = 'impersonator'

PASSWORD = 'password'        # what can be proven
CODE = 'code'
AT_PASSWORD = '_password'    # when: names in a session
AT_CODE = '_code'
_SLACK = 120                 # seconds by which a clock may be behind the one that wrote, without a question
OURS = (AT_PASSWORD, AT_CODE, '_user_id', '_stamp', '_half', '_actor', '_client')  # the others


class LoginRefused(Exception):
    """What a guard raises to refuse a login: its text is for the person."""


def mark(passed: int = 0) -> int:
    """Return what is kept of a proof so many seconds ago: Unix seconds or, below zero, seconds of this boot's uptime.
    """
    time = now()
    return passed - 1 - uptime_ms() // 1000 if time is None else time - passed


def age(session: 'SessionDict', name: str) -> 'int | None':
    """Return how many seconds ago a factor was proven in this session; ``None`` for never, or when nobody can tell.

    :param name: :data:`AT_PASSWORD` or :data:`AT_CODE`.
    """
    time = session.get(name)
    if type(time) is not int:
        return None
    passed = -_SLACK
    if time >= 0:
        passed = (now() or 0) - time
    elif session._claims is not None and BOOT_CLAIM in session._claims:  # the uptime of another boot tells nothing
        passed = uptime_ms() // 1000 + 1 + time
    return max(passed, 0) if passed > -_SLACK else None


def proofs(session: 'SessionDict') -> 'dict[str, int]':
    """Return what was proven in this session, as entries for one that begins now."""
    proven = {}
    for name in (AT_PASSWORD, AT_CODE):
        passed = age(session, name)
        if passed is not None:
            proven[name] = mark(passed)
    return proven


def came_of(session: 'SessionDict') -> 'list[Any] | None':
    """Return what the session has come of, and ends with: id, end and clock of what remembers the browser."""
    return session._claims.get('parent') if session._claims is not None else None


def parent_id(claims: 'dict[str, Any]') -> 'Any':
    """Return the id of what a session with these claims has come of, or ``None``."""
    parent = claims.get('parent')
    return parent[0] if type(parent) is list and parent else None
