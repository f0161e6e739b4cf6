"""One login for a fleet, in browsers: the central app hands a person over to a board, which starts a session.

Needs what fleet.py and session.py need, and sameorigin.py. On the central app, for somebody who is logged in there::

    @app.get('/boards/pump-7')
    @login
    async def to_the_pump(request):
        token = issue_login(master_key, 'pump-7', request.g.current_user, ['read'])
        return handover('http://pump-7.lan/fleet', token, request.args.get('next'))

On the board, beside ``Session(app, secret_key=...)`` with a key of its own::

    login = FleetLogin(key, 'pump-7', 'https://central.lan/boards/pump-7')
    app.post('/fleet')(login.enter)                     # with csrf = CSRF(app): (csrf.exempt(login.enter))

    @app.get('/')
    @login
    async def index(request):
        return 'Hello, ' + request.g.current_user['name']
"""
from microdot import abort, redirect

from . import fleet, http, sameorigin, tokens
from .origin import quote, safe_next, with_query
from .portable import Lock, now, uptime_ms
from .protect import Protector
from .revoked import Revoked
from .session import session_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .portable import Key

TYP = 'dl-fleet-login+jwt'
TTL = 60  # seconds: a browser takes it there at once

_SCRIPT = 'document.forms[0].submit()'
_PAGE = '''<!doctype html><html lang="en"><head><meta charset="utf-8"><title>One moment</title></head><body>
<form method="post" action="%s">
<input type="hidden" name="token" value="%s"><input type="hidden" name="next" value="%s">
<button>Continue</button></form><script>%s</script></body></html>
'''
_HEADERS = {
    'Content-Type': 'text/html; charset=utf-8',
    'Cache-Control': 'no-store',
    # The board goes by Origin, which browsers leave out on the way from HTTPS to HTTP unless told this.
    'Referrer-Policy': 'origin',
    'Content-Security-Policy': "default-src 'none'; script-src 'sha256-ePniVEkSivX/c7XWBGafqh8tSpiRrKiqYeqbG7N1TOE='; "
                               "base-uri 'none'; frame-ancestors 'none'",
}


# --- the central app ------------------------------------------------------------------------------

def issue_login(master_key: 'bytes | str | Key', board_id: str, user: 'Any', scopes: 'Any' = ()) -> str:
    """Return a token with which a browser becomes this user on one board, once, within a minute."""
    return fleet.issue(master_key, board_id, user, scopes, TTL, TYP)


def handover(url: str, token: str, next_url: 'str | None' = None) -> 'tuple[str, int, dict[str, str]]':
    """Return a page that takes the browser and its token to the board: as a form, since addresses end up in logs.

    :param url: where the board has :meth:`FleetLogin.enter`.
    :param next_url: the page of the board that the person wants to see.
    """
    if not url.startswith(('http://', 'https://')):
        raise ValueError('the address of a board begins with http:// or https://')
    page = _PAGE % (_escaped(url), _escaped(token), _escaped(safe_next(next_url, '/')), _SCRIPT)
    return page, 200, _HEADERS.copy()


def _escaped(text: str) -> str:
    return text.replace('&', '&amp;').replace('"', '&quot;').replace('<', '&lt;').replace('>', '&gt;')


# --- the board ------------------------------------------------------------------------------------

