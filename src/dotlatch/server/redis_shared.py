"""What the scripts of this folder share: a secret that all processes have, and a clock that never goes back.

Needs portable.py, and redis_server.py of this folder::

    secret = SharedSecret(server, 'dotlatch:')
    await secret.ready()                 # asks the server at the first call, and now and then
    secret.key.sign(b'...')              # the same in every process
    secret.time()                        # the server's time in milliseconds, by its own clock

The secret stands in Redis, where what it signs stands too: who can read that needs no forgery. It keeps names out of
sight, and strangers from choosing what they hash to.
"""
import hashlib
from collections.abc import Callable
from typing import Any

from ..portable import Key, random_bytes, uptime_ms
from .errors import StoreUnavailable
from .redis_server import Argument, RedisServer, Script

MAX_AGE = 60_000  # milliseconds after which the secret and the time are asked for anew
MIN_AGE = 5_000   # and before which they are not

# The server's clock may be set, and then a wait would be over at once or go on for years. Set forward it cannot be told
# from time that has passed; set back, what was seen of it before is kept, and time goes on from there.
CLOCK = """
local function clock(key)
    local time = redis.call('TIME')
    local known = redis.call('HMGET', key, 'seen', 'behind')
    local seen, behind = tonumber(known[1] or 0), tonumber(known[2] or 0)
    local now = time[1] * 1000 + math.floor(time[2] / 1000) + behind
    if now < seen then
        behind = behind + seen - now
        now = seen
        redis.call('HSET', key, 'behind', behind)
    end
    if now >= seen + 1000 then
        redis.call('HSET', key, 'seen', now)
    end
    return now
end
"""

# A server that was emptied has another secret, which the processes have to ask for.
SAME_SECRET = """
local function is_same_secret(key, known)
    return redis.sha1hex(redis.call('GET', key) or '') == known
end
"""

_READY = Script(CLOCK + """
redis.call('SET', KEYS[1], ARGV[1], 'NX')
return {redis.call('GET', KEYS[1]), clock(ARGV[2])}
""")


class SharedSecret:
    """32 random bytes, made by the first process that asks.

    :param server: where they are.
    :param prefix: what the names of all keys begin with.
    """
    def __init__(self, server: RedisServer, prefix: str) -> None:
        self.server = server
        self.name = prefix + 'secret'
        self.clock = prefix + 'clock'
        self._known: 'tuple[Key, str, int, int] | None' = None

    async def ready(self, max_age: int = MAX_AGE) -> None:
        """Ask the server, unless that was done within ``max_age`` milliseconds."""
        if self._known is None or uptime_ms() - self._known[3] >= max_age:
            await self._ask()

    async def _ask(self) -> None:
        offered = random_bytes(32)
        began = uptime_ms()
        secret, time = await self.server.script(_READY, self.name, offered, self.clock)
        fingerprint = hashlib.sha1(secret).hexdigest()
        is_same = self._known is not None and self._known[1] == fingerprint
        self._known = self.key if is_same else Key(secret), fingerprint, time - began, began

    @property
    def key(self) -> Key:
        """The key, which is one object as long as it is one secret; StoreUnavailable before :meth:`ready`."""
        return self._need()[0]

    def time(self) -> int:
        """Return the server's time in milliseconds, as of when it was last asked and what has passed since."""
        return self._need()[2] + uptime_ms()

    def _need(self) -> 'tuple[Key, str, int, int]':
        if self._known is None:
            raise StoreUnavailable('Redis has not been asked yet')
        return self._known

    async def script(self, script: Script, arguments: 'Callable[[Key], list[Argument]]') -> Any:
        """Return what a script returns that is called with the secret's name, its SHA-1, and these arguments.

        :param script: it answers nil for one that is of another secret; then it is called with the right one.
        :param arguments: gives them for a key.
        """
        await self.ready()
        for _ in range(2):
            key, known, _, _ = self._need()
            answer = await self.server.script(script, self.name, known, self.clock, *arguments(key))
            if answer is not None:
                return answer
            await self._ask()
        raise StoreUnavailable('the secret in Redis changes while it is used')
