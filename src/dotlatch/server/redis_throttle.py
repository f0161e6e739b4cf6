"""The throttle in Redis 7 or Valkey: one set of counts for any number of processes and machines.

Needs portable.py, and redis_server.py and redis_shared.py of this folder::

    throttle = RedisThrottle('redis://127.0.0.1:6379/0')
    login = Login(users=users, throttle=throttle)

It is asked as :class:`dotlatch.throttle.Throttle` is, and has its rules. Each question is one round trip: a script
counts or refuses, whoever else is asking, by the server's clock. When the server cannot be asked the answer is a 503.

Names and addresses are not in Redis, only keyed hashes of them, and each count is a key that ends when it has come to
nothing. How many there can be is bounded by the rule for all together: after 300 failures in an hour, new ones come
every five seconds at most.
"""
from ..portable import Key, alike, b64url_encode
from .redis_server import Address, Argument, Script, server_at
from .redis_shared import CLOCK, SAME_SECRET, SharedSecret
from .waiting import TIMEOUT

_FINGERPRINT = 16  # bytes of a name's hash

_ASK = Script(CLOCK + SAME_SECRET + """
local DAY, HOUR, MOST, YEAR, QUARTER = 864000, 36000, 100, 31536000, 7776000
local known_print, clock_key, verb, prefix, account, source, has_account, has_source = unpack(ARGV, 1, 8)
local free, source_free, overall_free, longest, most_known = unpack(ARGV, 9)
if not is_same_secret(KEYS[1], known_print) then
    return false
end
local now = math.floor(clock(clock_key) / 100)  -- tenths of a second, as in throttle.py

local function place(name, free, longest, period, restarts)
    local key = prefix .. name
    local kept = redis.call('HMGET', key, 'count', 'ends', 'mark')
    local p = {key = key, free = tonumber(free), longest = tonumber(longest), period = period, restarts = restarts,
               is_there = kept[1], count = tonumber(kept[1] or 0), ends = tonumber(kept[2] or 0),
               mark = tonumber(kept[3] or 0)}
    if p.count > 0 and now >= p.ends then
        local off = math.floor((now - p.mark) * p.free / period)
        if off > 0 then
            p.mark = p.mark + math.floor(off * period / p.free)
            p.count = math.max(0, p.count - off)
        end
    end
    return p
end

local pair = 'known:' .. account .. ':' .. source
local known = place(pair, free, longest, DAY, true)
local places = {}
if known.is_there and has_account == '1' then
    places[1] = known
else
    if has_account == '1' then
        places[#places + 1] = place('account:' .. account, free, longest, DAY, true)
    end
    if has_source == '1' then
        places[#places + 1] = place('source:' .. source, source_free, longest, DAY, false)
    end
    if not known.is_there then
        places[#places + 1] = place('overall', overall_free, 5, HOUR, false)
        places[#places].is_overall = true
    end
end

local function keep(p)
    redis.call('HSET', p.key, 'count', p.count, 'ends', p.ends, 'mark', p.mark)
    if p ~= known then  -- it ends when nothing is left of it, and at once if that is now
        local over = math.max(p.ends, p.mark + math.ceil(p.count * p.period / p.free))
        redis.call('EXPIRE', p.key, math.max(0, math.min(YEAR, math.ceil((over - now) / 10))))
    end
end

if verb == 'attempt' then
    local wait = 0
    for _, p in ipairs(places) do
        wait = math.max(wait, p.ends - now)
    end
    if wait > 0 then
        return math.ceil(wait / 10)
    end
    for _, p in ipairs(places) do
        if p.restarts or p.count == 0 then
            p.mark = now
        end
        p.count = math.min(p.count + 1, p.is_overall and 65535 or 255)
        if p.count > p.free then
            local seconds = math.min(p.longest, 2 ^ math.min(p.count - p.free - 1, 12))
            p.ends = now + (p.restarts and p.count >= MOST and DAY or 10 * seconds)
        end
        keep(p)
    end
    return 0
end

local is_right = verb == 'succeeded'
for _, p in ipairs(places) do
    if p.is_there then
        p.count = is_right and p.restarts and 0 or math.max(0, p.count - 1)
        p.ends = 0
        keep(p)
    end
end
if is_right and has_source == '1' then  -- where the account is opened from, the ones used last
    local index = prefix .. 'known:' .. account
    redis.call('HSET', known.key, 'count', 0, 'ends', 0, 'mark', now)
    redis.call('EXPIRE', known.key, QUARTER)
    redis.call('ZREMRANGEBYSCORE', index, '-inf', now - 10 * QUARTER)
    redis.call('ZADD', index, now, source)
    redis.call('EXPIRE', index, QUARTER)
    if redis.call('ZCARD', index) > tonumber(most_known) then
        redis.call('DEL', prefix .. 'known:' .. account .. ':' .. redis.call('ZPOPMIN', index)[1])
    end
end
return 0
""")


