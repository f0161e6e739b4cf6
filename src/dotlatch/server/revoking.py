"""The list of ended tokens that several processes share: what ``Session(app, revoked=...)`` asks, whoever keeps it.

Needs http.py and revoked.py, and errors.py of this folder. redis_revoked.py is one of these::

    revoked = RedisRevoked('redis://127.0.0.1:6379/0')
    Session(app, secret_key=..., revoked=revoked)

Each process has a copy of the list, and asks the server once a request for what is new in it, which most often is
nothing. So a log-out anywhere counts in the next request everywhere, a request may carry as many tokens as it likes at
that price, and whoever looks at a token looks into a dictionary and waits for nobody. To ask for each token would have
every place wait that looks at one, on boards too, and is no quicker.
"""
import asyncio
import math
from typing import Any, NamedTuple

from microdot import Response

from .. import http
from ..revoked import Revoked
from .errors import StoreUnavailable

PAGE = 5000   # entries that one answer has
_TOLD = 500   # and one question: others wait for it
_MOST_ELSEWHERE = 1000
_LATEST = 10 ** 11  # the year 5138
_SAFE = ('GET', 'HEAD')


class News(NamedTuple):
    """What a server answers."""
    at: Any                         # up to where the list was read, to be given the next time
    is_anew: bool                   # the server has lost what it had: it is read from the start
    floor: int                      # tokens that end no later have all been ended
    ended: 'list[tuple[str, int]]'  # ids and ends
    elsewhere: 'list[str]'          # ids that another process had ended before
    is_more: bool


class SharedRevoked:
    """A copy of a list that others write to as well, with the methods of :class:`dotlatch.revoked.Revoked`.

    Tokens that end by this boot's uptime are nobody else's, and stay here.
    """
    def __init__(self) -> None:
        self._ends: 'dict[str, int]' = {}
        self._floor = 0
        self._at: Any = None
        self._waiting: 'dict[str, int]' = {}       # what was ended here, until the server has it
        self._lost: 'dict[str, int]' = {}          # what we know and a server that has lost its list does not
        self._elsewhere: 'dict[str, None]' = {}
        self._own = Revoked(1000)
        self._is_behind = True
        self._reading: 'asyncio.Task[None] | None' = None

    async def exchange(self, at: Any, ended: 'list[tuple[str, int]]') -> News:
        """Give the server what was ended here, and return what is new there.

        :param at: from where: what it said the last time, or ``None``.
        :raises StoreUnavailable: when it cannot be asked.
        """
        raise NotImplementedError  # each server has its own

    # --- what dotlatch.revoked.Revoked has --------------------------------------------------------

    def add(self, token_id: str, end: int, by_uptime: bool = False) -> None:
        """End the token ``token_id``, which would have ended at ``end``: here at once, elsewhere by :meth:`sync`."""
        if by_uptime:
            self._own.add(token_id, end, True)
        else:
            ends = min(math.ceil(end), _LATEST)  # another codec's tokens may end whenever they like
            self._ends[token_id] = self._waiting[token_id] = max(ends, self._ends.get(token_id, 0))

    @property
    def is_empty(self) -> bool:
        """Whether nothing was ended yet."""
        return not self._ends and not self._floor and self._own.is_empty

    def has(self, token_id: str, end: int, by_uptime: bool = False, floor: int = 0) -> bool:
        """Tell whether that token was ended, as of the last :meth:`sync`."""
        if token_id in self._ends or self._own.has(token_id, end, by_uptime, floor):
            return True
        return not by_uptime and end <= self._floor > floor

    def is_lost(self) -> bool:
        """Tell whether the list cannot be read: never, since requests do not come so far then."""
        return False

    def floor(self, end: int, by_uptime: bool = False) -> int:
        """See :meth:`dotlatch.revoked.Revoked.floor`."""
        if by_uptime:
            return self._own.floor(end, True)
        return self._floor if end <= self._floor else 0

    # --- the server -------------------------------------------------------------------------------

    async def sync(self) -> None:
        """Have the server know what was ended here, and know what was ended elsewhere: one round trip, most often.

        :raises StoreUnavailable: when it cannot be asked; what was ended here is given to it the next time.
        """
        reading = self._reading
        if self._is_behind:  # to read a long list takes its time, and for many at once as many times that
            if reading is None or reading.done() or reading.get_loop() is not asyncio.get_running_loop():
                self._reading = reading = asyncio.ensure_future(self._sync())
                reading.add_done_callback(_forget_error)
                return await asyncio.shield(reading)
            await asyncio.shield(reading)
        await self._sync()

    async def _sync(self) -> None:
        waiting = list(self._waiting.items())
        is_more = True
        while is_more:
            told, waiting = waiting[:_TOLD], waiting[_TOLD:]
            if not told and self._lost:  # so much with each question, and nobody waits for all of it
                told = list(self._lost.items())[:_TOLD]
            at = self._at
            news = await self.exchange(at, told)
            if news.is_anew:
                self._lost = {known: end for known, end in list(self._ends.items()) if end > news.floor}
            self._take(news)
            if self._at is at or news.is_anew:  # of two at once, the later answer may be the earlier one's
                self._at = news.at
            for known, end in told:
                self._lost.pop(known, None)
                if self._waiting.get(known) == end:
                    self._waiting.pop(known, None)
            self._is_behind = news.is_more
            is_more = news.is_more or bool(waiting) or (news.is_anew and bool(self._lost))

    def _take(self, news: News) -> None:
        self._ends.update(news.ended)
        if news.elsewhere:
            self._elsewhere.update(dict.fromkeys(news.elsewhere))
            for token_id in list(self._elsewhere)[:-_MOST_ELSEWHERE]:
                self._elsewhere.pop(token_id, None)
        if news.floor > self._floor:
            self._floor = news.floor
            for token_id in [known for known, end in list(self._ends.items()) if end <= news.floor]:
                self._ends.pop(token_id, None)

    # --- what a Session asks ----------------------------------------------------------------------

    async def prepare(self, ext: Any, request: Any) -> None:
        """Come before a request's tokens are looked at; ends in a 503 when the server cannot be asked."""
        if request.method in _SAFE and not request.cookies and not ext.transport.is_there(request):
            return  # nobody, who begins nothing
        try:
            await self.sync()
        except StoreUnavailable as error:
            http.unavailable(request, error)

    async def settle(self) -> None:
        """Tell the server what was ended; what cannot be is left to :meth:`respond`, which says so."""
        if self._waiting:
            try:
                await self.sync()
            except StoreUnavailable:
                pass

    async def respond(self, request: Any, response: Any, session: Any) -> Any:
        """Hand out the session's token once the server knows what was ended, and return the response or a 503.

        A session that was ended elsewhere while its handler ran is not handed out, nor is what has come of it.
        """
        ext = session.ext
        if not self._waiting and not session.token:
            ext.hand_out(request, response, session)  # a cookie to be cleared, if anything
            return response
        try:
            await self.sync()
            if session._origin in self._elsewhere and session._claims is not None:
                ext.end_token(session._claims)
                await self.sync()
        except StoreUnavailable:
            session.token = None
            return Response('Sessions are not available', 503, {'Retry-After': '2'})
        ext.hand_out(request, response, session)
        return response


def _forget_error(task: 'asyncio.Task[None]') -> None:
    if not task.cancelled():
        task.exception()  # whoever waited for it has it
