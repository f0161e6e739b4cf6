"""A login form's other half: who is logged in, since when, and the way to the form and back.

Needs portable.py, strictjson.py, tokens.py, revoked.py, origin.py, cookies.py, http.py, identity.py and session.py;
remember.py for logins that outlive the browser's session::

    login = Login()              # beside Session(app, secret_key=...)

    @login.user_loader
    async def load_user(user_id):
        return users.get_by_id(user_id)

    @app.get('/')
    @login
    async def index(request):
        return 'Hello, ' + request.g.current_user.name
"""
from microdot import redirect

from . import cookies, http
from .identity import as_user, is_active, stamp, user_id
from .origin import quote, safe_next
from .portable import call, compare_digest, wraps
from .protect import Protector
from .session import session_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .remember import RememberMe
    from .session import Session


class Login(Protector):
    """User login.

    :param login_url: where people are sent when a page needs a login.
    :param remember_name: the name of the remember-me cookie, which has the attributes of the session's.
    """
    def __init__(self, login_url: str = '/login', remember_name: str = '_remember') -> None:
        cookies.check_name(remember_name)
        self.login_url = login_url
        self.remember_name = remember_name
        self.user_loader_callback: 'Callable[..., Any] | None' = None

    def user_loader(self, f: 'Callable[..., Any]') -> 'Callable[..., Any]':
        """Decorator for the callback that takes a user's id and returns the user, or ``None`` when there is none.

        When a user has a ``password_hash`` or ``session_version``, changing one ends that user's other sessions; a
        user whose ``is_active`` is false is nobody.
        """
        self.user_loader_callback = f
        return f

    # --- logging in and out -----------------------------------------------------------------------

    async def login_user(self, request: 'Any', user: 'Any', remember: 'bool | int' = False, redirect_url: str = '/',
                         keep: 'tuple[str, ...]' = ()) -> 'Any':
        """Log a user in whose credentials were checked, and return the redirect to where the visitor was going.

        The session gets a new id and loses what it held before (ASVS 7.2.4).

        :param remember: days for which the login outlives the browser's session; ``True`` for 30.
        :param redirect_url: where to go when there is no ``next`` that stays on this site.
        :param keep: names in the session that survive the login, such as a shopping cart.
        :raises TypeError: when the user has no id that is a str or an int.
        :raises ValueError: when the user is not active.
        """
        if not is_active(user):
            raise ValueError('a user who is not active cannot log in')
        ext = session_of(request)
        session = await ext.load(request)
        kept = {name: value for name, value in session.items() if name in keep}
        if self._may_be_remembered(request):
            self._remember_me().forget(request)
        parent = None
        if remember:
            parent = self._remember_me().issue(request, user, 30 if remember is True else int(remember))
        try:
            self._begin(request, ext, user, True, kept, None, parent)
        except ValueError:  # no room for what was kept: then nothing is remembered either
            if remember:
                self._remember_me().forget(request)
            raise
        return redirect(safe_next(request.args.get('next'), redirect_url))

    def _begin(self, request: 'Any', ext: 'Session', user: 'Any', fresh: bool, data: 'dict[str, Any]',
               max_age: 'int | None', parent: 'list[Any] | None') -> None:
        session = ext.get(request)
        session.clear()
        session.update(data)
        session['_user_id'] = user_id(user)
        session['_fresh'] = fresh
        mark = stamp(user, ext.keys[0])
        if mark:
            session['_stamp'] = mark
        ext.renew(session, max_age, parent, user_id(user))
        session.save()
        request.g._login_user = request.g.current_user = user
        request.g._login_fresh = fresh

    async def logout_user(self, request: 'Any') -> None:
        """Log the visitor out: session and remember-me cookie go, and copies of them are worth nothing."""
        ext = session_of(request)
        session = await ext.load(request)
        ext.delete(request)
        await ext.end_now(session)
        if self._may_be_remembered(request):
            self._remember_me().forget(request)
        request.g._login_user = request.g.current_user = None
        request.g._login_fresh = False

    def _may_be_remembered(self, request: 'Any') -> bool:
        return cookies.is_sent(request, self.remember_name) or hasattr(request.g, '_remember')

    def _remember_me(self) -> 'RememberMe':
        from . import remember  # loaded by those who use it
        return remember.RememberMe(self.remember_name)

    # --- who is there -----------------------------------------------------------------------------

    async def get_current_user(self, request: 'Any') -> 'Any':
        """Return the user who is logged in, or ``None``. It is looked up once per request."""
        g = request.g
        if hasattr(g, '_login_user'):
            return g._login_user
        ext = session_of(request)
        session = ext.get(request) if ext.store is None else await ext.load(request)
        g._login_fresh = False
        user = None
        if '_user_id' in session:
            user, is_current = await self._load(ext, session['_user_id'], session.get('_stamp', ''))
            if user is not None:
                g._login_fresh = session.get('_fresh') is True
                if not is_current:  # that key may go tomorrow
                    session['_stamp'] = stamp(user, ext.keys[0])
                    try:
                        session.save()
                    except (ValueError, RuntimeError):  # no room, or a codec that signs none: it holds for now
                        pass
        if user is None and cookies.is_sent(request, self.remember_name):
            user = await self._restore(request, ext)
        g._login_user = user
        if user is not None or not hasattr(g, 'current_user'):  # what another scheme has proven is not taken back
            g.current_user = user
        return user

    async def _restore(self, request: 'Any', ext: 'Session') -> 'Any':
        found = self._remember_me().find(request)
        if found is None:
            return None
        identity, mark, left, parent = found
        user, _ = await self._load(ext, identity, mark)
        if user is not None and not http.is_websocket(request):
            try:
                self._begin(request, ext, user, False, {}, min(left, ext.max_age), parent)
            except (ValueError, RuntimeError):  # no room, or a codec that signs none: the next request is like this one
                pass
        return user

    async def _load(self, ext: 'Session', identity: 'Any', mark: 'Any') -> 'tuple[Any, bool]':
        """Return the user with that id and stamp, or ``None``, and whether the stamp is of the newest key."""
        if self.user_loader_callback is None:
            raise RuntimeError('no user_loader: decorate the function that finds a user with @login.user_loader')
        user = as_user(await call(self.user_loader_callback, identity))
        if user is not None and is_active(user):
            keys = ext.keys
            for key in keys:
                if compare_digest(stamp(user, key).encode(), str(mark).encode()):
                    return user, key is keys[0]
        return None, False

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

    def fresh(self, f: 'Callable[..., Any]') -> 'Any':
        """Decorator for a route that needs a login made in this session, not one that was remembered."""
        @wraps(f)
        async def wrapper(request: 'Any', *args: 'Any', **kwargs: 'Any') -> 'Any':
            user = await self._find_user(request, args)
            if user is None or not request.g._login_fresh:
                return await self.refuse(request, args)
            return await call(f, request, *args, **kwargs)
        return wrapper

    async def refuse(self, request: 'Any', args: 'tuple[Any, ...]') -> 'Any':
        """Send a person to the login form, from which he comes back; answer a program with a 401.

        JSON, EventSource and WebSocket clients are programs, and so is fetch() over HTTPS. Over plain HTTP browsers do
        not mark a fetch(): let it say ``Accept: application/json``.
        """
        if not http.wants_page(request):
            return await super().refuse(request, args)
        url = http.url_as_sent(request)
        if request.method.upper() not in ('GET', 'HEAD'):
            url = _page_before(request)  # a form's body is lost on the way, and its address may be no page
        if not url:
            return redirect(self.login_url)
        return redirect(self.login_url + ('&' if '?' in self.login_url else '?') + 'next=' + quote(url))


def _page_before(request: 'Any') -> str:
    """Return path and query of the page of this site that the request was sent from, or ``''``."""
    host, found, path = request.headers.get('Referer', '').partition('://')[2].partition('/')
    same = found and host.lower() == request.headers.get('Host', '').lower()
    return safe_next('/' + path, '') if same else ''
