"""A login in two steps: the password was right, and nothing opens until the code is.

Needs what login.py needs, which loads it for users with a second factor, formlogin.py and totp.py; trusted.py for
browsers that are asked for no code.

In between, the session holds whose password it was and nothing else, for five minutes.
"""
from microdot import abort, redirect

from . import entry, formlogin, http
from .identity import has_second_factor, is_same_id, name_of, stamp, user_id
from .origin import quote, safe_next, with_query
from .proofs import AT_CODE, CODE, IMPERSONATOR, came_of, mark, proofs
from .session import session_of
from .totp import ClockNotSet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .login import Login

HALF_AGE = 300  # seconds for the code


async def begin(login: 'Login', request: 'Any', user: 'Any', stamped: str, proven: 'dict[str, int]',
                data: 'dict[str, Any]', days: 'int | None') -> 'Any':
    """Begin a half-login, and return the redirect to the form for the code."""
    ext = session_of(request)
    session = ext.get(request)
    before: 'Any' = session.get('_half')
    is_same = type(before) is dict and is_same_id(before.get('id'), user_id(user))
    if is_same and await ext.is_there(session):  # the password was typed twice
        data = before.get('data', data)
    parent = came_of(session)
    session.clear()
    session['_half'] = {'id': user_id(user), 'stamp': stamped, 'days': days, 'data': data}
    session.update(proven)
    ext.renew(session, HALF_AGE, parent)
    entry.save(login, request, session)
    entry.forget_user(login, request)
    login.tell('half_login', request, user)
    return to_form(request, login.second_factor_url)


async def user(login: 'Login', request: 'Any') -> 'Any':
    """See :meth:`dotlatch.login.Login.half_user`."""
    ext = session_of(request)
    session = await ext.load(request)
    half = session.get('_half')
    if type(half) is not dict:
        return None
    found, _ = await login._load(request, ext, half.get('id'), half.get('stamp', ''))
    return found


async def enter(login: 'Login', request: 'Any', code: 'str | None', days: int, redirect_url: str) -> 'Any':
    """See :meth:`dotlatch.login.Login.enter_code`."""
    if login.second is None:
        raise RuntimeError('no second factor: give Login(second_factor=SecondFactor(users, ...))')
    half = await user(login, request)
    who = half if half is not None else await login.get_current_user(request)
    if who is None or not has_second_factor(who):
        return to_form(request, login.form_url(request))
    if half is None and request.g.login_state == IMPERSONATOR:
        abort(403)
    ext = session_of(request)
    session = ext.get(request)
    stamped = stamp(who, ext.keys[0])  # before the waits: see login_user
    method = await _verified(login, request, who, code)
    if method is None:
        return None
    if not await ext.is_there(session):  # logged out meanwhile
        return to_form(request, login.form_url(request))
    if days:  # before the session, which has to find room beside it
        from . import trusted  # which the login has loaded
        trusted.trust(request, who, stamped, days)
    proven = proofs(session)
    proven[AT_CODE] = mark()
    if half is not None:
        waiting = session['_half']
        await entry.establish(login, request, who, stamped, proven, waiting['data'], waiting['days'], method)
    else:
        session.update(proven)
        session.regenerate()
        session.save()
        login.tell('second_factor', request, who, method=method)
    return redirect(safe_next(request.args.get('next'), redirect_url))


async def _verified(login: 'Login', request: 'Any', who: 'Any', code: 'str | None') -> 'str | None':
    """Return by what the code was right, or ``None``. It is counted as a password is."""
    account = name_of(who)
    await formlogin.ask(login, request, account)
    try:
        method: 'str | None' = await login.second.verify(who, code)
    except Exception as error:
        await formlogin.take_back(login, request, account)
        if isinstance(error, ClockNotSet):
            login.tell('login_failed', request, who, reason='clock')
        if isinstance(error, OSError):
            http.unavailable(request, error)
        raise
    if method is None:
        login.tell('login_failed', request, who, reason=CODE)
    else:
        await formlogin.succeeded(login, request, account)
    return method


def to_form(request: 'Any', url: str) -> 'Any':
    """Return the redirect to a form, on the way to the same page as before."""
    following = safe_next(request.args.get('next'), '')
    return redirect(with_query(url, 'next=' + quote(following) if following else ''))
