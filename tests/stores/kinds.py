"""The kinds of store there are, and how a test, or a process of one, opens each."""

import asyncio
import gc
import itertools

from sqlalchemy import MetaData

from dotlatch.portable import run
from dotlatch.server.redis import RedisServer, RedisStore
from dotlatch.server.sqlalchemy import SQLAlchemyStore, sessions_table
from dotlatch.stores import FileStore, MemoryStore

PORTABLE = ("memory", "file")
REDIS = ("redis", "valkey")  # a Valkey is asked as Redis is
SERVERS = ("redis", "postgresql")
SHARED = ("redis", "postgresql", "sqlite")  # written for CPython, by several processes
BETWEEN_PROCESSES = (*SHARED, "file")
ON_CPYTHON = (*SHARED, "valkey")
ALL = (*PORTABLE, *ON_CPYTHON)

TIMEOUT = 0.5       # seconds, for tests in which no answer comes
PATIENCE = 15       # for the others: a machine may be busy


def open_store(kind, address, name, timeout=PATIENCE, connections=None, **options):
    """A store called `name` at this address; nothing is made there."""
    if kind == "memory":
        return MemoryStore(**options)
    if kind == "file":
        return FileStore(f"{address}/{name}", **options)
    if kind == "redis":
        server = RedisServer(address, timeout, connections) if connections else address
        return RedisStore(server, prefix=name + ":", timeout=timeout, **options)
    if connections:
        options["pool_size"] = connections
    return SQLAlchemyStore(address, sessions_table(MetaData(), name), timeout, **options)


async def close_store(kind, store):
    if kind in SHARED:
        await store.close()
    if kind == "sqlite":
        # Its driver has a thread for each connection, which may still have a word for the loop.
        gc.collect()
        await asyncio.sleep(0.05)


class Stores:
    """The stores of one test, all of a kind, and of a server or folder that they may share."""

    def __init__(self, kind, address, server=None):
        self.kind = kind
        self.address = address
        self.server = server
        self.opened = []

    def make(self, max_sessions=None, **options):
        """A new and empty one."""
        if self.kind in PORTABLE and max_sessions:
            options.setdefault("max_sessions", max_sessions)
        store = self.open(f"t{next(_numbers)}", **options)
        if isinstance(store, SQLAlchemyStore):
            run(_create(store))
        return store

    def open(self, name, **options):
        store = open_store(self.kind, self.address, name, **options)
        store.name = name
        self.opened.append(store)
        return store

    def one(self, **options):
        """An empty one with room for all that a test makes."""
        return self.make(1000, **options)

    async def close(self):
        for store in self.opened:
            await close_store(self.kind, store)


class Meanwhile:
    """The server or the database of a store: once it has answered, somebody else has his turn, so many times."""

    def __init__(self, store, work, times):
        self._place = "server" if hasattr(store, "server") else "database"
        self._asked = getattr(store, self._place)
        self._work = work
        self._times = times
        setattr(store, self._place, self)

    def __getattr__(self, name):
        ask = getattr(self._asked, name)

        async def ask_and_wait(*arguments):
            answer = await ask(*arguments)
            if self._times:
                self._times -= 1
                await self._work()
            return answer
        return ask_and_wait if name in ("command", "script", "run") else ask


_numbers = itertools.count(1)


async def _create(store):
    await store.create_all()
    await store.close()
