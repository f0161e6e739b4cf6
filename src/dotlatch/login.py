"""A login form's other half: who is logged in, what was proven and when, and the way to the form and back.

Needs portable.py, strictjson.py, tokens.py, revoked.py, origin.py, cookies.py, http.py, identity.py, proofs.py,
protect.py and session.py; entry.py, loaded when somebody logs in or out, and wayin.py, for who is not let in. What only
some programs use is loaded by those: formlogin.py for :meth:`Login.login`, halflogin.py and trusted.py for second
factors, remember.py or series.py for logins that outlive the browser's session, client.py for ``protection``,
impersonation.py and usertoken.py::

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
from microdot import redirect

from . import cookies, http
from .identity import as_user, is_active, stamp_key
from .portable import call, caller, now, wraps
from .proofs import ANONYMOUS as ANONYMOUS
from .proofs import AT_CODE, AT_PASSWORD, CODE, PASSWORD, age
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

    :param login_url: where people are sent when a page needs a login: an address, or the name of the handler whose
        route it is, ``'log_in'``. On a board that is one without decorators but its route's.
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
        self._looked_at: 'Any' = None  # it, and how it is called: looked at once, as far as it stays the same
        self._load_user: 'Any' = None

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
                         redirect_url: str = '/', keep: 'tuple[str, ...]' = (), fresh: bool = True) -> 'Any':
        """Log a user in whose password was checked, and return the redirect to where the visitor was going.

        The session gets a new id and loses what it held before, unless it was this user's already (ASVS 7.2.4). A user
        who has a second factor is not logged in yet: the redirect leads to the form for the code.

        :param remember: days for which the login outlives the browser's session; ``True`` for 30. ``None`` for a user
            who is logged in already and stays remembered, or not, as before.
        :param redirect_url: where to go when there is no ``next`` that stays on this site.
        :param keep: names in the session that survive the login, such as a shopping cart; nothing of another user's.
        :param fresh: ``False`` for a login that was no password's, such as a link's: a page with :meth:`fresh` asks for
            it then.
        :raises TypeError: when the user has no id that is a str or an int.
        :raises ValueError: when the user is not active.
        :raises RuntimeError: when the user has a second factor and this ``Login`` has none.
        """
        from . import entry
        return await entry.log_in(self, request, user, remember, redirect_url, keep, fresh)

    async def logout_user(self, request: 'Any') -> None:
        """Log the visitor out: session and remember-me cookie go, and copies of them are worth nothing."""
        from . import entry
        await entry.log_out(self, request)

    # --- who is there -----------------------------------------------------------------------------

    async def get_current_user(self, request: 'Any') -> 'Any':
        """Return the user who is logged in, or ``None``. It is looked up once per request."""
        g = request.g
        if hasattr(g, '_login_user'):
            return g._login_user
        ext = session_of(request)
        session = await ext.load(request) if ext.waits else ext.get(request)
        g.login_state = ANONYMOUS
        g.original_user = None
        user = None
        if '_user_id' in session:
            user, is_current = await self._load(request, ext, session['_user_id'], session.get('_stamp', ''))
            if user is not None:
                # A new key, or a clock that is set now: what says whose it is, and since when, is written anew.
                if not is_current or (session._renew and BOOT_CLAIM in (session._claims or ()) and now() is not None):
                    from . import entry
                    entry.write_anew(ext, session, user, is_current)
                g.login_state = self._state(session)
                if '_actor' in session:
                    user = await self.impersonation.check(self, request, user) if self.impersonation else None
                if self.protection is not None and user is not None:
                    from . import client  # loaded by those who ask for it
                    user = await client.check(self, request, user)
        if user is None:
            g.original_user = None
            if '_half' not in session and cookies.is_sent(request, self.remember_name):
                from . import entry
                user = await entry.restore(self, request, ext)
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

    async def recheck(self, request: 'Any', user: 'Any') -> 'Any':
        """Return the user of an open WebSocket or event stream who would still be let in, or ``None``.

        It is only a look: no session begins, and a remember-me cookie keeps its secret.
        """
        request.g._is_look = True
        return await self.get_current_user(request)

    async def _load(self, request: 'Any', ext: 'Session', identity: 'Any', stamped: 'Any') -> 'tuple[Any, bool]':
        """Return the user with that id and stamp, or ``None``, and whether the stamp is of the newest key.

        Ends in a 503 when the users cannot be asked.
        """
        loader = self.user_loader_callback
        if loader is None:
            raise RuntimeError('no user_loader: decorate the function that finds a user with @login.user_loader')
        if loader is not self._looked_at:
            self._looked_at, self._load_user = loader, caller(loader)
        try:
            user = as_user(await self._load_user(identity))
        except OSError as error:
            http.unavailable(request, error)
        if user is not None and is_active(user):
            keys = ext.keys
            key = stamp_key(user, keys, stamped)
            if key is not None:
                return user, key is keys[0]
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
            user = await self.find_user(request, args)
            if user is None:
                return await self.refuse(request, args)
            self.admit(request, user)
            if not self.is_proven(request, factor, max_age):
                from . import wayin
                return await wayin.step_up(self, request, args, factor, max_age)
            return await call(f, request, *args, **kwargs)
        return wrapper

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
        from . import entry, halflogin
        return await halflogin.enter(self, request, code, entry.days_of(trust), redirect_url)

    # --- what decorators ask ----------------------------------------------------------------------

    def identify(self, request: 'Any') -> 'Any':
        """Return the user who is logged in, or ``None``, to be awaited: what the decorators go by."""
        return self.get_current_user(request)

    def form_url(self, request: 'Any') -> str:
        """Return the address of the form; RuntimeError when no route's handler has the name it was given by."""
        if '/' not in self.login_url:
            from . import wayin
            self.login_url = wayin.url_of(request.app, self.login_url)
        return self.login_url

    def challenge(self, request: 'Any') -> str:
        """Return what a 401 says of the login form."""
        return str(session_of(request).transport.challenge(self.form_url(request)))

    def is_tried(self, request: 'Any') -> bool:
        """Tell whether the request carries a session."""
        return bool(session_of(request).transport.is_there(request))

    async def refuse(self, request: 'Any', args: 'tuple[Any, ...]') -> 'Any':
        """Send a person to the login form, from which he comes back; answer a program with a 401.

        JSON, EventSource and WebSocket clients are programs, and so is fetch() over HTTPS. Over plain HTTP browsers do
        not mark a fetch(): let it say ``Accept: application/json``. With an :meth:`errorhandler`, that answers both.
        """
        if self.error_callback is not None or not http.wants_page(request):
            return await super().refuse(request, args)
        from . import wayin
        return wayin.log_in_first(self, request)

    def tell(self, event: str, request: 'Any', user: 'Any' = None, **fields: 'Any') -> None:
        """Tell of a decision: of whom it is, where from, and who is really there."""
        if self.events is not None:
            from . import entry
            entry.tell(self, event, request, user, **fields)
