"""An end to requests that never come: a head sent letter by letter, half a body, a connection that says nothing.

Needs portable.py. Microdot's own server waits for each of them for ever, and each takes memory meanwhile::

    app = Microdot()
    Patience(app)             # a request has ten seconds to be there, and eight may be on their way at a time

    @app.get('/')
    async def index(request):
        return 'Hello'

uvicorn and gunicorn read requests themselves, and have limits of their own.
"""
import asyncio

from .portable import uptime_ms

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Patience:
    """Close connections whose request takes too long to come, or whose answer takes too long to be taken.

    While a handler works nothing is counted; nor while an answer is sent that comes in pieces: a file, a page of
    :class:`dotlatch.loginpages.LoginPages`, events, a WebSocket.

    :param seconds: what a request may take, head and body (Microdot keeps bodies of up to 16 KB; a handler reads longer
        ones itself); and what the answer may take after it.
    :param most: how many may be on their way at a time. Where there are more, the oldest is closed for the newest: who
        holds many connections holds none of them for long.
    :raises ValueError: when one of them is not above 0.
    """
    def __init__(self, app: 'Any', seconds: int = 10, most: int = 8) -> None:
        if seconds < 1 or most < 1:
            raise ValueError('seconds and most must be above 0')
        self.seconds = seconds
        self.most = most
        self._waiting: 'list[list[Any]]' = []  # [task, when its time is over], the oldest first
        self._watcher: 'Any' = None
        self._due = 0  # by when it has looked again, unless it is gone: with its event loop, for one
        self._handle = app.handle_request
        self._dispatch = app.dispatch_request
        app.handle_request = self.handle
        app.dispatch_request = self.dispatch

    async def handle(self, reader: 'Any', writer: 'Any') -> None:
        """Serve one connection, as ``Microdot.handle_request`` does."""
        entry: 'list[Any]' = [asyncio.current_task(), 0]
        self._wait_for(entry)
        try:
            await self._handle(reader, writer)
        except BaseException:  # no memory for the answer, too: Microdot would leave the connection open
            transport = getattr(writer, 'transport', None)
            if transport is not None:  # on a computer, close() would wait for what nobody takes
                transport.abort()
            await writer.aclose()
            if entry[1] is not None:
                raise  # it was not us
        finally:
            self._done(entry)

    async def dispatch(self, request: 'Any') -> 'Any':
        """Answer a request that has come."""
        task = asyncio.current_task()
        ours = [entry for entry in self._waiting if entry[0] is task]  # none: a test's request, say
        for entry in ours:
            self._done(entry)
        response = await self._dispatch(request)
        if ours and isinstance(getattr(response, 'body', None), bytes):
            self._wait_for(ours[0])
        return response

    def check(self) -> None:
        """Close what is overdue. It does so by itself, once a second."""
        now = uptime_ms()
        while self._waiting and self._waiting[0][1] <= now:
            self._close(self._waiting[0])

    def _wait_for(self, entry: 'list[Any]') -> None:
        if len(self._waiting) >= self.most:
            self._close(self._waiting[0])
        now = uptime_ms()
        entry[1] = now + 1000 * self.seconds
        self._waiting.append(entry)
        if now >= self._due:
            self._watcher = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        try:
            while self._waiting:
                self._due = uptime_ms() + 5000
                await asyncio.sleep(1)
                self.check()
        finally:
            self._due = 0

    def _close(self, entry: 'list[Any]') -> None:
        self._done(entry)
        entry[1] = None
        entry[0].cancel()

    def _done(self, entry: 'list[Any]') -> None:
        if entry in self._waiting:
            self._waiting.remove(entry)
