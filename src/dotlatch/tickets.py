"""Tickets: how a browser that has a token, and not a session, opens a WebSocket or an event stream.

Scripts in pages cannot send an Authorization header with either. They fetch a ticket with their token, and open the
socket with it: one ticket opens one socket, within half a minute.

Needs what protect.py needs, strictjson.py and tokens.py::

    ticket = TicketAuth(secret_key)

    @ticket.user_loader
    async def load_user(user_id):
        return users.get_by_id(user_id)

    @app.post('/ticket')
    @token                                       # as all that the page asks for
    async def new_ticket(request):
        return {'ticket': await ticket.issue(request, '/ws')}

    @app.get('/ws')                              # new WebSocket('/ws?ticket=' + ticket)
    @ticket
    @with_websocket
    async def talk(request, ws):
        await ws.send('Hello, ' + request.g.current_user.name)
"""
from . import http, tokens
from .identity import as_user, is_active, stamp, stamp_key, user_id
from .portable import MICROPYTHON, call, now, random_id, uptime_ms
from .protect import Protector

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

TYP = 'dl-ticket+jwt'
MAX_USED = 64 if MICROPYTHON else 10000


class UsedTickets:
    """The ids of the tickets that were used, each until it would have ended anyway, in this process.

    Another table has the same :meth:`add`.

    :param limit: how many ids are kept; about 100 bytes each on a board.
    """
    def __init__(self, limit: int = MAX_USED) -> None:
        self.limit = limit
        self._ends: 'dict[str, list[int]]' = {}

    async def add(self, ticket_id: str, ttl: int) -> bool:
        """Keep an id for ``ttl`` seconds at least; ``False`` when it is there already, or there is no room."""
        ends = self._ends
        time = uptime_ms()
        if len(ends) >= self.limit:
            for known in list(ends):  # other threads have tickets too
                if ends.get(known, [time])[0] <= time:
                    ends.pop(known, None)
            if len(ends) >= self.limit:
                return False
        mine = [time + 1000 * (ttl + 1)]
        return ends.setdefault(ticket_id, mine) is mine  # in one step


