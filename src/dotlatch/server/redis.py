"""Sessions in Redis 7 or Valkey, for any number of processes and machines.

Needs portable.py, strictjson.py, stores.py, errors.py, records.py and waiting.py of this folder, and
``pip install dotlatch[redis]``::

    from dotlatch.server.redis import RedisStore
    from dotlatch.session import Session

    store = RedisStore('redis://127.0.0.1:6379/0')
    Session(app, secret_key=..., store=store)

    await store.list_user('anna')                    # [(id, record), ...], newest first
    await store.delete_user('anna', keep=this_id)    # log out everywhere else
    await store.close()                              # at the end of the loop

A session is one key, ``dotlatch:session:<id>``, which Redis drops when the session ends. The ids of a user's sessions
are in a sorted set, ``dotlatch:user:<user>``, by when they end; it ends with the last of them. Each call is one script,
so it happens whole or not at all, whoever else is asking; for a user with more than 100 sessions it is several.

What a crash brings back is up to the server: with snapshots alone, also sessions that were ended since the last one.
Turn ``appendonly`` on, and set ``maxmemory-policy noeviction``, so that a full server refuses new sessions and forgets
none of the old. In a cluster all keys must share a slot: ``prefix='{dotlatch}:'``.
"""
import asyncio
import hashlib
from collections.abc import Callable
from typing import Any, Union

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from ..stores import is_session_id
from . import records
from .errors import StoreUnavailable
from .waiting import TIMEOUT, PerLoop, settle, within

Argument = Union[str, bytes, int]

MAX_CONNECTIONS = 32
_PAGE = 100  # sessions that one script looks at: others wait for it

# A value is two lines, the user's key and the record, so that a script knows whose session it is.
_USER_OF = """
local function user_of(value)
    return type(value) == 'string' and string.match(value, '^([^\\n]*)\\n') or false
end
"""

_SAVE = _USER_OF + """
local key, value, ends, mode, id, now, users, user = KEYS[1], unpack(ARGV)
local was = user_of(redis.pcall('GET', key))
if mode == 'XX' and redis.call('EXPIRETIME', key) <= tonumber(now) then
    return 0
end
if not redis.call('SET', key, value, 'EXAT', ends, mode) then
    return 0
end
if was and was ~= '' and was ~= user then
    redis.call('ZREM', users .. was, id)
end
if user ~= '' then
    local index = users .. user
    redis.call('ZREMRANGEBYSCORE', index, '-inf', now)
    redis.call('ZADD', index, ends, id)
    redis.call('EXPIREAT', index, redis.call('ZRANGE', index, -1, -1, 'WITHSCORES')[2])
end
return 1
"""

_DELETE = _USER_OF + """
local users, id = unpack(ARGV)
local user = user_of(redis.pcall('GET', KEYS[1]))
redis.call('DEL', KEYS[1])
if user and user ~= '' then
    redis.call('ZREM', users .. user, id)
end
"""

_DELETE_USER = _USER_OF + """
local sessions, user, keep, page = unpack(ARGV)
local ids, ended = redis.call('ZRANGE', KEYS[1], 0, page - 1), 0
for _, id in ipairs(ids) do
    if id ~= keep then
        local key = sessions .. id
        if user_of(redis.pcall('GET', key)) == user then
            ended = ended + redis.call('DEL', key)
        end
        redis.call('ZREM', KEYS[1], id)
    end
end
return {ended, #ids}
"""

_LIST_USER = _USER_OF + """
local sessions, user, now, first, page = unpack(ARGV)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local ids, found = redis.call('ZREVRANGE', KEYS[1], first, first + page - 1), {}
for _, id in ipairs(ids) do
    local value = redis.pcall('GET', sessions .. id)
    if user_of(value) == user then
        found[#found + 1] = id
        found[#found + 1] = value
    else
        redis.call('ZREM', KEYS[1], id)
    end
end
return {#ids, found}
"""

_SHA = {script: hashlib.sha1(script.encode()).hexdigest() for script in (_SAVE, _DELETE, _DELETE_USER, _LIST_USER)}


