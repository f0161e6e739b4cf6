"""How long a store waits for its server, and in which event loop.

Needs errors.py of this folder::

    answer = await within(2.0, client.get(key))    # or StoreUnavailable after two seconds, whatever it is doing then
"""
import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from .errors import StoreUnavailable

TIMEOUT = 2.0  # seconds

Result = TypeVar('Result')
Client = TypeVar('Client')


# --- time limits --------------------------------------------------------------------------------------

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
