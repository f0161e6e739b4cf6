"""Nonces for Digest in Redis 7 or Valkey: any process takes the one that another has given, each request once.

Needs portable.py, nonces.py, and redis_server.py and redis_shared.py of this folder::

    auth = DigestAuth(realm='Greenhouse', nonces=RedisNonces('redis://127.0.0.1:6379/0'))

A nonce is signed with a secret that all processes have, and timed by the server's clock. As in nonces.py, nothing is
kept of one until somebody with the right password has used it; then it is a key that ends with the nonce.
"""
from ..nonces import GOOD, REPLAY, STALE
from ..portable import Key, b64url_decode, b64url_encode, compare_digest, random_bytes
from .redis_server import Address, Argument, Script, server_at
from .redis_shared import CLOCK, MAX_AGE, MIN_AGE, SAME_SECRET, SharedSecret
from .waiting import TIMEOUT

_SIGNED = 15  # bytes of a nonce: when it was made, and what no other has
_SIZE = 30

# Which of the last 64 requests have come is a text of as many digits, the newest first.
_USE = Script(CLOCK + SAME_SECRET + """
local known_print, clock_key, prefix, id, made, count, lifetime, most = unpack(ARGV)
made, count, lifetime, most = tonumber(made), tonumber(count), tonumber(lifetime), tonumber(most)
if not is_same_secret(KEYS[1], known_print) then
    return false
end
local now = clock(clock_key)
local key, used, floor = prefix .. id, prefix .. 'used', prefix .. 'floor'
local window = redis.call('GET', key)
if now - made >= lifetime or made - now >= lifetime
        or not window and (made <= tonumber(redis.call('GET', floor) or 0) or redis.call('ZSCORE', used, id)) then
    return 'stale'
end
local highest, seen = string.match(window or '0:1' .. string.rep('0', 63), '^(%d+):([01]+)$')
local ahead = count - tonumber(highest)
if ahead > 0 then
    seen = ('1' .. string.rep('0', math.min(ahead, 64) - 1) .. seen):sub(1, 64)
    highest = string.format('%.0f', count)
elseif ahead <= -64 then
    return 'stale'
elseif seen:sub(1 - ahead, 1 - ahead) == '1' then
    return 'replay'
else
    seen = seen:sub(1, -ahead) .. '1' .. seen:sub(2 - ahead)
end
if not window then
    redis.call('ZREMRANGEBYSCORE', used, '-inf', now - lifetime)
    if redis.call('ZCARD', used) >= most then  -- what leaves it is refused from then on, and all that is as old
        local oldest = redis.call('ZPOPMIN', used)
        redis.call('DEL', prefix .. oldest[1])
        redis.call('SET', floor, oldest[2], 'PX', 2 * lifetime)
    end
    redis.call('ZADD', used, made, id)
    redis.call('PEXPIRE', used, 2 * lifetime)
end
redis.call('SET', key, highest .. ':' .. seen, 'PX', 2 * lifetime)
return 'good'
""")

_VERDICTS = {b'good': GOOD, b'stale': STALE, b'replay': REPLAY}


class RedisNonces:
    """Makes nonces and tells whether a request may use one, for all processes that have the same server.

    :param server: a URL, or what else :class:`~dotlatch.server.redis_server.RedisServer` takes, or one of them.
    :param prefix: what the names of all keys begin with.
    :param seconds: how long one may be used.
    :param max_used: how many may be in use at once; the oldest makes room.
    :param timeout: seconds that a question may take; with a ``RedisServer``, its own.
    """
    def __init__(self, server: Address, prefix: str = 'dotlatch:', seconds: int = 300, max_used: int = 100000,
                 timeout: float = TIMEOUT) -> None:
        if seconds < 1 or max_used < 1:
            raise ValueError('a nonce lasts at least a second, and at least one is in use')
        self.server = server_at(server, timeout)
        self._secret = SharedSecret(self.server, prefix)
        self._prefix = prefix + 'nonce:'
        self._lifetime = 1000 * seconds
        self._max_used = max_used

    async def ready(self) -> None:
        """Have what :meth:`new` needs: one round trip at first, and then one a minute.

        :raises StoreUnavailable: when the server cannot be asked.
        """
        await self._secret.ready()

    def new(self) -> str:
        """Return a nonce of 40 characters that nobody has had before; nothing is kept of it.

        :raises StoreUnavailable: before :meth:`ready`.
        """
        signed = self._secret.time().to_bytes(6, 'big') + random_bytes(_SIGNED - 6)
        return b64url_encode(signed + _mac(self._secret.key, signed))

    async def use(self, nonce: str, count: int) -> str:
        """Take a request whose digest was right: GOOD once for each ``count``, else STALE or REPLAY.

        :raises StoreUnavailable: when the server cannot be asked.
        """
        signed = await self._read(nonce)
        if signed is None:
            return STALE
        made = int.from_bytes(signed[:6], 'big')

        def arguments(key: Key) -> 'list[Argument]':
            return [self._prefix, b64url_encode(signed), made, count, self._lifetime, self._max_used]

        before = self._secret.key
        verdict = _VERDICTS[await self._secret.script(_USE, arguments)]
        if verdict is STALE:  # maybe its clock was set, and the next one would be no better
            await self._secret.ready(MIN_AGE)
        return verdict if self._secret.key is before else STALE  # a server that was emptied forgot what was used

    async def _read(self, nonce: str) -> 'bytes | None':
        """Return what was signed; ``None`` when it was not, or with a secret that is over."""
        try:
            raw = b64url_decode(nonce)
        except ValueError:
            return None
        if len(raw) != _SIZE:
            return None
        for max_age in (MAX_AGE, MIN_AGE):  # another process may have a newer secret
            await self._secret.ready(max_age)
            if compare_digest(_mac(self._secret.key, raw[:_SIGNED]), raw[_SIGNED:]):
                return raw[:_SIGNED]
        return None

    async def close(self) -> None:
        """Close the connections of this event loop, but not those of a client that was given."""
        await self.server.close()


def _mac(key: Key, signed: bytes) -> bytes:
    return key.sign(b'dotlatch-nonce\n' + signed)[:_SIZE - _SIGNED]
