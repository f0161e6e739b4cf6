"""The login form's POST: throttle, password, guards, and then the session.

Needs what login.py needs, which loads it, and passwords.py for users that have no ``authenticate``.
"""
from microdot import abort

from . import http
from .identity import as_user, get, has_second_factor, is_active, name_of, stamp, user_id
from .portable import call, compare_digest, warn_once
from .proofs import IMPERSONATOR, PASSWORD, LoginRefused
from .session import session_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .login import Login

_WRONG = 'Name or password is wrong.'


async def login(login: 'Login', request: 'Any', username: 'str | None', password: str, remember: 'bool | int | None',
                redirect_url: str, guards: 'Any', keep: 'tuple[str, ...]') -> 'Any':
    """See :meth:`dotlatch.login.Login.login`."""
    if login.users is None:
        raise RuntimeError('no users: give Login(users=...), or check the password and call login_user()')
    current = None
    request.g.login_problem = _WRONG
    if username is None:
        current = await login.get_current_user(request)
        if current is None:
            return None
        if request.g.login_state == IMPERSONATOR:  # whose password would that be
            abort(403)
        username = name_of(current)
        remember = remember or None  # as before: he was not asked
    await ask(login, request, username)
    try:
        user = await authenticate(login.users, username, password)
    except Exception as error:
        if http.is_unavailable(error):
            await take_back(login, request, username)
        if isinstance(error, OSError):
            http.unavailable(request, error)
        raise
    if user is None or (current is not None and user_id(user) != user_id(current)):
        login.tell('login_failed', request, await _account(login, username), reason=PASSWORD)
        return None
    key = session_of(request).keys[0]
    stamped = stamp(user, key)
    try:
        problem = await _judged(request, user, guards)
        # A guard may take its time, and the password may be another one since.
        if problem is None and not (is_active(user) and compare_digest(stamp(user, key).encode(), stamped.encode())):
            problem = _WRONG
        answer = None if problem else await login.login_user(request, user, remember, redirect_url, keep)
    except Exception:  # what was wrong is not the password
        await take_back(login, request, username)
        raise
    if problem is not None:
        await take_back(login, request, username)
        request.g.login_problem = problem
        login.tell('login_failed', request, user, reason='guard')
        return None
    if request.g._login_user is user or not has_second_factor(user):
        await succeeded(login, request, username)
    else:  # the code is still to be guessed, and under the same count
        await take_back(login, request, username)
    return answer


async def authenticate(users: 'Any', username: str, password: str) -> 'Any':
    """Return the user whose name and password these are, or ``None``, after the same time.

    :param users: with ``authenticate(name, password)``, or with ``get_by_name(name)`` alone. Then the user's
        ``password_hash`` is verified and, when it is an old one, ``set_password_hash(user, hash)`` is called if it is
        there.
    """
    check = getattr(users, 'authenticate', None)
    if check is not None:
        user = as_user(await call(check, username, password))
        return user if user is not None and is_active(user) else None
    from . import passwords
    user = as_user(await call(users.get_by_name, username))
    if user is not None and not is_active(user):
        user = None
    hashed = get(user, 'password_hash') if user is not None else None
    if not await passwords.verify_login(password, hashed) or not hashed:
        return None
    keep = getattr(users, 'set_password_hash', None)
    if keep is not None and passwords.needs_rehash(hashed):
        better = await passwords.hash_password(password)
        if not _is(get(user, 'password_hash'), hashed):
            return None
        try:
            await call(keep, user, better)
            hashed = better
        except OSError:  # a full disk keeps nobody out
            warn_once('a better password hash could not be kept')
    # Once more: a hash takes long, and the account may be shut since, of another name, or have another password.
    known = user_id(user)
    user = as_user(await call(users.get_by_name, username))
    if user is None or user_id(user) != known or not is_active(user):
        return None
    current = get(user, 'password_hash')
    if _is(current, hashed) or (current and await passwords.verify_login(password, current)):
        return user  # the second time, since another login was quicker to make the hash anew
    return None


def _is(hashed: 'str | None', other: str) -> bool:
    return compare_digest((hashed or '').encode(), other.encode())


async def _account(login: 'Login', username: str) -> 'Any':
    """Return the user of that name for an event. What was typed is not told: it may be a password."""
    find = getattr(login.users, 'get_by_name', None)
    if login.events is None or find is None:
        return None
    try:
        return as_user(await call(find, username))
    except Exception:  # what matters was decided
        return None


async def _judged(request: 'Any', user: 'Any', guards: 'Any') -> 'str | None':
    """Return what is wrong with the login, or ``None``."""
    for guard in guards:
        try:
            verdict = await call(guard, request, user)
        except LoginRefused as refused:
            return str(refused) or _WRONG
        if verdict is not None and type(verdict) is not bool:
            raise TypeError('a guard raises LoginRefused or returns False for a no, and not ' + type(verdict).__name__)
        if verdict is False:
            return _WRONG
    return None


# --- the throttle -----------------------------------------------------------------------------------

async def ask(login: 'Login', request: 'Any', account: str) -> None:
    """Count an attempt, or end in a 429; in a 503 when a throttle on another machine cannot be asked."""
    if login.throttle is None:
        return
    wait = await http.asked(request, login.throttle.attempt(account, http.source(request)))
    if wait:
        login.tell('login_failed', request, reason='throttled', seconds=wait)
        http.too_many(request, wait)


async def take_back(login: 'Login', request: 'Any', account: str) -> None:
    """Take an attempt back that was neither right nor wrong."""
    if login.throttle is not None:
        await _noted(login.throttle.undecided(account, http.source(request)))


async def succeeded(login: 'Login', request: 'Any', account: str) -> None:
    """End the count: all that is asked for was right."""
    if login.throttle is not None:
        await _noted(login.throttle.succeeded(account, http.source(request)))


async def _noted(work: 'Any') -> None:
    try:
        await work
    except OSError:  # then the attempt stays counted: what was decided is decided
        warn_once('a throttle could not be told how an attempt ended')
