"""Redis backends for the tests, each with keys of its own, and a clock of the server that a test sets."""

from redis.asyncio import Redis

from dotlatch.server import redis_nonces, redis_shared, redis_throttle
from dotlatch.server.redis import RedisBackend
from dotlatch.server.redis_server import Script
from tests.stores import kinds

TIMED = [(redis_shared, "_READY"), (redis_throttle, "_ASK"), (redis_nonces, "_USE")]


class Backends:
    """All processes of one app: `one()` is another of them."""

    def __init__(self, stores):
        self.stores = stores
        self.prefix = f"b{next(kinds._numbers)}:"

    def one(self, timeout=kinds.PATIENCE):
        backend = RedisBackend(self.stores.address, self.prefix, timeout)
        self.stores.opened.append(backend)
        return backend

    async def keys(self):
        """Each key, and the seconds until it ends, or -1."""
        client = Redis.from_url(self.stores.address)
        try:
            return {key.decode(): await client.ttl(key) async for key in client.scan_iter(self.prefix + "*", 1000)}
        finally:
            await client.aclose()

    async def empty(self):
        """What a crash leaves of a server that keeps nothing on disk."""
        client = Redis.from_url(self.stores.address)
        try:
            async for key in client.scan_iter(self.prefix + "*", 1000):
                await client.delete(key)
        finally:
            await client.aclose()


def counted(backend):
    """Have the questions of a backend counted, in a list that grows."""
    asked = []

    def count(name):
        ask = getattr(backend.server, name)

        async def counting(*arguments):
            asked.append(name)
            return await ask(*arguments)

        setattr(backend.server, name, counting)

    count("script")
    count("command")
    return asked


class ServerClock:
    """The time of the server in the scripts that ask for it, in seconds; the ends of keys stay those of real time."""

    def __init__(self, monkeypatch, address, time=1_795_000_000):
        self._address = address
        self._time = time
        for module, name in TIMED:
            text = getattr(module, name).text
            assert "redis.call('TIME')" in text
            text = text.replace("redis.call('TIME')", "redis.call('HMGET', 'tests:clock', 's', 'us')")
            monkeypatch.setattr(module, name, Script(text))

    async def __aenter__(self):
        self._client = Redis.from_url(self._address)
        await self.advance(0)
        return self

    async def __aexit__(self, *error):
        await self._client.delete("tests:clock")
        await self._client.aclose()

    async def advance(self, seconds):
        self._time += seconds
        tenths = round(self._time * 10)
        await self._client.hset("tests:clock", mapping={"s": tenths // 10, "us": tenths % 10 * 100_000})
