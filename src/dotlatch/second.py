"""A second factor for accounts: codes of an authenticator app, and recovery codes for the day when the phone is gone.

Needs portable.py, identity.py and totp.py; recovery.py, which is loaded when a list of codes is made or one of them
used, and usedsteps.py for users without ``use_totp_step``::

    second = SecondFactor(users, issuer='Greenhouse')
    login = Login(users=users, second_factor=second)

    totp = second.begin(user)                         # show totp.uri(user.name, second.issuer), keep totp.stored()
    codes = await second.confirm(user, stored, code)  # it is on: show the recovery codes. None for a wrong code

    method = await second.verify(user, code)          # 'totp', 'recovery' or None
"""
from .identity import get, has_second_factor, user_id
from .portable import call, compare_digest
from .totp import Totp, escaped, load, new_secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MAX_DIGITS = 8  # of a code from an app: what is longer can only be a recovery code
_ATTEMPTS = 4    # at a change that others are quicker to make


class SecondFactor:
    """Who has a second factor, and whether a code is right.

    It is kept with the account. So ``users`` has these methods, plain or async; :class:`dotlatch.users.MemoryUsers` and
    ``FileUsers`` have them. Each compares and writes in one step, and returns ``True`` or, having changed nothing,
    ``False``:

    * ``set_second_factor(user, totp, step, recovery)`` switches it on that is off, or off that is on (``totp`` is
      ``None``), and ends all sessions of the user.
    * ``use_totp_step(user, step)`` keeps the step, when it is above the one that is kept and ``user.totp`` is still the
      same. Without this method the steps are kept in memory, see :class:`dotlatch.usedsteps.UsedSteps`.
    * ``swap_recovery(user, before, after)`` keeps ``after``, when what is kept is ``before``.

    :param issuer: what the account is for, such as the device's name: apps show it.
    :param events: a :class:`dotlatch.events.Events`; that of the users unless given.
    :param window: see :class:`dotlatch.totp.Totp`.
    """
    def __init__(self, users: 'Any', issuer: str = 'dotlatch', events: 'Any' = None, window: int = 1) -> None:
        if type(window) is not int or not 0 <= window <= 1:
            raise ValueError('a window is 0 or 1')
        escaped(issuer)  # what no app would take is an error now, and not on somebody's page
        self.issuer = issuer
        self.window = window
        told = getattr(users, 'events', None)
        self.events = told if events is None else events
        self._is_told = told is not None  # the users tell of what they switch on and off
        self._set = users.set_second_factor
        self._swap = users.swap_recovery
        self._use: 'Any' = getattr(users, 'use_totp_step', None)
        self._used: 'Any' = None
        if self._use is None:
            from . import usedsteps
            self._used = usedsteps.UsedSteps()
            self._use = self._used.use

    def is_on(self, user: 'Any') -> bool:
        """Tell whether the user has one."""
        return has_second_factor(user)

    def codes_left(self, user: 'Any') -> int:
        """Return how many recovery codes can still be used."""
        return (get(user, 'recovery') or '').count('$')

    def begin(self, user: 'Any') -> Totp:
        """Return a new secret for the user's app. It is kept nowhere: put its ``stored()`` into the session.

        A cookie can be read by who has it, that is by the browser that shows the secret anyway.
        """
        return Totp(new_secret(), window=self.window)

    async def confirm(self, user: 'Any', stored: str, code: 'str | None') -> 'list[str] | None':
        """Switch it on, once a code shows that the app has the secret; this ends all sessions of the user.

        :param stored: what :meth:`begin` has made.
        :returns: the recovery codes, to be shown now; ``None`` when the code is wrong, or when the user has a second
            factor already, which :meth:`remove` takes away first.
        :raises dotlatch.totp.ClockNotSet: while nobody can tell whether the code is right.
        :raises ValueError: when ``stored`` is nothing that :meth:`begin` has made.
        """
        step = load(stored, self.window).verify(code, 0)
        if step is None:
            return None
        from . import recovery
        codes, kept = recovery.make()
        if not _verdict(await call(self._set, user, stored, step, kept)):
            return None
        if self._used is not None:  # the code that confirms it opens nothing
            await self._used.use(user, step)
        if not self._is_told:
            self._tell('second_factor_set', user)
        return codes

    async def verify(self, user: 'Any', code: 'str | None') -> 'str | None':
        """Spend a code, and return what it was: ``'totp'``, ``'recovery'``, or ``None`` for one that is wrong or used.

        Ask a :class:`dotlatch.throttle.Throttle` first: each call is a guess. A recovery code needs no clock.

        :raises dotlatch.totp.ClockNotSet: when nobody can tell whether the code is right.
        """
        stored = get(user, 'totp')
        if not stored:
            return None
        if isinstance(code, str) and len(code) > _MAX_DIGITS:
            return 'recovery' if await self._spend_recovery(user, code) else None
        last_step = 0 if self._used is not None else get(user, 'totp_step') or 0
        if not await load(stored, self.window).spend(code, user, self._use, last_step):
            return None
        # Whoever has set up another one meanwhile has done so against this code.
        return 'totp' if compare_digest((get(user, 'totp') or '').encode(), stored.encode()) else None

    async def new_recovery(self, user: 'Any') -> 'list[str]':
        """Return new recovery codes, to be shown now. The old ones are worth nothing from then on.

        :raises ValueError: when the user has no second factor, or is not active.
        """
        from . import recovery
        codes, kept = recovery.make()
        for _ in range(_ATTEMPTS if self.is_on(user) else 0):
            if _verdict(await call(self._swap, user, get(user, 'recovery'), kept)):
                self._tell('recovery_renewed', user, count=len(codes))
                return codes
        raise ValueError('recovery codes are for users with a second factor')

    async def remove(self, user: 'Any') -> bool:
        """Switch it off, which ends all sessions of the user. ``False`` when it was off."""
        if not _verdict(await call(self._set, user, None, 0, None)):
            return False
        if not self._is_told:
            self._tell('second_factor_removed', user)
        return True

    async def _spend_recovery(self, user: 'Any', code: str) -> bool:
        from . import recovery
        for _ in range(_ATTEMPTS):
            before = get(user, 'recovery')
            left = recovery.spend(code, before)
            if left is None:
                return False
            if _verdict(await call(self._swap, user, before, left)):
                self._tell('recovery_used', user, count=recovery.count_left(left))
                return True
        return False  # another code was used at the same moment, each time

    def _tell(self, event: str, user: 'Any', **fields: 'Any') -> None:
        if self.events is not None:
            self.events.emit(event, user=user_id(user), name=get(user, 'name'), **fields)


def _verdict(verdict: 'Any') -> bool:
    if type(verdict) is not bool:
        raise TypeError('what changes an account returns True or False')
    return verdict
