"""The routes of a login, ready made: the form, the log-out, the code of a second factor, and what refusals look like.

Needs what login.py and formlogin.py need, pages.py, html_login.py and html_style.py; html_code.py for second factors::

    app = Microdot()
    users = FileUsers('users.json')
    Session(app, secret_key=load_or_create('secret.key'))
    login = Login(users=users, throttle=Throttle())
    LoginPages(app, login, title='Greenhouse')

    @app.get('/')
    @login
    async def index(request):
        return 'Hello, ' + request.g.current_user.name
"""
from microdot import redirect

from . import http, pages
from .identity import name_of
from .portable import MICROPYTHON, call
from .session import session_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from .login import Login

_HEADERS = {
    'Content-Type': 'text/html; charset=UTF-8',
    'Content-Security-Policy': "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; "
                               "frame-ancestors 'none'; base-uri 'none'",
    'Cache-Control': 'no-store',
    'Referrer-Policy': 'same-origin',  # the login reads it; and without any, browsers hide the Origin of a form
}
_REFUSALS = {403: 'Forbidden', 429: 'Too many attempts', 503: 'Try again in a moment'}
_PIECE = 1024  # bytes that are sent together


class LoginPages:
    """The pages of a :class:`dotlatch.login.Login`.

    It adds ``GET`` and ``POST`` of the login's ``login_url``, a style sheet below that, ``POST`` of ``logout_url``, and
    for a second factor ``GET`` and ``POST`` of its ``second_factor_url``. Where a person is refused (403, 429, 503) and
    the app has no error handler for it, there is a page. With a :class:`dotlatch.guard.Guard`, exclude all that is
    below ``login_url``.

    :param render: ``render(name, **context)`` returns a page as a string, or as an iterator of strings, plain or
        async; it may be async itself. Ours unless given, see :mod:`dotlatch.pages`.
    :param title: what the app is called.
    :param home: where to go after a login that did not begin anywhere else.
    :param logout_url: where the log-out is.
    :param remember: days that the form offers to stay logged in; 0 for no offer.
    :param trust: days that the form for the code offers to ask for none; 0 for no offer.
    :param guards: see :meth:`dotlatch.login.Login.login`; so is ``keep``.
    :param csrf: what has ``token(request)``, for pages that carry one.
    :param headers: more headers, or others, for all pages.
    :param url_prefix: where ``app`` is mounted, as in ``main.mount(app, url_prefix='/people')``. All URLs are whole
        ones, here and in the login: ``Login(login_url='/people/login')``.
    :raises ValueError: when the login has no users, or a URL is not below the prefix.
    """
    def __init__(self, app: 'Any', login: 'Login', render: 'Callable[..., Any] | None' = None, title: str = 'Login',
                 home: str = '/', logout_url: str = '/logout', remember: int = 30, trust: int = 30, guards: 'Any' = (),
                 keep: 'tuple[str, ...]' = (), csrf: 'Any' = None, headers: 'dict[str, str] | None' = None,
                 url_prefix: str = '') -> None:
        if login.users is None:
            raise ValueError('these pages check passwords: give Login(users=...)')
        self.app = app
        self.login = login
        self.render = render
        self.remember = remember
        self.trust = trust
        self.guards = guards
        self.keep = keep
        self.csrf = csrf
        self.headers = _HEADERS.copy()
        self.headers.update(headers or {})
        self.url_prefix = url_prefix
        url = self.route(login.login_url)
        style_url = url.rstrip('/') + '/style.css'
        self.context = {'title': title, 'home': home, 'style': url_prefix + style_url, 'login_url': login.login_url,
                        'logout_url': logout_url}
        app.get(style_url)(self.style)
        app.get(url)(self._form)
        app.post(url)(self._log_in)
        app.post(self.route(logout_url))(self._log_out)
        if login.second is not None:
            url = self.route(login.second_factor_url)
            app.get(url)(self._code_form)
            app.post(url)(self._enter_code)
        for status in _REFUSALS:
            app.error_handlers.setdefault(status, self._refusal(status))

    def route(self, url: str) -> str:
        """Return the path of a URL as the app has it, which may be mounted."""
        prefix = self.url_prefix
        if not url.startswith(prefix + '/'):
            raise ValueError(url + ' is not below ' + prefix)
        return url[len(prefix):].split('?')[0]

    # --- pages ------------------------------------------------------------------------------------

    async def show(self, request: 'Any', name: str, status: int = 200, **context: 'Any') -> 'Any':
        """Return a page as a response, with the messages that wait in the session (``session.flash``)."""
        session = await session_of(request).load(request)
        context['messages'] = [{'category': kind, 'text': text} for kind, text in session.flashes()]
        if self.csrf is not None:
            token = self.csrf.token(request)
            context['csrf_token'] = await token if hasattr(token, '__await__') or hasattr(token, 'send') else token
        return await self._page(name, status, context)

    async def _page(self, name: str, status: int, context: 'dict[str, Any]') -> 'Any':
        for key in self.context:
            context.setdefault(key, self.context[key])
        if self.render is None:
            return _sent(pages.pieces(name, **context)), status, self.headers
        body = await _rendered(self.render, name, context)
        return body, status, self.headers

    async def style(self, request: 'Any') -> 'Any':
        """The handler that returns the style sheet."""
        from .html_style import STYLE  # browsers keep it, so few boards have to
        return STYLE, 200, {'Content-Type': 'text/css; charset=UTF-8', 'Cache-Control': 'max-age=86400'}

    def _refusal(self, status: int) -> 'Callable[..., Any]':
        async def refused(request: 'Any') -> 'Any':
            if not http.wants_page(request):
                return _REFUSALS[status], status
            seconds = getattr(request.g, '_retry_after', None) if status != 403 else None
            return await self._page('refused', status, {'status': status, 'seconds': seconds})
        return refused

    # --- the login --------------------------------------------------------------------------------

    async def _form(self, request: 'Any') -> 'Any':
        user = await self.login.get_current_user(request)
        if user is not None and 'next' not in request.args and 'again' not in request.args:
            user = None  # nobody has sent him here: he wants to be somebody else
        return await self._show_form(request, user, 200, lost=request.args.get('again') == 'lost')

    async def _show_form(self, request: 'Any', user: 'Any', status: int, **context: 'Any') -> 'Any':
        """Show the form for a name and a password, or to ``user`` the one for the password alone."""
        if user is not None:
            return await self.show(request, 'confirm', status, user=name_of(user), **context)
        return await self.show(request, 'login', status, remember=self.remember, **context)

    async def _log_in(self, request: 'Any') -> 'Any':
        fields = http.form(request)
        days = self.remember if 'remember' in fields else 0
        answer = await self.login.login(request, fields.get('username'), fields.get('password', ''), days,
                                        self.context['home'], self.guards, self.keep)
        if answer is not None:
            return answer
        http.challenge(request, self.login.challenge(request))
        user, problem = None, request.g.login_problem
        if 'username' not in fields and 'again' in fields:
            user = await self.login.get_current_user(request)
            if user is None:
                problem = 'You are not logged in any more.'
        return await self._show_form(request, user, 401, problem=problem)

    async def _log_out(self, request: 'Any') -> 'Any':
        await self.login.logout_user(request)
        return redirect(self.login.login_url, 303)

    # --- the second factor ------------------------------------------------------------------------

    async def _code_form(self, request: 'Any') -> 'Any':
        half = await self.login.half_user(request)
        if half is None and await self.login.get_current_user(request) is None:
            from .halflogin import to_form  # loaded by half_user
            return to_form(request, self.login.login_url)
        return await self._show_code(request, half, 200, lost=request.args.get('again') == 'lost')

    async def _show_code(self, request: 'Any', half: 'Any', status: int, **context: 'Any') -> 'Any':
        return await self.show(request, 'code', status, trust=self.trust if half is not None else 0, **context)

    async def _enter_code(self, request: 'Any') -> 'Any':
        from .totp import ClockNotSet  # which the second factor has loaded
        fields = http.form(request)
        code = (fields.get('recovery', '').replace(' ', '')  # apps show a code in two groups, too
                or fields.get('code', '').replace(' ', ''))
        half = await self.login.half_user(request)
        try:
            answer = await self.login.enter_code(request, code, self.trust if half is not None and 'trust' in fields
                                                 else 0, self.context['home'])
        except ClockNotSet:
            return await self._show_code(request, half, 503, clock=True)
        if answer is not None:
            return answer
        http.challenge(request, self.login.challenge(request))
        return await self._show_code(request, half, 401, problem='That is not the code.')


