"""How a login begins and ends: the session it gets, what is kept of the one before, and what others are told.

Needs what login.py needs, which loads it when somebody logs in or out, or comes back with a remember-me cookie;
remember.py or series.py for those, halflogin.py and trusted.py for second factors. :class:`dotlatch.login.Login` has it
all as methods; this is for files that begin sessions of their own::

    entry.begin(login, request, user, {AT_PASSWORD: mark()}, {}, None, None)
    entry.tell(login, 'login', request, user, method=PASSWORD)
"""
from microdot import redirect

from . import cookies, http
from .identity import get, has_second_factor, is_active, is_same_id, stamp, user_id
from .origin import safe_next
from .proofs import ANONYMOUS, AT_CODE, AT_PASSWORD, OURS, PASSWORD, REMEMBERED, came_of, mark, proofs
from .session import session_of
from .tokens import BOOT_CLAIM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .login import Login
    from .session import Session, SessionDict


async def log_in(login: 'Login', request: 'Any', user: 'Any', remember: 'bool | int | None', redirect_url: str,
                 keep: 'tuple[str, ...]', fresh: bool) -> 'Any':
    """See :meth:`dotlatch.login.Login.login_user`."""
    if not is_active(user):
        raise ValueError('a user who is not active cannot log in')
    ext = session_of(request)
    # As it was when the password was: one that changes during the waits below ends this session too.
    stamped = stamp(user, ext.keys[0])
    session = await ext.load(request)
    days = None if remember is None else days_of(remember)
    known = await login.get_current_user(request) if '_user_id' in session else None
    identity = user_id(user)
    is_own = is_same_id(session.get('_user_id', identity), identity) and '_actor' not in session
    is_same = known is not None and is_own and await _goes_on(login, request, ext, session)
    # What another client has proven is not proven here, see client.py.
    proven = proofs(session) if is_same and not getattr(request.g, '_is_doubtful', False) else {}
    data = {name: session[name] for name in session if name not in OURS and (is_same or (is_own and name in keep))}
    if days is None and not is_same:
        days = 0
    if fresh:
        proven[AT_PASSWORD] = mark()
    if has_second_factor(user) and AT_CODE not in proven:
        if login.second is None:
            raise RuntimeError('this user has a second factor: give Login(second_factor=SecondFactor(users, ...))')
        from . import halflogin, trusted  # loaded by those who have second factors
        if not trusted.is_trusted(request, user):
            return await halflogin.begin(login, request, user, stamped, proven, data, days)
    await establish(login, request, user, stamped, proven, data, days, PASSWORD)
    return redirect(safe_next(request.args.get('next'), redirect_url))


def days_of(days: 'bool | int') -> int:
    """Return for how many days a browser is remembered or trusted: ``True`` is 30."""
    return 30 if days is True else int(days)


async def _goes_on(login: 'Login', request: 'Any', ext: 'Session', session: 'SessionDict') -> bool:
    """Tell whether a session is somebody's still: a password takes time, in which others may have ended it."""
    user, _ = await login._load(request, ext, session['_user_id'], session.get('_stamp', ''))
    return user is not None and await ext.is_there(session)


async def establish(login: 'Login', request: 'Any', user: 'Any', stamped: str, proven: 'dict[str, int]',
                    data: 'dict[str, Any]', days: 'int | None', method: str) -> None:
    """Begin the session of a user who has proven all that is needed, and remember it for so many days.

    :param stamped: the user's stamp at the time of the proof.
    """
    parent = came_of(session_of(request).get(request))
    if days is not None:
        if parent is not None or _may_be_remembered(login, request):
            await forget(login, request, parent)
        parent = await _remember_me(login).issue(request, user, stamped, days) if days else None
    try:
        begin(login, request, user, proven, data, None, parent, stamped)
    except Exception:  # no room for what was kept: then nothing is remembered either
        if days:
            await forget(login, request, parent)
        raise
    tell(login, 'login', request, user, method=method)


def begin(login: 'Login', request: 'Any', user: 'Any', proven: 'dict[str, int]', data: 'dict[str, Any]',
          max_age: 'int | None', parent: 'list[Any] | None', stamped: 'str | None' = None, owner: 'Any' = None) -> None:
    """Begin a session for a user, with what was proven and data of the app's, in place of the one there was.

    :param max_age: seconds after which it ends; the app's unless given.
    :param parent: with what it ends too: id, end and clock of what remembers the browser.
    :param stamped: the user's stamp at the time of the proof; the one of now unless given.
    :param owner: who is really there, and has it in the list of his sessions; the user unless given.
    """
    ext = session_of(request)
    session = ext.get(request)
    session.clear()
    session.update(data)
    session['_user_id'] = user_id(user)
    session.update(proven)
    _sign(ext, session, user, stamped)
    if login.protection is not None:
        from . import client  # loaded by those who ask for it
        session['_client'] = client.digest(login, request)
        request.g._is_doubtful = False
    ext.renew(session, max_age, parent, user_id(user if owner is None else owner))
    save(login, request, session)
    request.g.original_user = None
    request.g._login_user = request.g.current_user = user
    request.g.login_state = login._state(session)


