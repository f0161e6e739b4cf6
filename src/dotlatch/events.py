"""What happened: a short list of the last events in memory, and functions that are told of each one.

Needs portable.py::

    events = Events()

    @events.on
    async def tell(event):                # {'event': 'login_failed', 'time': 1795305600, 'uptime': 86, 'source': ...}
        await send(event)

    Login(events=events)                  # whatever has something to tell takes it as an argument
    events.emit('user_removed', user='7', name='anna')
    events.recent()                       # the newest first
"""
import asyncio

from .portable import call, now, run, uptime_ms, warn_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    Listener = TypeVar('Listener', bound=Callable[..., Any])

# What may be said of an event. Others are left out, so that no password or token gets into the list by mistake.
FIELDS = ('user', 'name', 'source', 'method', 'reason', 'seconds', 'count', 'path', 'actor')
MAX_TEXT = 64      # bytes of UTF-8
MAX_TASKS = 8      # calls of listeners that have not come to their end
PATIENCE = 10      # seconds that one of them has
_GONE_MS = 60000   # after this long it is in an event loop that does not run any more


class Events:
    """The last events, and who is told of them. Nothing is written to flash.

    When the list is full, the oldest of the event that fills most of it makes room: thousands of failed logins push out
    one another, and not the one that succeeded.

    :param size: how many events are kept; about 180 bytes each on a board, and never above 1 KB.
    :param fields: what may be said of an event; add names of your own to :data:`FIELDS`.
    :raises ValueError: when ``size`` is below 1.
    """
    def __init__(self, size: int = 64, fields: 'tuple[str, ...]' = FIELDS) -> None:
        if size < 1:
            raise ValueError('a list of events needs room for one')
        self.size = size
        self.fields = fields
        self._entries: 'list[tuple[Any, ...]]' = []  # event, time, uptime, and then each field's name and value
        self._listeners: 'list[Callable[..., Any]]' = []
        self._tasks: 'list[tuple[Any, int]]' = []    # and when each was started
        self._at_once = 0                            # calls where there is no event loop: who is told may emit

    def on(self, f: 'Listener') -> 'Listener':
        """Have ``f(event)`` called with each event, as a dictionary of its own. It may be plain or async.

        It is called soon after the event, not before whatever happened goes on: neither what it raises nor how long it
        takes changes the answer to a request. It is given up after 10 seconds. While 8 calls have not come to their
        end, further events are only kept in the list.
        """
        self._listeners.append(f)
        return f

    def emit(self, event: str, **fields: 'Any') -> None:
        """Keep an event, and tell of it. It raises nothing.

        :param event: its name, such as ``'login'``.
        :param fields: what there is to say of it, by the names in :data:`FIELDS`: a str, of which 64 bytes are kept,
            with control characters escaped; an int, a bool or ``None``. Of anything else its type is kept.
        """
        entry: 'list[Any]' = [_text(event), now(), uptime_ms() // 1000]
        for name in self.fields:
            if name in fields:
                entry.append(name)
                entry.append(_value(fields[name]))
        if len(entry) < 3 + 2 * len(fields):
            warn_once('an event has fields that Events() does not take: they are left out')
        self._make_room()
        self._entries.append(tuple(entry))
        for f in self._listeners:
            self._start(f, _as_dict(entry))

    def recent(self, limit: 'int | None' = None) -> 'list[dict[str, Any]]':
        """Return the last events, the newest first, as dictionaries.

        ``event`` is the name; ``time`` Unix seconds, ``None`` while the clock was not set; ``uptime`` seconds since the
        start. The fields follow under their own names.

        :param limit: how many at most.
        """
        entries = self._entries[:]
        entries.reverse()
        return [_as_dict(entry) for entry in entries[:limit]]

    def _make_room(self) -> None:
        while len(self._entries) >= self.size:  # other threads have events too: there may be one too many
            entries = self._entries[:]
            if len(entries) < self.size:
                return
            counts: 'dict[str, int]' = {}
            for entry in entries:
                counts[entry[0]] = counts.get(entry[0], 0) + 1
            most = max(counts.values())
            first = 0
            while counts[entries[first][0]] < most:
                first += 1
            del self._entries[first:first + 1]  # a slice: it may be gone

    # --- who is told --------------------------------------------------------------------------------

    def _start(self, f: 'Callable[..., Any]', event: 'dict[str, Any]') -> None:
        time = uptime_ms()
        self._tasks = [task for task in self._tasks if not task[0].done() and time - task[1] < _GONE_MS]
        if len(self._tasks) + self._at_once >= MAX_TASKS:
            warn_once('events come faster than they can be told')
            return
        told = _told(f, event)
        try:
            self._tasks.append((asyncio.create_task(told), time))
        except RuntimeError:  # no event loop: at the start of a program on CPython, or in a thread
            self._at_once += 1
            try:
                run(told)
            finally:
                self._at_once -= 1


async def _told(f: 'Callable[..., Any]', event: 'dict[str, Any]') -> None:
    try:
        await asyncio.wait_for(call(f, event), PATIENCE)
    except Exception as error:
        warn_once('%s, which was told of an event, failed: %s' % (getattr(f, '__name__', 'something'),
                                                                 type(error).__name__))


def _as_dict(entry: 'Any') -> 'dict[str, Any]':
    event = {'event': entry[0], 'time': entry[1], 'uptime': entry[2]}
    for i in range(3, len(entry), 2):
        event[entry[i]] = entry[i + 1]
    return event


def _value(value: 'Any') -> 'Any':
    if value is None or type(value) is bool or (type(value) is int and -1 << 62 < value < 1 << 62):
        return value
    return _text(value)


def _text(value: 'Any') -> str:
    """Return what is kept of a text: one line of at most 64 bytes, that shows in the order it is written in."""
    if type(value) is not str:
        value = '<%s>' % type(value).__name__
    if 0 < len(value) <= MAX_TEXT and min(value) >= ' ' and max(value) <= '~' and '\\' not in value:
        return str(value)  # as most are; the loop takes a board a few milliseconds
    text = ''
    for c in value[:MAX_TEXT]:
        if c < ' ' or '\x7f' <= c <= '\x9f' or '\u2028' <= c <= '\u202e' or '\u2066' <= c <= '\u2069' or c == '\\':
            c = '\\u%04x' % ord(c)
        elif 0xD800 <= ord(c) <= 0xDFFF:  # as numbers: a file with half a character in it cannot be frozen
            c = '?'
        text += c
    if len(value) <= MAX_TEXT and len(text.encode()) <= MAX_TEXT:
        return text
    text = text[:MAX_TEXT - 3]
    while len(text.encode()) > MAX_TEXT - 3:
        text = text[:-1]
    return text + '...'
