"""A login form's other half: who is logged in, what was proven and when, and the way to the form and back.

Needs portable.py, strictjson.py, tokens.py, revoked.py, origin.py, cookies.py, http.py, identity.py, proofs.py,
protect.py and session.py. What only some programs use is loaded by those: formlogin.py for :meth:`Login.login`,
halflogin.py and trusted.py for second factors, remember.py or series.py for logins that outlive the browser's session,
client.py for ``protection``, impersonation.py and usertoken.py::

    login = Login(users=users)   # beside Session(app, secret_key=...)

    @app.post('/login')
    async def log_in(request):
        fields = form(request)
        answer = await login.login(request, fields.get('username', ''), fields.get('password', ''))
        return answer or ('Name or password is wrong.', 401)

    @app.get('/')
    @login
    async def index(request):
        return 'Hello, ' + request.g.current_user.name
"""
from microdot import abort, redirect

from . import cookies, http
from .identity import as_user, get, has_second_factor, is_active, is_same_id, stamp, stamp_key, user_id
from .origin import quote, safe_next, with_query
from .portable import call, deny_websocket, now, wraps
from .proofs import ANONYMOUS as ANONYMOUS
from .proofs import AT_CODE, AT_PASSWORD, CODE, OURS, PASSWORD, age, came_of, mark, proofs
from .proofs import FRESH as FRESH
from .proofs import IMPERSONATOR as IMPERSONATOR
from .proofs import REMEMBERED as REMEMBERED
from .proofs import LoginRefused as LoginRefused
from .protect import Protector
from .session import session_of
from .tokens import BOOT_CLAIM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .session import Session, SessionDict
    from .usertoken import UserToken

