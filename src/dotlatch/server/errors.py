"""What the session stores of this folder share: their one error, what they refuse, and how long they wait.

Needs portable.py and strictjson.py. A store whose server is down, frozen, full or set up wrongly raises
:class:`StoreUnavailable` and nothing else, after a time that is known; the next call tries again::

    from dotlatch.server.errors import StoreUnavailable

    try:
        record = await store.load(session_id)
    except StoreUnavailable:
        return 'Please try again in a moment', 503
"""
import asyncio
import hashlib
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Generic, NamedTuple, TypeVar

from .. import strictjson
from ..portable import now

MAX_RECORD = 64 * 1024  # bytes of JSON
MAX_LISTED = 1000       # sessions of one user
TIMEOUT = 2.0           # seconds

_LATEST = 10 ** 11      # the year 5138: what is later was meant as milliseconds
LONGEST_KEY = 100       # characters that a user's key has

Result = TypeVar('Result')
Client = TypeVar('Client')


class StoreUnavailable(OSError):
    """The store cannot be asked now. Nothing is known of the session: the answer is 503, or an anonymous visitor.

    What happened is its ``__cause__``; its message names no address, key or password.
    """


# --- records ------------------------------------------------------------------------------------------

class Packed(NamedTuple):
    """A record as a store writes it."""
    user_key: 'str | None'
    ends: int    # Unix seconds
    seen: int    # Unix seconds, 0 when it does not say
    text: bytes  # JSON


def key_of(user: object) -> 'str | None':
    """Return the text under which a user's sessions are found; ``None`` for what can have none.

    It is JSON, in which a string has its quotes, so 1 and '1' are two users and no control character is left; for a
    long name it is a hash, for which databases have room.
    """
    if type(user) is not str and type(user) is not int:
        return None
    try:
        text = strictjson.dumps(user)
    except TypeError:  # a lone surrogate
        return None
    key = text.decode()
    return key if len(key) <= LONGEST_KEY else 'sha256:' + hashlib.sha256(text).hexdigest()


def pack(record: 'dict[str, Any]', limit: int) -> Packed:
    """Return the record as it will be written.

    :param limit: the most bytes its JSON may have.
    :raises TypeError: for data that JSON cannot carry, or a ``user`` that is neither str nor int.
    :raises ValueError: for a record without ``exp``, with a time that is not one, or above the limit.
    """
    ends = _time(record.get('exp'), 'exp')
    seen = _time(record.get('seen', 0), 'seen')
    user = record.get('user')
    user_key = key_of(user)
    if user_key is None and user is not None:
        raise TypeError("a session's user is a str or an int")
    text = strictjson.dumps(record)
    if len(text) > limit:
        raise ValueError(f'the session would be {len(text)} bytes, {limit} fit: keep less in it')
    return Packed(user_key, ends, seen, text)


def _time(value: Any, name: str) -> int:
    if type(value) is not int or not 0 <= value < _LATEST:
        raise ValueError(f'{name} of a session is a time in Unix seconds, an int')
    return value


def unpack(text: 'bytes | str | None', time: int) -> 'dict[str, Any] | None':
    """Return the record, or ``None`` when it cannot be read or has ended at ``time``."""
    try:
        record = strictjson.loads(text.encode() if isinstance(text, str) else text or b'')
        if type(record) is dict and _time(record.get('exp'), 'exp') > time:
            return record
    except (ValueError, TypeError, AttributeError):
        pass
    return None


def read_clock() -> int:
    """Return Unix seconds; StoreUnavailable while the clock is not set, since no end can be judged by it."""
    time = now()
    if time is None:
        raise StoreUnavailable('the clock of this machine is not set')
    return time


# --- waiting ------------------------------------------------------------------------------------------

_ending: 'set[asyncio.Future[Any]]' = set()


async def within(seconds: float, work: 'Coroutine[Any, Any, Result]', cancel: bool = True) -> Result:
    """Return what ``work`` returns, or raise StoreUnavailable after so many seconds, whatever it is doing then.

    Work that is given up is cancelled and cleans up behind the caller's back: ``asyncio.wait_for`` would wait for
    that too, and giving a connection back to a pool can mean asking the very server that does not answer.

    :param cancel: ``False`` for work that would leave something undone, and ends by itself before long.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait((task,), timeout=seconds)
    finally:
        if not task.done():
            if cancel:
                task.cancel()
            _ending.add(task)  # the loop keeps no more than a weak reference
            task.add_done_callback(_ended)
    if not task.done():
        raise StoreUnavailable(f'no answer within {seconds:g} seconds')
    return task.result()


def _ended(task: 'asyncio.Future[Any]') -> None:
    _ending.discard(task)
    if not task.cancelled():
        task.exception()  # nobody else will ask for it


async def settle(seconds: float) -> None:
    """Wait for work of this event loop that was given up, but no longer than that: connections close after it."""
    loop = asyncio.get_running_loop()
    ending = [task for task in list(_ending) if task.get_loop() is loop]
    if ending:
        await asyncio.wait(ending, timeout=seconds)


# --- event loops --------------------------------------------------------------------------------------

class PerLoop(Generic[Client]):
    """One client for each running event loop: its connections belong to the loop that they were opened in.

    WSGI has a loop for each of its threads, and ``asyncio.run`` a new one every time.

    :param make: returns a new client, or ...
    :param client: ... one that its owner made, which serves the first loop that asks and no other.
    """
    def __init__(self, make: 'Callable[[], Client] | None' = None, client: 'Client | None' = None) -> None:
        self._make = make
        self._given = client
        self._clients: 'dict[asyncio.AbstractEventLoop, Client]' = {}
        self._lock = threading.Lock()

    def get(self) -> Client:
        """Return the client of the running loop; RuntimeError for a second loop where there is one client."""
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        return self._add(loop) if client is None else client

    def _add(self, loop: asyncio.AbstractEventLoop) -> Client:
        with self._lock:
            if self._make is not None:
                client = self._make()
            elif self._given is not None and not self._clients:
                client = self._given
            else:
                raise RuntimeError('this client belongs to another event loop: give the store a URL, '
                                   'or a function that makes a client for each loop')
            for closed in [other for other in self._clients if other.is_closed()]:
                del self._clients[closed]
            self._clients[loop] = client
            return client

    def pop(self) -> 'Client | None':
        """Forget the running loop's client and return it when it is ours to close."""
        with self._lock:
            client = self._clients.pop(asyncio.get_running_loop(), None)
        return None if self._make is None else client
