"""The second factor that users.py keeps with an account: what it may be, and how it changes.

Needs portable.py. users.py loads it for accounts that have one::

    use_step(users, user, step)   # as users.use_totp_step(user, step)

Each change is a comparison and a write under the lock of the users, and returns ``False`` when somebody was quicker.
"""
from .portable import compare_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def check(totp: 'Any', step: 'Any', recovery: 'Any') -> None:
    """:raises ValueError: for what no account keeps. An empty text would be no second factor when somebody logs in."""
    is_none_or_one = totp is None or (type(totp) is str and totp.count('$') == 2)
    is_text = recovery is None or type(recovery) is str
    if not (is_none_or_one and type(step) is int and step >= 0 and is_text):
        raise ValueError('that is no second factor')


def set_factor(users: 'Any', user: 'Any', totp: 'str | None', step: int, recovery: 'str | None') -> bool:
    """See :meth:`dotlatch.users.MemoryUsers.set_second_factor`."""
    if totp is None:
        return _swap(users, user, {'totp': None, 'totp_step': 0, 'recovery': None},
                     lambda: user.totp is not None, 'second_factor_removed')
    return _swap(users, user, {'totp': totp, 'totp_step': step, 'recovery': recovery},
                 lambda: user.totp is None, 'second_factor_set')


def use_step(users: 'Any', user: 'Any', step: int) -> bool:
    """See :meth:`dotlatch.users.MemoryUsers.use_totp_step`."""
    return _swap(users, user, {'totp_step': step}, lambda: _is_in_use(user) and step > user.totp_step)


def swap_recovery(users: 'Any', user: 'Any', before: 'str | None', after: str) -> bool:
    """See :meth:`dotlatch.users.MemoryUsers.swap_recovery`."""
    expected = (before or '').encode()
    return _swap(users, user, {'recovery': after},
                 lambda: _is_in_use(user) and compare_digest((user.recovery or '').encode(), expected))


def _is_in_use(user: 'Any') -> bool:
    return user.totp is not None and user.is_active


def _swap(users: 'Any', user: 'Any', fields: 'dict[str, Any]', fits: 'Any', event: str = '') -> bool:
    check(fields.get('totp'), fields.get('totp_step', 0), fields.get('recovery'))
    return bool(users._set(user, fields, event, end_sessions=event != '', fits=fits))