class RedisThrottle:
    """Counts attempts that did not succeed, and says how long the next one has to wait.

    The rules are those of :class:`dotlatch.throttle.Throttle`, where ``free``, ``source_free``, ``overall_free`` and
    ``longest`` are explained; there is room for every account. All processes are given the same numbers.

    :param server: a URL, or what else :class:`~dotlatch.server.redis_server.RedisServer` takes, or one of them.
    :param prefix: what the names of all keys begin with.
    :param max_known: from how many sources, for each account, it is known to be opened; each for 90 days.
    :param timeout: seconds that a question may take; with a ``RedisServer``, its own.
    :raises ValueError: for a number that is out of bounds.
    """
    def __init__(self, server: Address, prefix: str = 'dotlatch:', free: int = 10, source_free: int = 30,
                 overall_free: int = 300, longest: int = 900, max_known: int = 64, timeout: float = TIMEOUT) -> None:
        if not (0 < free <= 80 and 0 < source_free <= 240 and 0 < overall_free <= 60000 and 0 < longest <= 3600
                and 0 < max_known <= 10000):
            raise ValueError('a number of the throttle is out of bounds')
        self.server = server_at(server, timeout)
        self._secret = SharedSecret(self.server, prefix)
        self._prefix = prefix + 'throttle:'
        self._numbers: 'list[Argument]' = [free, source_free, overall_free, longest, max_known]

    async def attempt(self, account: str, source: str) -> int:
        """Return 0 when an attempt may go on, and count it; or else the seconds to wait, and count nothing.

        :param account: the name that was given, whether there is such an account or not; ``''`` for none.
        :param source: where it comes from; ``''`` when nobody knows.
        :raises StoreUnavailable: when the server cannot be asked, an OSError; so do the other two.
        """
        return await self._ask('attempt', account, source)

    async def succeeded(self, account: str, source: str) -> None:
        """Take the attempt back that has just succeeded: the account's count ends, the source's goes back by one."""
        await self._ask('succeeded', account, source)

    async def undecided(self, account: str, source: str) -> None:
        """Take an attempt back of which nobody knows whether it was right, since what would know could not be asked."""
        await self._ask('undecided', account, source)

    async def _ask(self, verb: str, account: str, source: str) -> int:
        def arguments(key: Key) -> 'list[Argument]':
            # repr: half a character has no UTF-8.
            names = [key.sign(kind + repr(name).encode())[:_FINGERPRINT] for kind, name in (
                (b'throttle account\n', alike(account)), (b'throttle source\n', source.lower()))]
            return [verb, self._prefix, *map(b64url_encode, names), int(account != ''), int(source != ''),
                    *self._numbers]

        return int(await self._secret.script(_ASK, arguments))

    async def close(self) -> None:
        """Close the connections of this event loop, but not those of a client that was given."""
        await self.server.close()
