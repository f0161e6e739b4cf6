"""The codes that were used, in memory: for accounts that have no place to keep their last step, in one process.

Needs portable.py, identity.py and totp.py, beside which it is used::

    used = UsedSteps()
    await totp.spend(code, user, used.use)   # True once
"""
from .identity import user_id
from .portable import Lock, now, uptime_ms
from .totp import PERIOD, ClockNotSet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class UsedSteps:
    """The last step of each user.

    A restart forgets it, so every code that could have been used before is refused: those of the first minute after the
    start. When the table is full the oldest step makes room, and is refused to everybody from then on; its code will
    have ended long before.

    :param max_users: how many users' steps are kept at once; about 60 bytes each on a board.
    """
    def __init__(self, max_users: int = 64) -> None:
        if max_users < 1:
            raise ValueError('a table of used steps needs room for one')
        self.max_users = max_users
        self._began = uptime_ms()
        self._floor = 0  # the highest step that has left the table
        self._steps: 'dict[str | int, int]' = {}
        self._lock: 'Any' = Lock()

    async def use(self, user: 'Any', step: int) -> bool:
        """Keep the step and return ``True``; or ``False`` when it, or a later one, may have been used before.

        :param user: an object, a dictionary or an id.
        :raises ClockNotSet: while the clock is not set.
        """
        owner = user_id(user)
        time = now()
        if time is None:
            raise ClockNotSet('the clock is not set')
        # When this began, by today's clock, which may not have been set then; a second more, since both are cut off.
        began = time - (uptime_ms() - self._began) // 1000 + 1
        before = began // PERIOD + 1  # a phone may be a step ahead
        with self._lock:
            steps = self._steps
            if step <= before or step <= steps.get(owner, self._floor):
                return False
            if owner not in steps and len(steps) >= self.max_users:
                oldest = min(steps, key=lambda other: steps[other])
                self._floor = max(self._floor, steps.pop(oldest))
            steps[owner] = step
        return True
