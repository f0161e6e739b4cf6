"""The list of ended tokens in Redis 7 or Valkey, for sessions in cookies: a log-out counts in every process.

Needs revoked.py, and redis_server.py and revoking.py of this folder, which says how it is kept::

    Session(app, secret_key=..., revoked=RedisRevoked('redis://127.0.0.1:6379/0'))

Sessions in a store need none: what they end is not there any more.
"""
import os

from ..portable import random_id
from .redis_server import Address, Argument, Script, server_at
from .revoking import PAGE, News, SharedRevoked
from .waiting import TIMEOUT

MAX_REVOKED = 100000

# `ends` has the ids by when their tokens end, `log` in the order they came: by a time that only grows, so that a server
# which has lost its last entries numbers none of its next ones as it did those.
_SYNC = Script("""
local list, by = KEYS[1], ARGV[5]
local since, limit, page, offered = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[6]
local state = redis.call('HMGET', list, 'epoch', 'last', 'floor')
if #ARGV == 7 and state[1] == ARGV[1] and (state[2] or '0') == since then
    return 0  -- nothing new, as most often
end

local function text(number)
    return string.format('%.0f', number)
end

local ends, log, who = list .. ':ends', list .. ':log', list .. ':by'
local epoch, last, floor = state[1], tonumber(state[2] or 0), tonumber(state[3] or 0)
local time = redis.call('TIME')
local elsewhere = {}

-- Memory may have been made with some of the keys. What is left of the list has gaps, and all tell theirs anew.
if not epoch or last > 0 and redis.call('EXISTS', ends, log, who) < 3 then
    redis.call('DEL', ends, log, who)
    epoch, last = offered, 0
end
if floor < tonumber(ARGV[7]) then
    epoch, floor = offered, tonumber(ARGV[7])
end
-- What was read last is not there: these are a replica's, which had not heard of it yet, or it has ended.
local is_anew = ARGV[1] ~= epoch or since ~= '0' and redis.call('ZCOUNT', log, since, since) == 0
if is_anew then
    since = '0'
end

local function remove(found)
    for i = 1, #found, 2 do
        redis.call('ZREM', ends, found[i])
        redis.call('ZREM', log, found[i])
        redis.call('HDEL', who, found[i])
        floor = math.max(floor, tonumber(found[i + 1]))
    end
end

for i = 8, #ARGV, 2 do
    local id, ending = ARGV[i], tonumber(ARGV[i + 1])
    local was = redis.call('ZSCORE', ends, id)
    if was and redis.call('HGET', who, id) ~= by then
        elsewhere[#elsewhere + 1] = id
    end
    if not was then
        -- Several at once: who has a copy looks through it then.
        if redis.call('ZCOUNT', ends, '-inf', time[1]) >= 500 then
            remove(redis.call('ZRANGEBYSCORE', ends, '-inf', time[1], 'WITHSCORES', 'LIMIT', 0, 1000))
        end
        if redis.call('ZCARD', ends) >= limit then
            remove(redis.call('ZRANGE', ends, 0, math.floor(limit / 64), 'WITHSCORES'))
        end
        redis.call('HSET', who, id, by)
    end
    if not was or tonumber(was) < ending then
        last = math.max(last + 1, time[1] * 1000000 + time[2])
        redis.call('ZADD', ends, ending, id)
        redis.call('ZADD', log, text(last), id)
    end
end

if #ARGV > 7 or epoch ~= state[1] then
    redis.call('HSET', list, 'epoch', epoch, 'last', text(last), 'floor', text(floor))
    local latest = redis.call('ZRANGE', ends, -1, -1, 'WITHSCORES')[2] or time[1]
    for _, key in ipairs({list, ends, log, who}) do
        redis.call('EXPIREAT', key, text(math.max(latest, floor, time[1]) + 86400))
    end
end

local found, read = {}, since
if tonumber(since) < last then
    local ids = redis.call('ZRANGEBYSCORE', log, '(' .. since, '+inf', 'WITHSCORES', 'LIMIT', 0, page)
    for i = 1, #ids, 2 do
        found[i], found[i + 1] = ids[i], redis.call('ZSCORE', ends, ids[i])
        read = ids[i + 1]
    end
    if #ids < 2 * page then
        read = text(last)
    end
end
return {epoch, text(tonumber(read)), text(floor), is_anew and 1 or 0, found, elsewhere}
""")


class RedisRevoked(SharedRevoked):
    """The ids of ended tokens, in every process, as :class:`dotlatch.revoked.Revoked` has them in one.

    :param server: a URL, or what else :class:`~dotlatch.server.redis_server.RedisServer` takes, or one of them.
    :param prefix: what the names of all keys begin with.
    :param limit: how many ids are kept, each until its token would have ended anyway. When there is no room, those that
        end first make it, and with them all tokens that end no later.
    :param timeout: seconds that a question may take; with a ``RedisServer``, its own.
    """
    def __init__(self, server: Address, prefix: str = 'dotlatch:', limit: int = MAX_REVOKED,
                 timeout: float = TIMEOUT) -> None:
        if limit < 1:
            raise ValueError('a list of ended tokens needs room for one')
        super().__init__()
        self.server = server_at(server, timeout)
        self.limit = limit
        self._list = prefix + 'ended'
        self._name = random_id()

    async def exchange(self, at: 'tuple[bytes, bytes] | None', ended: 'list[tuple[str, int]]') -> News:
        """See :meth:`dotlatch.server.revoking.SharedRevoked.exchange`: one round trip."""
        epoch, since = at or (b'', b'0')
        # A process that was forked has its parent's name.
        given: 'list[Argument]' = [
            epoch, since, self.limit, PAGE, f'{self._name}.{os.getpid()}', random_id(), self.floor(0)]
        for token_id, end in ended:
            given += (token_id.encode(errors='surrogatepass'), end)
        answer = await self.server.script(_SYNC, self._list, *given)
        if answer == 0:
            return News(at, False, 0, [], [], False)
        epoch, read, floor, is_anew, found, elsewhere = answer
        pairs = [(_text(found[i]), int(found[i + 1])) for i in range(0, len(found), 2)]
        return News((epoch, read), is_anew == 1, int(floor), pairs, list(map(_text, elsewhere)), len(pairs) == PAGE)

    async def close(self) -> None:
        """Close the connections of this event loop, but not those of a client that was given."""
        await self.server.close()


def _text(token_id: bytes) -> str:
    return token_id.decode(errors='surrogatepass')
