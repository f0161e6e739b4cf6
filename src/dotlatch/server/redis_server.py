"""A Redis or Valkey server as dotlatch asks it: within a time limit, from any event loop, with one error.

Needs portable.py, errors.py and waiting.py of this folder, and ``pip install dotlatch[redis]``. What asks it shares one
of these, and so its connections::

    server = RedisServer('redis://127.0.0.1:6379/0')
    PING = Script("return redis.call('INCR', KEYS[1])")

    await server.command('GET', 'some key')       # bytes or None; StoreUnavailable after two seconds at most
    await server.script(PING, 'some key')         # one round trip, whole or not at all
    await server.close()                          # at the end of the loop
"""
import asyncio
import hashlib
from collections.abc import Callable
from typing import Any, Union

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, ReadOnlyError, RedisError

from ..portable import warn_once
from .errors import StoreUnavailable
from .waiting import TIMEOUT, PerLoop, settle, within

Argument = Union[str, bytes, int]

MAX_CONNECTIONS = 32

_NO_URL = ('a Redis has an address such as redis://:password@127.0.0.1:6379/0, or rediss:// or unix://; '
           'in a password, write /, ?, #, @, [ and ] as %2F, %3F, %23, %40, %5B and %5D')


class Script:
    """A Lua script, and the name under which a server that has it knows it."""
    def __init__(self, text: str) -> None:
        self.text = text
        self.sha = hashlib.sha1(text.encode()).hexdigest()


class RedisServer:
    """A server, and the connections to it.

    :param server: a URL (``redis://``, ``rediss://`` for TLS, ``unix://``); or a function that returns a new
        ``redis.asyncio.Redis``, called once for each event loop; or a client, for programs that have one loop.
    :param timeout: seconds that a command may take in all, with the wait for a connection.
    :param max_connections: connections of one event loop; more commands wait for one of them.
    :raises ValueError: for a URL that is none, or a number that is out of bounds.
    """
    def __init__(self, server: 'str | Redis | Callable[[], Redis]', timeout: float = TIMEOUT,
                 max_connections: int = MAX_CONNECTIONS) -> None:
        if not timeout > 0 or max_connections < 1:
            raise ValueError('timeout is seconds, above 0, and there is at least one connection')
        self.timeout = timeout
        self._max_connections = max_connections
        self._clients: 'PerLoop[Redis]'
        if isinstance(server, str):
            url = server
            try:
                parse_url(url)
            except ValueError:  # a program's error, said at its start; not by quoting half a password as the port
                raise ValueError(_NO_URL) from None
            self._clients = PerLoop(lambda: self._connect(url))
        elif isinstance(server, Redis):
            self._clients = PerLoop(client=server)
        else:
            self._clients = PerLoop(server)
        self._turns = PerLoop(self._make_turns)

    def _connect(self, url: str) -> Redis:
        # No retries, which would take their time several times over: the pool sees for itself that a connection was
        # closed, and opens another. RESP2, since replies are plain and it saves a round trip.
        return Redis.from_pool(ConnectionPool.from_url(
            url, max_connections=self._max_connections, socket_timeout=self.timeout,
            socket_connect_timeout=self.timeout, retry=Retry(NoBackoff(), 0), protocol=2))

    def _make_turns(self) -> asyncio.Semaphore:
        # In place of redis-py's BlockingConnectionPool: there a turn is lost with whoever is cancelled when it is his.
        pool: Any = self._clients.get().connection_pool
        return asyncio.Semaphore(min(self._max_connections, pool.max_connections))

    async def command(self, *command: Argument) -> Any:
        """Return the server's answer, strings as bytes; ``None`` also for a key that holds something else.

        :raises StoreUnavailable: when there is no answer, or it is an error.
        """
        try:
            return await within(self.timeout, self._ask(self._clients.get(), command))
        except StoreUnavailable as error:
            if str(error.__cause__).startswith('WRONGTYPE'):
                return None
            raise

    async def script(self, script: Script, key: str, *arguments: Argument) -> Any:
        """Return what a script returns, which the server learns the first time."""
        return await within(self.timeout, self._run(script, key, arguments))

    async def _run(self, script: Script, key: str, arguments: 'tuple[Argument, ...]') -> Any:
        client = self._clients.get()
        try:
            return await self._ask(client, ('EVALSHA', script.sha, 1, key, *arguments))
        except NoScriptError:  # a server that started anew
            return await self._ask(client, ('EVAL', script.text, 1, key, *arguments))

    async def _ask(self, client: Any, command: 'tuple[Argument, ...]') -> Any:
        try:
            async with self._turns.get():
                return await client.execute_command(*command, NEVER_DECODE=True)
        except NoScriptError:
            raise
        except ReadOnlyError as error:  # a replica by now: no old connection leads to whoever has taken over
            await client.connection_pool.disconnect(inuse_connections=False)
            raise StoreUnavailable('Redis cannot be asked: it is a replica') from error
        except (RedisError, OSError, asyncio.TimeoutError) as error:
            problem = 'Redis cannot be asked: ' + type(error).__name__
            warn_once(problem)  # a wrong password is a 503 too, and who looks for it finds no more than this
            raise StoreUnavailable(problem) from error

    async def close(self) -> None:
        """Close the connections of this event loop, but not those of a client that was given."""
        await settle(self.timeout)
        client = self._clients.pop()
        if client is not None:
            await client.aclose()


Address = Union[str, Redis, Callable[[], Redis], RedisServer]


def server_at(address: Address, timeout: float = TIMEOUT, max_connections: int = MAX_CONNECTIONS) -> RedisServer:
    """Return the server, which may be one already: then with its own limits."""
    return address if isinstance(address, RedisServer) else RedisServer(address, timeout, max_connections)
