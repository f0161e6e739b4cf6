"""When a session ends: by its age, by lying idle, on the clock or, while that is not set, with this boot.

Needs portable.py, strictjson.py and tokens.py::

    claims = lifetime.begin(3600)            # with an id and an end
    lifetime.is_over(claims, idle=600)       # False for ten minutes
    claims = lifetime.used(claims)           # and for ten more
"""
from .portable import now, random_id
from .tokens import BOOT_CLAIM, TokenError, check_lifetime, time_on, with_lifetime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_DAY = 24 * 3600


def begin(max_age: int) -> 'dict[str, Any]':
    """Return the claims of a new session, which ends ``max_age`` seconds from now."""
    return with_lifetime({'jti': random_id()}, max_age)


def is_over(claims: 'dict[str, Any]', idle: int = 0) -> bool:
    """Tell whether a session has ended (ASVS 7.3.2), or lay idle for ``idle`` seconds (ASVS 7.3.1), if any."""
    by_uptime = BOOT_CLAIM in claims
    if by_uptime or 'nbf' in claims:
        try:
            check_lifetime(claims)
        except TokenError:
            return True
    if by_uptime:
        time = time_on(True)
    else:
        time = now() or 0
        end = claims.get('exp')
        # What began tomorrow did so under a clock that was wrong: it would end years late.
        if not time or type(end) is not int or time >= end or claims.get('iat', 0) - time > _DAY:
            return True
    return idle > 0 and not -_DAY <= time - _seen(claims) < idle


def is_due(claims: 'dict[str, Any]', idle: int = 0) -> bool:
    """Tell whether this use is to be written: an eighth of the idle time has passed, or the clock has been set."""
    by_uptime = BOOT_CLAIM in claims
    if by_uptime and now() is not None:
        return True
    return idle > 0 and time_on(by_uptime) - _seen(claims) >= idle // 8


def used(claims: 'dict[str, Any]', with_time: bool = True) -> 'dict[str, Any]':
    """Return a copy of the claims with the time of this use, and an end by the clock once that is set."""
    claims = claims.copy()
    by_uptime = BOOT_CLAIM in claims
    if by_uptime:
        time = now()
        if time is not None:
            claims['exp'] = time + claims.pop(BOOT_CLAIM)[1] - time_on(True)
            claims['iat'] = time
            by_uptime = False
    if with_time:
        claims['seen'] = time_on(by_uptime)
    return claims


def _seen(claims: 'dict[str, Any]') -> int:
    seen = claims.get('seen', claims.get('iat', 0))
    return seen if type(seen) is int else 0