class RedisServer:
    """A Redis server as dotlatch asks it: with a time limit, from any event loop, with one error.

    :param server: a URL (``redis://``, ``rediss://`` for TLS, ``unix://``); or a function that returns a new
        ``redis.asyncio.Redis``, called once for each event loop; or a client, for programs that have one loop.
    :param timeout: seconds that a command may take in all, with the wait for a connection.
    :param max_connections: connections of one event loop; more commands wait for one of them.
    """
    def __init__(self, server: 'str | Redis | Callable[[], Redis]', timeout: float = TIMEOUT,
                 max_connections: int = MAX_CONNECTIONS) -> None:
        self.timeout = timeout
        self._max_connections = max_connections
        self._clients: 'PerLoop[Redis]'
        if isinstance(server, str):
            parse_url(server)  # a URL that is none is the program's error, and said at its start
            url = server
            self._clients = PerLoop(lambda: self._connect(url))
        elif isinstance(server, Redis):
            self._clients = PerLoop(client=server)
        else:
            self._clients = PerLoop(server)

    def _connect(self, url: str) -> Redis:
        # No retries, which would take their time several times over: the pool sees for itself that a connection was
        # closed, and opens another. RESP2, since replies are plain and it saves a round trip.
        return Redis.from_pool(BlockingConnectionPool.from_url(
            url, max_connections=self._max_connections, timeout=self.timeout, socket_timeout=self.timeout,
            socket_connect_timeout=self.timeout, retry=Retry(NoBackoff(), 0), protocol=2))

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

    async def script(self, script: str, key: str, *arguments: Argument) -> Any:
        """Return what a Lua script returns, which the server learns the first time."""
        return await within(self.timeout, self._run(script, key, arguments))

    async def _run(self, script: str, key: str, arguments: 'tuple[Argument, ...]') -> Any:
        client = self._clients.get()
        try:
            return await self._ask(client, ('EVALSHA', _SHA[script], 1, key, *arguments))
        except NoScriptError:  # a server that started anew
            return await self._ask(client, ('EVAL', script, 1, key, *arguments))

    async def _ask(self, client: Any, command: 'tuple[Argument, ...]') -> Any:
        try:
            return await client.execute_command(*command, NEVER_DECODE=True)
        except NoScriptError:
            raise
        except (RedisError, OSError, asyncio.TimeoutError) as error:
            raise StoreUnavailable('Redis cannot be asked: ' + type(error).__name__) from error

    async def close(self) -> None:
        """Close the connections of this event loop, but not those of a client that was given."""
        await settle(self.timeout)
        client = self._clients.pop()
        if client is not None:
            await client.aclose()


class RedisStore:
    """Sessions that several processes share, on Redis 7 or later or on Valkey.

    :param server: what :class:`RedisServer` takes, or one of them: a URL, most often.
    :param prefix: what the names of all keys begin with.
    :param timeout: seconds that a command may take; with a :class:`RedisServer`, its own.
    :param max_record: bytes of JSON that a session may have.
    """
    def __init__(self, server: 'str | Redis | Callable[[], Redis] | RedisServer', prefix: str = 'dotlatch:',
                 timeout: float = TIMEOUT, max_record: int = records.MAX_RECORD) -> None:
        self.server = server if isinstance(server, RedisServer) else RedisServer(server, timeout)
        self.max_record = max_record
        self._sessions = prefix + 'session:'
        self._users = prefix + 'user:'

    async def load(self, session_id: str) -> 'dict[str, Any] | None':
        """Return the session's record; ``None`` when there is none, or it has ended or is damaged.

        :raises StoreUnavailable: as all methods do; it is an OSError.
        """
        if not is_session_id(session_id):
            return None
        time = records.read_clock()
        return _record(await self.server.command('GET', self._sessions + session_id), time)

    async def save(self, session_id: str, record: 'dict[str, Any]', new: bool = False) -> bool:
        """Keep a record until its ``exp``, and tell whether that was done.

        :param new: ``True`` for a session that is not there yet; otherwise the record replaces one that is still
            there: a logout wins over a handler that saves late, in whichever process.
        :raises TypeError: for a record that JSON cannot carry, or a ``user`` that is neither str nor int.
        :raises ValueError: for one that is too large, or has no ``exp``.
        """
        if not is_session_id(session_id):
            return False
        packed = records.pack(record, self.max_record)
        user_key = packed.user_key or ''
        value = user_key.encode() + b'\n' + packed.text
        saved: int = await self.server.script(
            _SAVE, self._sessions + session_id, value, packed.ends, 'NX' if new else 'XX', session_id,
            records.read_clock(), self._users, user_key)
        return saved == 1

    async def delete(self, session_id: str) -> None:
        """End a session. It is no error when it is not there."""
        if is_session_id(session_id):
            await self.server.script(_DELETE, self._sessions + session_id, self._users, session_id)

    async def delete_user(self, user: 'str | int', keep: 'str | None' = None) -> int:
        """End all sessions of a user.

        :param keep: the id of one that goes on.
        :returns: how many were ended.
        """
        user_key = records.key_of(user)
        kept = keep if keep and is_session_id(keep) else ''
        count, looked_at = 0, _PAGE
        while user_key is not None and looked_at == _PAGE:
            ended, looked_at = await self.server.script(
                _DELETE_USER, self._users + user_key, self._sessions, user_key, kept, _PAGE)
            count += ended
        return count

    async def list_user(self, user: 'str | int') -> 'list[tuple[str, dict[str, Any]]]':
        """Return id and record of each session that a user has, the one used last first; at most 1,000."""
        user_key = records.key_of(user)
        time = records.read_clock()
        found: 'dict[str, dict[str, Any]]' = {}
        first, looked_at = 0, _PAGE
        while user_key is not None and looked_at == _PAGE and first < records.MAX_LISTED:
            looked_at, page = await self.server.script(
                _LIST_USER, self._users + user_key, self._sessions, user_key, time, first, _PAGE)
            first += len(page) // 2
            for session_id, value in zip(page[::2], page[1::2]):
                record = _record(value, time)
                if record is not None:
                    found[session_id.decode()] = record
        return sorted(found.items(), key=lambda item: item[1].get('seen', 0), reverse=True)

    async def close(self) -> None:
        """Close the connections of this event loop, but not those of a client that was given."""
        await self.server.close()


def _record(value: 'bytes | None', time: int) -> 'dict[str, Any] | None':
    return records.unpack((value or b'').partition(b'\n')[2], time)
