"""A device without an owner serves one page: who has the code that it prints makes the first account there.

Needs what loginpages.py needs, throttle.py, files.py, sameorigin.py, users.py, claimcode.py and html_claim.py;
claimreset.py to begin anew. It is loaded while there is no owner, and not after that::

    app = Microdot()
    users = FileUsers('users.json')
    is_new = not len(users)                                  # before the key is read
    Session(app, secret_key=load_or_create('secret.key'))
    login = Login(users=users, throttle=Throttle())
    site = LoginPages(app, login, title='Greenhouse')

    def claim():
        from dotlatch.claim import Claim
        Claim(site, 'secret.key')

    if is_new:
        claim()                                              # prints the code
"""
import sys

from microdot import Response, abort, redirect

from . import files, http, sameorigin
from .claimcode import Codes, plain
from .portable import MICROPYTHON, FileLock, b64url_bytes, call, compare_digest, deny_websocket, unload
from .session import session_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_SECRET = '.claim'  # what the file of a server's secret ends with, beside that of the key


class Claim:
    """Keeps an app shut until somebody has become the owner of its device.

    Meanwhile only the page at ``url`` is served. People who ask for any other are sent there, and programs get a 503.
    The first account ends that, and logs its owner in. Then nothing of this is left in the app, and nothing of it in
    memory unless a global name of your program holds it.

    Make it after the network is up: an ESP32 has good random numbers only while its radio is on.

    :param site: the app's :class:`~dotlatch.loginpages.LoginPages`. Its login's throttle and events are used.
    :param key: path of the session's key, which is made anew when the device is claimed.
    :param button: tells whether the button on the device is held, which it has to be: a callable, plain or async.
    :param code: whether the code is asked for.
    :param scopes: what the owner may do.
    :param hosts: names and addresses by which the device is known, without ports, the one to send people to first.
        In an access point phones ask for names of their maker's.
    :param url: where the page is.
    :param expires: seconds after which there is another code. The one before it is good for as long again.
    :param tell: a function that shows the code to who is at the device; printed unless given.
    :param noise: a function whose result goes into the key, such as what an open analog pin reads.
    :param app: the main app, when the site's own is mounted in it.
    :raises ValueError: with neither button nor code; for an app that has no sessions, as one that is mounted has none;
        without a file of the key; for what is no host, no path or no number of seconds.
    """
    def __init__(self, site: 'Any', key: str, button: 'Callable[..., Any] | None' = None, code: bool = True,
                 scopes: 'Any' = (), hosts: 'tuple[str, ...]' = (), url: str = '/claim', expires: int = 600,
                 tell: 'Callable[[str], Any] | None' = None, noise: 'Callable[[], Any] | None' = None,
                 app: 'Any' = None) -> None:
        if not code and button is None:
            raise ValueError('with neither code nor button anybody could claim the device')
        if url[:1] != '/' or type(expires) is not int or expires < 1:
            raise ValueError('url is a path, and expires an int above 0')
        app = app or site.app
        if not hasattr(app, '_session') or files.read(key) is None:
            raise ValueError('Claim needs the main app, after its Session, and the file of its key: '
                             'Claim(site, key, app=app)')
        self.app = app
        self.site = site
        self.login = site.login
        self.users = site.login.users
        self.throttle = site.login.throttle
        if self.throttle is None:
            from .throttle import Throttle
            self.throttle = Throttle(max_entries=8)
        self.key = key
        self.button = button
        self.code = code
        self.scopes = scopes
        self.hosts = sameorigin.known((hosts,) if isinstance(hosts, str) else hosts)
        self.url = url
        self.noise = noise
        self._lock = FileLock(key)
        self._is_busy = self._has_key = False
        # Of the processes of a server each asks for the same code, whichever starts when. The key is no secret for
        # that: it changes with the first claim, even with one that ends at its password.
        self.codes = Codes(None if MICROPYTHON else files.load_or_create(key + _SECRET), tell or _print, expires)
        # To Microdot this is a mounted app, with which every request ends up, and none of the main app's handlers but
        # its pages for errors.
        self.error_handlers = app.error_handlers
        self.before_request_handlers: 'list[Any]' = []
        self.after_request_handlers = self.before_request_handlers
        self.after_error_request_handlers: 'list[Any]' = []
        http.hook(self)
        if _elsewhere not in app.before_request_handlers:
            app.before_request_handlers.insert(0, _elsewhere)
        self._kept = app.find_route, app.get_request_handlers
        app.find_route = self._find
        app.get_request_handlers = self._handlers
        if code:
            self.codes.current()

    # --- who is let through -----------------------------------------------------------------------

    def _handlers(self, request: 'Any', attr: str, local_first: bool = True) -> 'Any':
        return getattr(self.app if request is None else self, attr + '_handlers')  # None: it could not be read

    def _find(self, request: 'Any') -> 'tuple[Any, str, Any]':
        request.url_args = {}
        f: 'Any' = self._send_there
        try:
            if len(self.users) and not self._is_busy:
                self._end(request)
                return self.app.find_route(request)  # type: ignore[no-any-return]  # Microdot's own
        except OSError:
            return self._wait, '', self
        self.codes.stir(request.client_addr)
        if self._is_known(request) and not http.is_websocket(request):
            if request.path == self.url:
                method = request.method.upper()
                f = self._form if method in ('GET', 'HEAD') else self._claim if method == 'POST' else 405
            elif request.path == self.site.context['style']:
                f = self.site.style
        return f, '', self

    def _is_known(self, request: 'Any') -> bool:
        return not self.hosts or sameorigin.host_and_port(request.headers.get('Host', ''))[0] in self.hosts

    async def _send_there(self, request: 'Any') -> 'Any':
        if http.wants_page(request):
            response = redirect(('' if self._is_known(request) else self._own(request)) + self.url)
        else:
            await deny_websocket(request, 503, ())
            response = Response('This device has no owner yet: open it in a browser', 503)
        response.headers['Cache-Control'] = 'no-store'
        return response

    def _own(self, request: 'Any') -> str:
        port = sameorigin.host_and_port(request.headers.get('Host', ''))[1]
        return ('https://' if http.is_https(request) else 'http://') + self.hosts[0] + (':%d' % port if port else '')

    async def _wait(self, request: 'Any') -> None:
        http.unavailable(request, OSError())

    async def _know(self, request: 'Any') -> None:
        """Have those say who the client is, and whom he asks for, whom the app has for it."""
        for rank, f in getattr(self.app, '_asked_first', ()):
            if rank < 2:
                await f(request)

    # --- the page ---------------------------------------------------------------------------------

    async def _form(self, request: 'Any') -> 'Any':
        await self._know(request)
        return await self._show(request, 200, None)

    async def _show(self, request: 'Any', status: int, problem: 'str | None', name: str = '') -> 'Any':
        if self.code:
            self.codes.current()
        return await self.site.show(request, 'claim', status, claim_url=self.url, code=self.code,
                                    button=self.button is not None, problem=problem, username=name)

    async def _claim(self, request: 'Any') -> 'Any':
        await self._know(request)
        if sameorigin.is_same_origin(request) is False:
            abort(403)
        fields = http.form(request)
        name = fields.get('username', '').strip()
        chosen = fields.get('password', '')
        if self._is_busy:
            return await self._show(request, 409, 'Somebody else is claiming this device.')
        source = http.source(request)
        # No account's: who guesses shuts nobody else out.
        wait = await http.asked(request, self.throttle.attempt('', source))
        if wait:
            self.login.tell('claim_failed', request, reason='throttled', seconds=wait)
            http.too_many(request, wait)
        given = plain(fields.get('code', ''))
        reason = await self._refusal(given)
        if reason is not None:
            self.login.tell('claim_failed', request, reason=reason)
            return await self._show(request, 403, 'That is not the code.' if reason == 'code' else
                                    'The button of the device was not held.', name)
        await http.asked(request, self.throttle.undecided('', source))
        if not chosen or chosen != fields.get('again'):
            problem = 'The two passwords differ.' if chosen else 'Choose a password.'
            return await self._show(request, 400, problem, name)
        if given and given in plain(chosen, 1024):
            return await self._show(request, 400, 'Choose a password of your own: the code is no password.', name)
        if self._is_busy:  # since the throttle or the button has taken its time
            return await self._show(request, 409, 'Somebody else is claiming this device.')
        self._is_busy = True
        try:
            return await self._hand_over(request, name, chosen)
        finally:
            self._is_busy = False

    async def _hand_over(self, request: 'Any', name: str, password: str) -> 'Any':
        try:
            user = await self._make_owner(name, password)
            if user is not None:
                session_of(request).secret_key = files.read(self.key)
        except ValueError as error:
            return await self._show(request, 400, 'That will not do: %s.' % error, name)
        except OSError as error:
            http.unavailable(request, error)
        if user is None:
            return await self._show(request, 409, 'This device has an owner already.')
        self.login.tell('claimed', request, user, method='code' if self.code else 'button')
        return await self.login.login_user(request, user, redirect_url=self.site.context['home'])

    async def _refusal(self, given: str) -> 'str | None':
        """Return what is missing, or ``None``."""
        if self.code:
            is_right = False
            for code in self.codes.current():
                is_right |= compare_digest(given.encode(), code.encode())
            if not is_right:
                return 'code'
        if self.button is not None:
            is_held = await call(self.button)
            if type(is_held) not in (bool, int) or not is_held:  # nothing else that is true is a yes
                return 'button'
        return None

    async def _make_owner(self, name: str, password: str) -> 'Any':
        """Make the first account, or return ``None`` when there is one.

        The key comes first: whenever the power is cut there is no owner, or one whose key is new.
        """
        with self._lock:  # against other processes
            if len(self.users):
                return None
            if not self._has_key:
                files.replace(self.key, b64url_bytes(self.codes.stir(self.noise and self.noise())))
                self._has_key = True
            return await call(self.users.create, name, password, self.scopes)

    def _end(self, request: 'Any') -> None:
        """Have the app go on as if this had never been there."""
        session_of(request).secret_key = files.read(self.key)  # another process may have made it
        if not MICROPYTHON:
            files.remove(self.key + _SECRET)
        app = self.app
        app.find_route, app.get_request_handlers = self._kept
        if _elsewhere in app.before_request_handlers:
            app.before_request_handlers.remove(_elsewhere)
        unload('claim', 'claimcode', 'html_claim')


async def _elsewhere(request: 'Any') -> None:
    abort(503, 'This device has no owner yet')  # the app was mounted in another one since, which knows nothing of this


def _print(code: str) -> None:
    print('\nThis device has no owner yet. Open its page, and type this code: %s\n' % code)
    if not MICROPYTHON:
        sys.stdout.flush()  # it may go to a log