class TicketAuth(Protector):
    """Authentication by a ticket in the address, for WebSockets and event streams: ``?ticket=...``.

    A ticket is for one user, one use and, unless told otherwise, this process. It carries what its user's key or token
    was given for.

    :param secret_key: signs; str or bytes, or a list of keys, newest first. It may be that of the sessions.
    :param ttl: seconds that a ticket waits for its use.
    :param used: where the ids of used tickets are kept for several processes: an object with ``async add(id, ttl)``,
        which returns whether the id is new. A ticket is then good in all of them.
    :param keys: where API keys are kept, see :mod:`dotlatch.apikeys`: what was opened by a key's ticket ends with the
        key.
    :param anywhere: take tickets in requests of every kind, such as a download's.
    """
    scheme = 'Ticket'

    def __init__(self, secret_key: 'Any', ttl: int = 30, used: 'Any' = None, keys: 'Any' = None,
                 anywhere: bool = False) -> None:
        self.ttl = ttl
        self.used = used or UsedTickets()
        self.keys = keys
        self.anywhere = anywhere
        self.user_loader_callback: 'Callable[..., Any] | None' = None
        self._is_shared = used is not None
        self._keys = tokens.make_keys(secret_key)
        # Another one in this process has another table, and may have other users.
        self._audience = None if self._is_shared else random_id()

    def user_loader(self, f: 'Callable[..., Any]') -> 'Callable[..., Any]':
        """Decorator for the callback that takes a user's id and returns the user, or ``None`` when there is none."""
        self.user_loader_callback = f
        return f

    async def issue(self, request: 'Any', path: 'str | None' = None) -> str:
        """Return a ticket for the user of this request.

        :param path: the only path that it opens, such as ``'/ws'``; ``None`` for all that take tickets.
        :raises RuntimeError: when there is no user, or one who came by a ticket, or by an API key without ``keys``.
        """
        g = request.g
        user = getattr(g, 'current_user', None)
        if user is None or isinstance(getattr(g, '_authenticator', None), TicketAuth):
            raise RuntimeError('a ticket is for a user who has proven a name in another way')
        claims: 'dict[str, Any]' = {'jti': random_id(), 'sub': user_id(user)}
        if path is not None:
            claims['path'] = path
        if getattr(g, '_granted', None) is not None:
            claims['granted'] = list(g._granted)
        if hasattr(g, '_ends'):
            claims['until'] = g._ends
        if hasattr(g, 'api_key'):
            if self.keys is None:
                raise RuntimeError('a ticket for an API key has to end with it: TicketAuth(keys=...)')
            claims['key'] = g.api_key.id
        loaded = await self._load(claims)
        if loaded is not None:
            claims['stamp'] = stamp(loaded, self._keys[0])
        http.on_response(request, _keep_private)
        if self._is_shared:
            return tokens.encode(claims, self._keys, TYP, self.ttl)
        # Other processes do not know what was used here, so it is bound to this one, and to a clock that never jumps.
        claims[tokens.BOOT_CLAIM] = [tokens.BOOT_ID, uptime_ms() // 1000 + self.ttl]
        claims['aud'] = self._audience
        return tokens.encode(claims, self._keys, TYP)

    # --- what decorators ask ----------------------------------------------------------------------

    async def identify(self, request: 'Any') -> 'Any':
        """Return the user whose unused ticket the request carries, or ``None``."""
        ticket = request.args.get('ticket')
        if ticket is None or not (self.anywhere or _is_live(request)):
            return None
        g = request.g
        if not hasattr(g, '_ticket'):  # one use is one request, however many ask in it
            g._ticket = None
            user, claims = await self._redeem(request, ticket)
            g._ticket = (user, claims, self)
        elif g._ticket is None or g._ticket[2] is not self:
            return None
        user, claims, _ = g._ticket
        if user is not None and 'granted' in claims:
            g._granted = claims['granted']
        return user

    def challenge(self, request: 'Any') -> str:
        """Return what a 401 says of tickets."""
        return 'Ticket'

    def is_tried(self, request: 'Any') -> bool:
        """Tell whether the request carries a ticket, good or bad."""
        return request.args.get('ticket') is not None

    async def recheck(self, request: 'Any', user: 'Any') -> 'Any':
        """Return the user whose ticket has opened this WebSocket, or ``None`` when it would not any more."""
        return await self._user_of(request.opened.g._ticket[1])

    # --- the ticket -------------------------------------------------------------------------------

    async def _redeem(self, request: 'Any', ticket: str) -> 'tuple[Any, Any]':
        try:
            claims = tokens.decode(ticket, self._keys, TYP, self._audience)
        except tokens.TokenError:
            return None, None
        if claims.get('path', request.path) != request.path:
            return None, None
        try:
            user = await self._user_of(claims)
            if user is None or not await self.used.add(claims['jti'], self.ttl):
                return None, None
        except OSError as error:
            http.unavailable(request, error)
        return user, claims

    async def _user_of(self, claims: 'dict[str, Any]') -> 'Any':
        """Return the user, as long as neither user nor password nor key has gone since the ticket was issued."""
        if 'until' in claims and claims['until'] <= (now() or claims['until']):
            return None
        if 'key' in claims:
            key = await call(self.keys.find, claims['key']) if self.keys else None
            if key is None or key.is_expired():
                return None
        user = await self._load(claims)
        if user is None or not is_active(user):
            return None
        return user if stamp_key(user, self._keys, claims.get('stamp')) is not None else None

    async def _load(self, claims: 'dict[str, Any]') -> 'Any':
        if self.user_loader_callback is None:
            raise RuntimeError('no user_loader: decorate the function that finds a user with @ticket.user_loader')
        return as_user(await call(self.user_loader_callback, claims['sub']))


def _is_live(request: 'Any') -> bool:
    """Tell whether the request is of a kind that cannot carry an Authorization header from a page."""
    return http.is_websocket(request) or 'text/event-stream' in request.headers.get('Accept', '')


def _keep_private(request: 'Any', response: 'Any') -> None:
    http.no_store(response)