def save(login: 'Login', request: 'Any', session: 'SessionDict') -> None:
    """Save a session that has just begun; where that cannot be, nobody is logged in."""
    try:
        session.save()
    except Exception as error:
        session.delete()
        if isinstance(error, RuntimeError):  # a codec that signs none: the cookie is for who has begun it to clear
            session.token = None
        forget_user(login, request)
        raise


def _sign(ext: 'Session', session: 'dict[str, Any]', user: 'Any', stamped: 'str | None' = None) -> None:
    written = stamp(user, ext.keys[0]) if stamped is None else stamped
    if written:
        session['_stamp'] = written


def write_anew(ext: 'Session', session: 'SessionDict', user: 'Any', is_current: bool) -> None:
    """Have a session say by a new key whose it is, since the old one may go, and the time by the clock, once set."""
    if not is_current:
        _sign(ext, session, user)
    if BOOT_CLAIM in (session._claims or ()):
        session.update(proofs(session))
    try:
        session.save()
    except (ValueError, RuntimeError):  # no room, or a codec that signs none: it holds for now
        pass


# --- the end of a login ---------------------------------------------------------------------------

async def log_out(login: 'Login', request: 'Any') -> None:
    """See :meth:`dotlatch.login.Login.logout_user`."""
    ext = session_of(request)
    session = await ext.load(request)
    user = await _leaving(login, request) if '_user_id' in session and login.events is not None else None
    parent = came_of(session)
    ext.delete(request)
    await ext.end_now(session)
    # A cookie with a path of its own does not come along: what it has begun still names it.
    if parent is not None or _may_be_remembered(login, request):
        await forget(login, request, parent)
    if user is not None:
        tell(login, 'logout', request, user)
    forget_user(login, request)


async def _leaving(login: 'Login', request: 'Any') -> 'Any':
    try:
        return await login.get_current_user(request)
    except Exception:  # it is for the event: a log-out does not wait for who knows the users
        return None


def forget_user(login: 'Login', request: 'Any') -> None:
    """Have nobody be logged in for the rest of this request."""
    request.g._login_user = request.g.original_user = None
    request.g.current_user = login._nobody()
    request.g.login_state = ANONYMOUS


# --- remember me ----------------------------------------------------------------------------------

async def restore(login: 'Login', request: 'Any', ext: 'Session') -> 'Any':
    """Return the user whom a remember-me cookie names, with a session that begins now, or ``None``."""
    found = await _remember_me(login).find(request)
    if found is None:
        return None
    identity, stamped, left, parent = found
    user, _ = await login._load(request, ext, identity, stamped)
    if user is not None and not http.is_websocket(request) and not hasattr(request.g, '_is_look'):
        try:
            begin(login, request, user, {}, {}, min(left, ext.max_age), parent)
            if ext.store is not None:
                ext.get(request)._origin = parent[0]  # who ends the series while the handler runs ends this too
        except (ValueError, RuntimeError):  # no room, or a codec that signs none: the next request is like this one
            pass
        tell(login, 'remembered', request, user)
    if user is not None:
        request.g.login_state = REMEMBERED
    return user


async def forget(login: 'Login', request: 'Any', parent: 'list[Any] | None') -> None:
    """End what remembers this browser, and what a session has come of."""
    await _remember_me(login).forget(request, parent)


def _may_be_remembered(login: 'Login', request: 'Any') -> bool:
    return cookies.is_sent(request, login.remember_name) or hasattr(request.g, '_remembered')


def _remember_me(login: 'Login') -> 'Any':
    from . import remember  # loaded by those who use it
    return remember.RememberMe(login)


# --- events ---------------------------------------------------------------------------------------

def tell(login: 'Login', event: str, request: 'Any', user: 'Any' = None, **fields: 'Any') -> None:
    """Tell of a decision: of whom it is, where from, and who is really there."""
    if login.events is None:
        return
    fields['source'] = http.source(request)
    if user is not None:
        fields['user'] = user_id(user)
        fields['name'] = get(user, 'name')
    actor = getattr(request.g, 'original_user', None)
    if actor is not None:
        fields['actor'] = get(actor, 'name') or user_id(actor)
    login.events.emit(event, **fields)
