"""Open WebSockets and event streams end when the login, the key or the user they were opened by does.

Needs what protect.py needs::

    live = Live()

    @app.get('/ws')
    @login
    @with_websocket
    @live
    async def talk(request, ws):
        while True:
            await ws.send(await ws.receive())

Nobody has to tell: once a second each user is looked up again, as for a new request, so that a log-out counts that
another process has seen. While nothing is open, nothing runs.
"""
import asyncio

from microdot import Request
from microdot.microdot import HTTPException

from .identity import as_user, get, has_second_factor, is_active, stamp
from .portable import MICROPYTHON, Key, call, compare_digest, random_bytes, uptime_ms, warn_once, wraps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

LIMIT = 8 if MICROPYTHON else 1000

# Close codes of WebSockets: 4000 to 4999 are each application's own (RFC 6455 section 7.4.2).
ENDED = 4401   # the login has ended: a new handshake will be a 401
TRY_LATER = 1013
LONGEST_MS = 10000  # that an answer may take; later it is none
_CLOSE = 8     # the opcode
_PATIENCE = 2  # seconds that a client has to take the last frame


class Live:
    """A decorator for handlers below ``@with_websocket`` or ``@with_sse``: it ends them with their user's login.

    A WebSocket is closed with the code 4401, and the handler gets an ``asyncio.CancelledError`` wherever it waits. An
    event stream just ends. What is asked is :meth:`~dotlatch.protect.Protector.recheck` of whatever had found the user.
    What cannot be asked, or says nothing for 10 seconds, is a no: then the code is 1013, and the client may come back.

    :param user_loader: a callback that takes a user's id and returns the user, or ``None``: asked besides, for Basic,
        Digest and whatever else does not look its users up. Who is gone, not active or has a new password is out; for
        Basic and Digest, so is who has a second factor by now.
    :param limit: how many may be open at once: 8 on a board, 1000 on CPython. One more is closed with 1013.
    :param seconds: between two looks.
    """
    def __init__(self, user_loader: 'Callable[..., Any] | None' = None, limit: int = LIMIT, seconds: int = 1) -> None:
        self.user_loader = user_loader
        self.limit = limit
        self.seconds = seconds
        self._key = Key(random_bytes(32))
        # Of each event loop, of which a WSGI server has one a thread: its open sockets, and the task that looks.
        self._watches: 'dict[Any, tuple[list[_Open], Any]]' = {}

    def count(self) -> int:
        """Return how many are open."""
        return sum([len(watch[0]) for watch in list(self._watches.values())])

    def __call__(self, f: 'Callable[..., Any]') -> 'Any':
        @wraps(f)
        async def wrapper(request: 'Any', socket: 'Any', *args: 'Any', **kwargs: 'Any') -> 'Any':
            if _is_nobody(request.g):  # whose login could end
                return await call(f, request, socket, *args, **kwargs)
            opened = _Open(request)
            if self.count() < self.limit:
                self._add(opened)
                try:
                    if await self._is_current(opened):
                        return await call(f, request, socket, *args, **kwargs)
                except asyncio.CancelledError:
                    if not opened.code:  # the server ends, or the client has gone
                        raise
                    if hasattr(opened.task, 'uncancel'):
                        opened.task.uncancel()
                finally:
                    self._remove(opened)
            else:
                warn_once('more WebSockets and event streams than Live(limit=...) takes')
                opened.code = TRY_LATER
            await _close(request, socket, opened.code)
        return wrapper

    # --- the look, once a second ------------------------------------------------------------------

    def _add(self, opened: '_Open') -> None:
        opened.loop = asyncio.get_event_loop()
        opened.task = asyncio.current_task()
        watch = self._watches.get(opened.loop)
        if watch is None:
            sockets: 'list[_Open]' = []
            self._watches[opened.loop] = watch = (sockets, asyncio.create_task(self._look(sockets)))
        watch[0].append(opened)

    def _remove(self, opened: '_Open') -> None:
        sockets, task = self._watches[opened.loop]
        sockets.remove(opened)
        if opened.asking is not None:
            opened.asking.cancel()
        if not sockets:
            del self._watches[opened.loop]
            task.cancel()

    async def _look(self, sockets: 'list[_Open]') -> None:
        while True:
            await asyncio.sleep(self.seconds)
            for opened in sockets[:]:
                if opened.code:  # its handler has taken the first time for something else
                    opened.task.cancel()
                elif opened.asking is None:  # in a task of its own: who takes long for one user delays no other
                    opened.asked = uptime_ms()
                    opened.asking = asyncio.create_task(self._ask(opened, sockets))
                elif uptime_ms() - opened.asked > LONGEST_MS:
                    opened.code = TRY_LATER
                    opened.task.cancel()

    async def _ask(self, opened: '_Open', sockets: 'list[_Open]') -> None:
        is_current = await self._is_current(opened)
        opened.asking = None
        if not is_current and opened in sockets:
            opened.task.cancel()

    async def _is_current(self, opened: '_Open') -> bool:
        """Tell whether a request like the one that opened it would be let in, for the same user; else set the code."""
        code = ENDED
        try:
            user = await opened.by.recheck(_Again(opened.request), opened.user)
            if user is not None and self.user_loader is not None:
                user = as_user(await call(self.user_loader, _id(user)))
            if user is not None and is_active(user) and (
                    getattr(opened.by, 'allow_one_factor', True) or not has_second_factor(user)):
                mark = (repr(_id(user)) + stamp(user, self._key)).encode()
                opened.mark = opened.mark or mark
                if compare_digest(mark, opened.mark):
                    return True
        except HTTPException as error:
            if error.status_code >= 500 or error.status_code == 429:
                code = TRY_LATER
        except Exception as error:
            warn_once('an open socket could not be checked: ' + type(error).__name__)
            code = TRY_LATER
        opened.code = code
        return False


def _is_nobody(g: 'Any') -> bool:
    if getattr(g, 'current_user', None) is None:
        return True
    # Login(anonymous=...) has an object for it.
    return not hasattr(g, '_authenticator') and getattr(g, 'login_state', None) == 'anonymous'


class _Open:
    """One socket."""
    loop: 'Any' = None
    task: 'Any' = None
    asking: 'Any' = None  # the task that asks for its user,
    asked = 0             # and since when, in milliseconds of uptime
    mark = b''  # who it is for, and that user's password
    code = 0    # why it is closed

    def __init__(self, request: 'Any') -> None:
        self.request = request
        self.user = request.g.current_user
        self.by: 'Any' = getattr(request.g, '_authenticator', None)
        if self.by is None:
            raise RuntimeError('put an authenticator such as @login above: it tells whether its user is still there')


class _Again:
    """The request that has opened a socket, to be asked once more who sent it, with a ``g`` of its own."""
    def __init__(self, request: 'Any') -> None:
        self.opened = request
        self.g = Request.G()
        self.after_request_handlers: 'list[Any]' = []

    def __getattr__(self, name: str) -> 'Any':
        return getattr(self.opened, name)


def _id(user: 'Any') -> 'Any':
    return user if isinstance(user, (str, int)) else get(user, 'id')


async def _close(request: 'Any', socket: 'Any', code: int) -> None:
    if not hasattr(socket, 'close'):  # an event stream ends with its handler
        return
    socket.closed = True
    if hasattr(request, 'asgi_scope'):
        sent = request.sock[1]({'type': 'websocket.close', 'code': code})
    else:
        sent = socket.send(bytes([code >> 8, code & 255]), _CLOSE)
    try:
        await asyncio.wait_for(sent, _PATIENCE)
    except Exception:  # gone, or it reads nothing: the server hangs up
        pass