class FleetLogin(Protector):
    """Login by the central app. A person who comes with nothing is sent there, and comes back with a session.

    The session says who that is, so no accounts are needed here: ``request.g.current_user`` is a dictionary with
    ``id``, ``name`` and ``scopes``. In a store, the session is one of the user ``'fleet:'`` and that id.

    :param key: what :func:`dotlatch.fleet.board_key` returned for this board, or a list, newest first.
    :param board_id: the id that it was made for.
    :param login_url: the page of the central app that hands over to this board. Only pages of its origin may.
    :param max_age: seconds after which the session ends and the central app is asked again: who is removed there stays
        here that long.
    :param leeway: seconds by which the clocks of the board and the central app may differ.
    :param max_used: how many used tokens are remembered, until they end; when there is no room, those that end first
        are refused before their time.
    :param used: where several processes keep them, such as :class:`~dotlatch.server.redis_tickets.RedisTickets`, in
        place of that: an object with ``async add(id, ttl)``, which returns whether the id is new.
    """
    def __init__(self, key: 'Any', board_id: str, login_url: str, max_age: int = 3600, leeway: int = 0,
                 max_used: int = 64, used: 'Any' = None) -> None:
        self._keys = fleet.keys_of(key)
        self.board_id = fleet.check_id(board_id)
        self.login_url = login_url
        self.origin = origin_of(login_url)
        self.max_age = max_age
        self.leeway = leeway
        self.used = used
        self._used = Revoked(max_used)
        self._began = uptime_ms()
        self._lock = Lock()

    async def enter(self, request: 'Any') -> 'Any':
        """Handler for the form that :func:`handover` sends: start a session, and redirect to the page that was wanted.

        A form of any other origin is a 403, since its page could log a visitor in as somebody else. A token that is
        not accepted is a 401, and a 503 while the clock is not set.
        """
        if sameorigin.normal(request.headers.get('Origin', '')) != self.origin:
            abort(403, 'This form is for the pages of the central app')
        if now() is None:
            abort(503, 'The clock of this device is not set')
        fields = http.form(request)
        ext = session_of(request)
        await ext.load(request)
        try:
            claims = await self._take(request, fields.get('token', ''))
        except tokens.TokenError:
            http.challenge(request, self.challenge(request))
            abort(401, 'This login has ended, or one of the two clocks is wrong: go back and try again')
        session = ext.get(request)
        session.clear()
        name = claims.get('name')
        session['_fleet'] = [self.board_id, claims['sub'], name if isinstance(name, str) else str(claims['sub']),
                             claims['scope']]
        # In the list of a store he is nobody of the board's own, whatever the numbers are.
        ext.renew(session, self.max_age, None, 'fleet:%s' % claims['sub'])
        session.save()
        request.g._fleet_user = request.g.current_user = self._user(session)
        return redirect(safe_next(fields.get('next'), '/'), 303)

    async def _take(self, request: 'Any', token: str) -> 'dict[str, Any]':
        """Return the claims of a token that comes for the first time; TokenError for any other."""
        claims = fleet.decode(token, self._keys, TYP, self.board_id, self.leeway)
        if self.used is None:
            is_new = self._is_new(claims)
        else:
            is_new = await http.asked(request, self.used.add(claims['jti'], tokens.left(claims) + self.leeway))
        if not is_new:
            raise tokens.ExpiredToken('used')
        return claims

    def _is_new(self, claims: 'dict[str, Any]') -> bool:
        end = int(claims['exp'])
        began = (now() or 0) - (max(0, uptime_ms() - self._began) + 999) // 1000  # or the second in which it began
        with self._lock:
            # What was issued before a restart may have been used before it too.
            if self._used.has(claims['jti'], end) or claims.get('iat', 0) < began:
                return False
            self._used.add(claims['jti'], end)
        return True

    async def logout(self, request: 'Any') -> None:
        """End the session here. The one on the central app goes on, and leads back in until it ends too."""
        ext = session_of(request)
        await ext.load(request)
        ext.delete(request)
        request.g._fleet_user = request.g.current_user = None

    # --- what decorators ask ----------------------------------------------------------------------

    async def identify(self, request: 'Any') -> 'Any':
        """Return the user whom the central app has sent, or ``None``."""
        if not hasattr(request.g, '_fleet_user'):
            request.g._fleet_user = self._user(await session_of(request).load(request))
        return request.g._fleet_user

    def _user(self, session: 'dict[str, Any]') -> 'dict[str, Any] | None':
        board_id, identity, name, scope = session.get('_fleet') or ('', '', '', '')
        if board_id != self.board_id:  # boards that share the key of their sessions
            return None
        return {'id': identity, 'name': name, 'scopes': [one for one in scope.split(' ') if one]}

    def challenge(self, request: 'Any') -> str:
        """Return what a 401 says of the way in."""
        return str(session_of(request).transport.challenge(self.login_url))

    def is_tried(self, request: 'Any') -> bool:
        """Tell whether the request carries a session."""
        return bool(session_of(request).transport.is_there(request))

    async def refuse(self, request: 'Any', args: 'tuple[Any, ...]') -> 'Any':
        """Send a person to the central app, from which he comes back; answer a program with a 401."""
        if not http.wants_page(request):
            return await super().refuse(request, args)
        url = http.url_as_sent(request) if request.method.upper() in ('GET', 'HEAD') else '/'
        return redirect(with_query(self.login_url, 'next=' + quote(url)))


def origin_of(url: str) -> str:
    """Return the origin of an address as browsers write it (RFC 6454 section 6.2); ValueError where there is none."""
    scheme, _, rest = url.partition('://')
    origin = sameorigin.normal(scheme + '://' + rest.split('/')[0].split('?')[0])
    if not origin.startswith(('http://', 'https://')):
        raise ValueError('the address of the central app is a whole one, such as https://central.lan/boards/pump-7')
    return origin