# --- what a render returns --------------------------------------------------------------------------

async def _rendered(render: 'Callable[..., Any]', name: str, context: 'dict[str, Any]') -> 'Any':
    """Return a body that Microdot takes, whichever server sends it: WSGI ones take no iterator of strings."""
    if MICROPYTHON:
        body = render(name, **context)
        if hasattr(body, 'send'):
            body = await _told_apart(body)
    else:
        body = await call(render, name, **context)
    if hasattr(body, '__next__'):
        return _sent(body)
    if hasattr(body, '__anext__'):
        return _Sent(body)
    if not isinstance(body, (str, bytes)):
        raise TypeError('render(name, **context) returns a string or an iterator of strings, not '
                        + type(body).__name__)
    return body


def _told_apart(work: 'Any') -> 'Any':
    """Run a coroutine, or return a generator of strings: on MicroPython both are generators. The first step tells."""
    try:
        first = next(work)
    except StopIteration as end:
        return end.value
    if isinstance(first, (str, bytes)):
        return _continued(first, work)
    yield  # it waits for something, and the event loop knows for what
    return (yield from work)


def _continued(first: 'Any', pieces: 'Any') -> 'Iterator[Any]':
    yield first
    yield from pieces


def _sent(pieces: 'Any') -> 'Iterator[bytes]':
    """Go through a page in pieces that are worth sending, and that a board has room for."""
    gathered: 'list[bytes]' = []
    size = 0
    for piece in pieces:
        if not isinstance(piece, bytes):
            piece = piece.encode()
        gathered.append(piece)
        size += len(piece)
        if size >= _PIECE:
            yield b''.join(gathered)
            gathered, size = [], 0
    yield b''.join(gathered)


class _Sent:
    """The same for an async iterator."""
    def __init__(self, pieces: 'Any') -> None:
        self.pieces = pieces

    def __aiter__(self) -> '_Sent':
        return self

    async def __anext__(self) -> bytes:
        piece = await self.pieces.__anext__()
        return piece if isinstance(piece, bytes) else str(piece).encode()