class Login(Protector):
    """User login.

    :param login_url: where people are sent when a page needs a login.
    :param remember_name: the name of the remember-me cookie.
    :param users: who has accounts, see :doc:`users`; then no :meth:`user_loader` is needed.
    :param throttle: a :class:`dotlatch.throttle.Throttle`, asked before any password or code is looked at.
    :param events: a :class:`dotlatch.events.Events`, which is told of each decision.
    :param fresh_age: seconds for which a login counts as fresh (ASVS 7.5.1); ``None`` for as long as the session lasts.
    :param second_factor: a :class:`dotlatch.second.SecondFactor`. Who has one is logged in by password and code.
    :param second_factor_url: where people are sent when a code is missing.
    :param protection: what happens when a session comes from another address or browser than it began with:
        ``'basic'``, it is not fresh there, or ``'strong'``, it ends; ``None`` for nothing.
    :param fingerprint: ``fingerprint(request)`` returns the text by which ``protection`` knows a client.
    :param anonymous: ``request.g.current_user`` where nobody is logged in, or a class to make one of.
    :param remember_options: attributes of the remember-me cookie, as ``cookie_options`` of
        :class:`~dotlatch.session.Session` are; the session's unless given.
    :param impersonation: a :class:`dotlatch.impersonation.Impersonation`, which says who may act for others.
    """
    def __init__(self, login_url: str = '/login', remember_name: str = '_remember', users: 'Any' = None,
                 throttle: 'Any' = None, events: 'Any' = None, fresh_age: 'int | None' = 3600,
                 second_factor: 'Any' = None, second_factor_url: str = '/login/code', protection: 'str | None' = None,
                 fingerprint: 'Callable[..., Any] | None' = None, anonymous: 'Any' = None,
                 remember_options: 'dict[str, Any] | None' = None, impersonation: 'Any' = None) -> None:
        if protection not in (None, 'basic', 'strong'):
            raise ValueError("protection is 'basic', 'strong' or None")
        cookies.check_name(remember_name)
        self.login_url = login_url
        self.remember_name = remember_name
        self.remember_options = remember_options
        self.users = users
        self.throttle = throttle
        self.events = events
        self.fresh_age = fresh_age
        self.second = second_factor
        self.second_factor_url = second_factor_url
        self.protection = protection
        self.fingerprint = fingerprint
        self.anonymous = anonymous
        self.impersonation = impersonation
        # Ours has an async method for it, which takes no thread.
        self.user_loader_callback: 'Callable[..., Any] | None' = None if users is None else (
            getattr(users, 'load_user', None) or users.get_by_id)

    def user_loader(self, f: 'Callable[..., Any]') -> 'Callable[..., Any]':
        """Decorator for the callback that takes a user's id and returns the user, or ``None`` when there is none.

        When a user has a ``password_hash`` or ``session_version``, changing one ends that user's other sessions; a
        user whose ``is_active`` is false is nobody.
        """
        self.user_loader_callback = f
        return f

    # --- logging in and out -----------------------------------------------------------------------

    async def login(self, request: 'Any', username: 'str | None', password: str, remember: 'bool | int' = False,
                    redirect_url: str = '/', guards: 'Any' = (), keep: 'tuple[str, ...]' = ()) -> 'Any':
        """Log in whose name and password these are: all that the form's POST has to do.

        The throttle is asked, the password verified and its hash made anew when it is an old one; then the guards
        decide, and :meth:`login_user` does the rest.

        :param username: ``None`` for the one who is logged in and is to prove the password once more.
        :param guards: functions ``f(request, user)``, plain or async, for what else has to be right. They refuse by
            raising :class:`LoginRefused` or returning ``False``.
        :returns: the redirect to where the visitor was going, or to the form for the code; ``None`` for a no, with a
            text for the person in ``request.g.login_problem``.

        Ends in a 429 for who has to wait, and in a 503 when the users cannot be asked.
        """
        from . import formlogin  # loaded by those who let us do it
        return await formlogin.login(self, request, username, password, remember, redirect_url, guards, keep)

    async def login_user(self, request: 'Any', user: 'Any', remember: 'bool | int | None' = False,
                         redirect_url: str = '/', keep: 'tuple[str, ...]' = ()) -> 'Any':
        """Log a user in whose password was checked, and return the redirect to where the visitor was going.

        The session gets a new id and loses what it held before, unless it was this user's already (ASVS 7.2.4). A user
        who has a second factor is not logged in yet: the redirect leads to the form for the code.

        :param remember: days for which the login outlives the browser's session; ``True`` for 30. ``None`` for a user
            who is logged in already and stays remembered, or not, as before.
        :param redirect_url: where to go when there is no ``next`` that stays on this site.
        :param keep: names in the session that survive the login, such as a shopping cart; nothing of another user's.
        :raises TypeError: when the user has no id that is a str or an int.
        :raises ValueError: when the user is not active.
        :raises RuntimeError: when the user has a second factor and this ``Login`` has none.
        """
        if not is_active(user):
            raise ValueError('a user who is not active cannot log in')
        ext = session_of(request)
        # As it was when the password was: one that changes during the waits below ends this session too.
        stamped = stamp(user, ext.keys[0])
        session = await ext.load(request)
        days = None if remember is None else _days(remember)
        known = await self.get_current_user(request) if '_user_id' in session else None
        identity = user_id(user)
        is_own = is_same_id(session.get('_user_id', identity), identity) and '_actor' not in session
        is_same = known is not None and is_own and await self._goes_on(request, ext, session)
        # What another client has proven is not proven here, see client.py.
        proven = proofs(session) if is_same and not getattr(request.g, '_is_doubtful', False) else {}
        data = {name: session[name] for name in session if name not in OURS and (is_same or (is_own and name in keep))}
        if days is None and not is_same:
            days = 0
        proven[AT_PASSWORD] = mark()
        if has_second_factor(user) and AT_CODE not in proven:
            if self.second is None:
                raise RuntimeError('this user has a second factor: give Login(second_factor=SecondFactor(users, ...))')
            from . import halflogin, trusted  # loaded by those who have second factors
            if not trusted.is_trusted(request, user):
                return await halflogin.begin(self, request, user, stamped, proven, data, days)
        await self._establish(request, user, stamped, proven, data, days, PASSWORD)
        return redirect(safe_next(request.args.get('next'), redirect_url))

    async def _goes_on(self, request: 'Any', ext: 'Session', session: 'SessionDict') -> bool:
        """Tell whether a session is somebody's still: a password takes time, in which others may have ended it."""
        user, _ = await self._load(request, ext, session['_user_id'], session.get('_stamp', ''))
        return user is not None and await ext.is_there(session)

    async def _establish(self, request: 'Any', user: 'Any', stamped: str, proven: 'dict[str, int]',
                         data: 'dict[str, Any]', days: 'int | None', method: str) -> None:
        """Begin the session of a user who has proven all that is needed, and remember it for so many days.

        :param stamped: the user's stamp at the time of the proof.
        """
        parent = came_of(session_of(request).get(request))
        if days is not None:
            if parent is not None or self._may_be_remembered(request):
                await self._remember_me().forget(request, parent)
            parent = await self._remember_me().issue(request, user, stamped, days) if days else None
        try:
            self._begin(request, user, proven, data, None, parent, stamped)
        except Exception:  # no room for what was kept: then nothing is remembered either
            if days:
                await self._remember_me().forget(request, parent)
            raise
        self.tell('login', request, user, method=method)

    def _begin(self, request: 'Any', user: 'Any', proven: 'dict[str, int]', data: 'dict[str, Any]',
               max_age: 'int | None', parent: 'list[Any] | None', stamped: 'str | None' = None) -> None:
        ext = session_of(request)
        session = ext.get(request)
        session.clear()
        session.update(data)
        session['_user_id'] = user_id(user)
        session.update(proven)
        self._sign(ext, session, user, stamped)
        if self.protection is not None:
            from . import client  # loaded by those who ask for it
            session['_client'] = client.digest(self, request)
            request.g._is_doubtful = False
        ext.renew(session, max_age, parent, user_id(user))
        self._save(request, session)
        request.g.original_user = None
        request.g._login_user = request.g.current_user = user
        request.g.login_state = self._state(session)

    def _save(self, request: 'Any', session: 'SessionDict') -> None:
        """Save a session that has just begun; where that cannot be, nobody is logged in."""
        try:
            session.save()
        except Exception as error:
            session.delete()
            if isinstance(error, RuntimeError):  # a codec that signs none: the cookie is for who has begun it to clear
                session.token = None
            self._forget_user(request)
            raise

    def _sign(self, ext: 'Session', session: 'dict[str, Any]', user: 'Any', stamped: 'str | None' = None) -> None:
        written = stamp(user, ext.keys[0]) if stamped is None else stamped
        if written:
            session['_stamp'] = written

    async def logout_user(self, request: 'Any') -> None:
        """Log the visitor out: session and remember-me cookie go, and copies of them are worth nothing."""
        ext = session_of(request)
        session = await ext.load(request)
        user = await self._leaving(request) if '_user_id' in session and self.events is not None else None
        parent = came_of(session)
        ext.delete(request)
        await ext.end_now(session)
        # A cookie with a path of its own does not come along: what it has begun still names it.
        if parent is not None or self._may_be_remembered(request):
            await self._remember_me().forget(request, parent)
        if user is not None:
            self.tell('logout', request, user)
        self._forget_user(request)

    async def _leaving(self, request: 'Any') -> 'Any':
        try:
            return await self.get_current_user(request)
        except Exception:  # it is for the event: a log-out does not wait for who knows the users
            return None

    def _forget_user(self, request: 'Any') -> None:
        request.g._login_user = request.g.original_user = None
        request.g.current_user = self._nobody()
        request.g.login_state = ANONYMOUS

    def _may_be_remembered(self, request: 'Any') -> bool:
        return cookies.is_sent(request, self.remember_name) or hasattr(request.g, '_remembered')

    def _remember_me(self) -> 'Any':
        from . import remember  # loaded by those who use it
        return remember.RememberMe(self)

    # --- who is there -----------------------------------------------------------------------------

    async def get_current_user(self, request: 'Any') -> 'Any':
        """Return the user who is logged in, or ``None``. It is looked up once per request."""
        g = request.g
        if hasattr(g, '_login_user'):
            return g._login_user
        ext = session_of(request)
        session = ext.get(request) if ext.store is None else await ext.load(request)
        g.login_state = ANONYMOUS
        g.original_user = None
        user = None
        if '_user_id' in session:
            user, is_current = await self._load(request, ext, session['_user_id'], session.get('_stamp', ''))
            if user is not None:
                if not is_current or session._renew:
                    self._write_anew(ext, session, user, is_current)
                g.login_state = self._state(session)
                if '_actor' in session:
                    user = await self.impersonation.check(self, request, user) if self.impersonation else None
                if self.protection is not None and user is not None:
                    user = await self._protect(request, user)
        if user is None:
            g.original_user = None
            if '_half' not in session and cookies.is_sent(request, self.remember_name):
                user = await self._restore(request, ext)
            if user is None:
                g.login_state = ANONYMOUS
        g._login_user = user
        if user is not None:
            g.current_user = user
        elif not hasattr(g, 'current_user'):  # what another scheme has proven is not taken back
            g.current_user = self._nobody()
        return user

    def _nobody(self) -> 'Any':
        return self.anonymous() if callable(self.anonymous) else self.anonymous

    def _write_anew(self, ext: 'Session', session: 'SessionDict', user: 'Any', is_current: bool) -> None:
        """Have a session say by a new key whose it is, since the old one may go, and the time by the clock, once set.
        """
        claims: 'Any' = session._claims
        by_uptime = BOOT_CLAIM in claims and now() is not None
        if is_current and not by_uptime:
            return  # only its time of use is due
        if not is_current:
            self._sign(ext, session, user)
        if by_uptime:
            session.update(proofs(session))
        try:
            session.save()
        except (ValueError, RuntimeError):  # no room, or a codec that signs none: it holds for now
            pass

    async def _protect(self, request: 'Any', user: 'Any') -> 'Any':
        from . import client  # loaded by those who ask for it
        return await client.check(self, request, user)

    async def recheck(self, request: 'Any', user: 'Any') -> 'Any':
        """Return the user of an open WebSocket or event stream who would still be let in, or ``None``.

        It is only a look: no session begins, and a remember-me cookie keeps its secret.
        """
        request.g._is_look = True
        return await self.get_current_user(request)

    async def _restore(self, request: 'Any', ext: 'Session') -> 'Any':
        found = await self._remember_me().find(request)
        if found is None:
            return None
        identity, stamped, left, parent = found
        user, _ = await self._load(request, ext, identity, stamped)
        if user is not None and not http.is_websocket(request) and not hasattr(request.g, '_is_look'):
            try:
                self._begin(request, user, {}, {}, min(left, ext.max_age), parent)
                if ext.store is not None:
                    ext.get(request)._origin = parent[0]  # who ends the series while the handler runs ends this too
            except (ValueError, RuntimeError):  # no room, or a codec that signs none: the next request is like this one
                pass
            self.tell('remembered', request, user)
        if user is not None:
            request.g.login_state = REMEMBERED
        return user

    async def _load(self, request: 'Any', ext: 'Session', identity: 'Any', stamped: 'Any') -> 'tuple[Any, bool]':
        """Return the user with that id and stamp, or ``None``, and whether the stamp is of the newest key.

        Ends in a 503 when the users cannot be asked.
        """
        if self.user_loader_callback is None:
            raise RuntimeError('no user_loader: decorate the function that finds a user with @login.user_loader')
        try:
            user = as_user(await call(self.user_loader_callback, identity))
        except OSError as error:
            http.unavailable(request, error)
        if user is not None and is_active(user):
            key = stamp_key(user, ext.keys, stamped)
            if key is not None:
                return user, key is ext.keys[0]
        return None, False

    async def token(self, request: 'Any') -> 'UserToken':
        """Return who is there as a :class:`dotlatch.usertoken.UserToken`, also where nobody is."""
        from . import usertoken  # loaded by those who use it
        user = await self.get_current_user(request)
        return usertoken.UserToken(self._nobody() if user is None else user, request.g.login_state)

    # --- what was proven, and when ----------------------------------------------------------------

    def _state(self, session: 'SessionDict') -> str:
        passed = age(session, AT_PASSWORD)
        return FRESH if passed is not None and (self.fresh_age is None or passed < self.fresh_age) else REMEMBERED

    def is_proven(self, request: 'Any', factor: str = PASSWORD, max_age: 'int | None' = None) -> bool:
        """Tell whether the visitor has proven ``'password'`` or ``'code'`` in this session, and lately enough.

        Ask once the user is known. Who acts for somebody else has proven nothing.

        :param max_age: seconds. For the password, ``fresh_age`` unless given.
        """
        g = request.g
        if max_age is None and factor == PASSWORD:
            return bool(g.login_state == FRESH)
        if g.login_state == IMPERSONATOR or getattr(g, '_is_doubtful', False):
            return False
        passed = age(session_of(request).get(request), AT_CODE if factor == CODE else AT_PASSWORD)
        return passed is not None and (max_age is None or passed < max_age)

    def fresh(self, f: 'Callable[..., Any] | None' = None, max_age: 'int | None' = None) -> 'Any':
        """Decorator for a route that needs the password to have been typed lately, in this session::

            @login.fresh                 # within fresh_age
            @login.fresh(max_age=600)    # within ten minutes

        Others are sent to the form and come back; what a form of theirs has sent is lost then, and they are told.
        """
        return self._stepped(f, PASSWORD, max_age)

    def second_factor(self, f: 'Callable[..., Any] | None' = None, max_age: 'int | None' = None) -> 'Any':
        """Decorator for a route that needs a code to have been typed in this session, or within ``max_age`` seconds."""
        return self._stepped(f, CODE, max_age)

    def _stepped(self, f: 'Any', factor: str, max_age: 'int | None') -> 'Any':
        if f is None:
            return lambda f: self._stepped(f, factor, max_age)
        if not callable(f):
            raise TypeError('give the age by its name, such as @login.fresh(max_age=600)')

        @wraps(f)
        async def wrapper(request: 'Any', *args: 'Any', **kwargs: 'Any') -> 'Any':
            user = await self._find_user(request, args)
            if user is None:
                return await self.refuse(request, args)
            request.g.current_user = user
            if not self.is_proven(request, factor, max_age):
                return await self._step_up(request, args, factor, max_age)
            return await call(f, request, *args, **kwargs)
        return wrapper

    async def _step_up(self, request: 'Any', args: 'tuple[Any, ...]', factor: str, max_age: 'int | None') -> 'Any':
        """Have somebody prove more: a person at the form, a program by a 401 (RFC 9470 section 3)."""
        if request.g.login_state == IMPERSONATOR or (factor == CODE and not has_second_factor(request.g.current_user)):
            await deny_websocket(request, 403, args)
            abort(403)
        if http.wants_page(request):
            # Another client's session (client.py) is this one's once the password was proven here.
            by_password = factor == PASSWORD or getattr(request.g, '_is_doubtful', False)
            return self._send_to(request, self.login_url if by_password else self.second_factor_url, True)
        challenge = self.challenge(request) + ', error="insufficient_user_authentication"'
        http.challenge(request, challenge + (', max_age=%d' % max_age if max_age is not None else ''))
        await deny_websocket(request, 401, args)
        abort(401)

    # --- acting for somebody else -----------------------------------------------------------------

    async def impersonate(self, request: 'Any', user: 'Any', redirect_url: str = '/') -> 'Any':
        """Have the one who is logged in act for ``user``, and return the redirect; ends in a 403 when that may not be.

        ``request.g.original_user`` is who is really there from then on, and ``login_state`` IMPERSONATOR.
        """
        if self.impersonation is None:
            raise RuntimeError('nobody may impersonate: give Login(impersonation=Impersonation(...))')
        await self.impersonation.enter(self, request, user)
        return redirect(redirect_url)

    async def end_impersonation(self, request: 'Any', redirect_url: str = '/') -> 'Any':
        """Have somebody who acts for another be himself again, and return the redirect."""
        if self.impersonation is not None:
            await self.impersonation.leave(self, request)
        return redirect(redirect_url)

    # --- second factors ---------------------------------------------------------------------------

    async def half_user(self, request: 'Any') -> 'Any':
        """Return the user whose password was right and whose code is missing, or ``None``: for the code's form."""
        from . import halflogin
        return await halflogin.user(self, request)

    async def enter_code(self, request: 'Any', code: 'str | None', trust: 'bool | int' = False,
                         redirect_url: str = '/') -> 'Any':
        """Take a code of the second factor, or a recovery code: all that the POST of the code's form has to do.

        :param trust: days for which this browser is asked for no code after the right password; ``True`` for 30.
        :returns: the redirect to where the visitor was going, or to the form when there is no login under way; ``None``
            for a wrong code.
        :raises dotlatch.totp.ClockNotSet: when nobody can tell which codes are right.

        Ends in a 429 for who has to wait.
        """
        from . import halflogin
        return await halflogin.enter(self, request, code, _days(trust), redirect_url)

    # --- what decorators ask ----------------------------------------------------------------------

    def identify(self, request: 'Any') -> 'Any':
        """Return the user who is logged in, or ``None``, to be awaited: what the decorators go by."""
        return self.get_current_user(request)

    def challenge(self, request: 'Any') -> str:
        """Return what a 401 says of the login form."""
        return str(session_of(request).transport.challenge(self.login_url))

    def is_tried(self, request: 'Any') -> bool:
        """Tell whether the request carries a session."""
        return bool(session_of(request).transport.is_there(request))

    async def refuse(self, request: 'Any', args: 'tuple[Any, ...]') -> 'Any':
        """Send a person to the login form, from which he comes back; answer a program with a 401.

        JSON, EventSource and WebSocket clients are programs, and so is fetch() over HTTPS. Over plain HTTP browsers do
        not mark a fetch(): let it say ``Accept: application/json``.
        """
        if not http.wants_page(request):
            return await super().refuse(request, args)
        is_half = '_half' in session_of(request).get(request)
        return self._send_to(request, self.second_factor_url if is_half else self.login_url)

    def _send_to(self, request: 'Any', target: str, again: bool = False) -> 'Any':
        url = http.url_as_sent(request)
        lost = request.method.upper() not in ('GET', 'HEAD')
        if lost:
            url = _page_before(request)  # a form's body is lost on the way, and its address may be no page
        query = ['next=' + quote(url)] if url else []
        if lost and again:
            query.append('again=lost')
        return redirect(with_query(target, '&'.join(query)))

    def tell(self, event: str, request: 'Any', user: 'Any' = None, **fields: 'Any') -> None:
        """Tell of a decision: of whom it is, where from, and who is really there."""
        if self.events is None:
            return
        fields['source'] = http.source(request)
        if user is not None:
            fields['user'] = user_id(user)
            fields['name'] = get(user, 'name')
        actor = getattr(request.g, 'original_user', None)
        if actor is not None:
            fields['actor'] = get(actor, 'name') or user_id(actor)
        self.events.emit(event, **fields)


def _days(days: 'bool | int') -> int:
    return 30 if days is True else int(days)


def _page_before(request: 'Any') -> str:
    """Return path and query of the page of this site that the request was sent from, or ``''``."""
    host, found, path = request.headers.get('Referer', '').partition('://')[2].partition('/')
    same = found and host.lower() == request.headers.get('Host', '').lower()
    return safe_next('/' + path, '') if same else ''
