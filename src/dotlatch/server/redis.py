"""Redis 7 or Valkey, for any number of processes and machines: all that they must agree on, and the sessions in it.

Needs portable.py, strictjson.py, stores.py and nonces.py, and errors.py, records.py, revoking.py, waiting.py and the
files whose names begin with redis of this folder, and ``pip install dotlatch[redis]``::

    from dotlatch.server.redis import RedisBackend

    redis = RedisBackend('redis://127.0.0.1:6379/0')
    Session(app, secret_key=..., store=redis.store)
    login = Login(users=users, throttle=redis.throttle)

    await redis.store.list_user('anna')                    # [(id, record), ...], newest first
    await redis.store.delete_user('anna', keep=this_id)    # log out everywhere else
    await redis.close()                                    # at the end of the loop

A session is one key, ``dotlatch:session:<id>``, which Redis drops when the session ends. The ids of a user's sessions
are in a sorted set, ``dotlatch:user:<user>``, by when they end; it ends with the last of them. Each call is one script,
so it happens whole or not at all, whoever else is asking; for a user with more than 100 sessions it is several.

What a crash brings back is up to the server: with snapshots alone, also sessions that were ended since the last one.
Turn ``appendonly`` on, and set ``maxmemory-policy noeviction``, so that a full server refuses new sessions and forgets
none of the old. In a cluster all keys must share a slot: ``prefix='{dotlatch}:'``.
"""
from typing import Any

from ..stores import is_session_id
from . import records
from .redis_nonces import RedisNonces
from .redis_revoked import RedisRevoked
from .redis_server import MAX_CONNECTIONS, Address, Script, server_at
from .redis_server import RedisServer as RedisServer
from .redis_throttle import RedisThrottle
from .redis_tickets import RedisTickets
from .waiting import TIMEOUT

_PAGE = 100  # sessions that one script looks at: others wait for it

# A value is two lines, the user's key and the record, so that a script knows whose session it is. What has ended is
# taken out of a user's set by the server's clock, as it is dropped: an app's may be ahead.
_USER_OF = """
local function user_of(value)
    return type(value) == 'string' and string.match(value, '^([^\\n]*)\\n') or false
end
"""

_SAVE = Script(_USER_OF + """
local key, value, ends, mode, id, now, users, user, read = KEYS[1], unpack(ARGV)
local there = redis.pcall('GET', key)
local was = user_of(there)
if mode == 'XX' and redis.call('EXPIRETIME', key) <= tonumber(now) or read ~= '' and read ~= there then
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
    redis.call('ZREMRANGEBYSCORE', index, '-inf', redis.call('TIME')[1])
    redis.call('ZADD', index, ends, id)
    redis.call('EXPIREAT', index, redis.call('ZRANGE', index, -1, -1, 'WITHSCORES')[2])
end
return 1
""")

_DELETE = Script(_USER_OF + """
local users, id = unpack(ARGV)
local user = user_of(redis.pcall('GET', KEYS[1]))
if user and user ~= '' then
    redis.call('ZREM', users .. user, id)
end
return redis.call('DEL', KEYS[1])
""")

_DELETE_USER = Script(_USER_OF + """
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
""")

_LIST_USER = Script(_USER_OF + """
local sessions, user, first, page = unpack(ARGV)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', redis.call('TIME')[1])
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
""")


class RedisBackend:
    """All that several processes must agree on, over one pool of connections.

    ``store``, ``throttle``, ``revoked``, ``nonces`` and ``tickets`` are given to what needs them. Where other numbers
    are needed than theirs, make one yourself: ``RedisThrottle(redis.server, free=5)``.

    :param server: a URL (``redis://``, ``rediss://`` for TLS, ``unix://``), or another one of what
        :class:`~dotlatch.server.redis_server.RedisServer` takes, or one of them.
    :param prefix: what the names of all keys begin with: of two apps on one server, each has its own.
    :param timeout: seconds that a question may take; with a ``RedisServer``, its own.
    :param max_connections: of one event loop; more questions wait for one of them.
    """
    def __init__(self, server: Address, prefix: str = 'dotlatch:', timeout: float = TIMEOUT,
                 max_connections: int = MAX_CONNECTIONS) -> None:
        self.server = server_at(server, timeout, max_connections)
        self.store = RedisStore(self.server, prefix)
        self.throttle = RedisThrottle(self.server, prefix)
        self.revoked = RedisRevoked(self.server, prefix)
        self.nonces = RedisNonces(self.server, prefix)
        self.tickets = RedisTickets(self.server, prefix)

    async def close(self) -> None:
        """Close the connections of this event loop, but not those of a client that was given."""
        await self.server.close()


class RedisStore:
    """Sessions that several processes share, on Redis 7 or later or on Valkey.

    :param server: what :class:`~dotlatch.server.redis_server.RedisServer` takes, or one of them: a URL, most often.
    :param prefix: what the names of all keys begin with.
    :param timeout: seconds that a command may take; with a :class:`~dotlatch.server.redis_server.RedisServer`, its own.
    :param max_record: bytes of JSON that a session may have.
    """
    def __init__(self, server: Address, prefix: str = 'dotlatch:', timeout: float = TIMEOUT,
                 max_record: int = records.MAX_RECORD) -> None:
        self.server = server_at(server, timeout)
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
        return is_session_id(session_id) and await self._save(session_id, record, 'NX' if new else 'XX')

    async def touch(self, session_id: str, record: 'dict[str, Any]') -> None:
        """Keep a record, but with the ``data`` that is there by now; see :meth:`dotlatch.stores.FileStore.touch`."""
        if not is_session_id(session_id):
            return
        for _ in range(records.TRIES):
            read = await self.server.command('GET', self._sessions + session_id)
            newest = _record(read, records.read_clock())
            if newest is None or await self._save(session_id, {**record, 'data': newest.get('data')}, 'XX', read):
                return

    async def _save(self, session_id: str, record: 'dict[str, Any]', mode: str, read: bytes = b'') -> bool:
        packed = records.pack(record, self.max_record)
        user_key = packed.user_key or ''
        value = user_key.encode() + b'\n' + packed.text
        saved: int = await self.server.script(
            _SAVE, self._sessions + session_id, value, packed.ends, mode, session_id, records.read_clock(),
            self._users, user_key, read)
        return saved == 1

    async def delete(self, session_id: str) -> bool:
        """End a session, and tell whether it was there: of two that end the same, one is told so."""
        if not is_session_id(session_id):
            return False
        ended: int = await self.server.script(_DELETE, self._sessions + session_id, self._users, session_id)
        return ended == 1

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
                _LIST_USER, self._users + user_key, self._sessions, user_key, first, _PAGE)
            first += len(page) // 2
            for session_id, value in zip(page[::2], page[1::2]):
                record = _record(value, time)
                if record is not None:
                    found[session_id.decode()] = record
        return sorted(found.items(), key=lambda item: item[1].get('seen', 0), reverse=True)

    async def time(self) -> int:
        """Return the server's Unix seconds, which are the same on every machine."""
        seconds, _ = await self.server.command('TIME')
        return int(seconds)

    async def close(self) -> None:
        """Close the connections of this event loop, but not those of a client that was given."""
        await self.server.close()


def _record(value: 'bytes | None', time: int) -> 'dict[str, Any] | None':
    return records.unpack((value or b'').partition(b'\n')[2], time)
