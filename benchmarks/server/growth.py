"""From one session to a million: how much room they take, and how long a read, a login and a log-out take.

Sessions are copies of one that a real login has made, with other ids and users: two for each user. They are put there
in bulk, as the store itself would have written them; what is measured is the store.
"""
import asyncio
import os
import random
import socket
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import quantiles
from typing import Any

from sqlalchemy.ext.asyncio import create_async_engine

from dotlatch.portable import random_id
from dotlatch.server import records
from dotlatch.server.redis import RedisStore
from dotlatch.server.sqlalchemy import SQLAlchemyStore
from dotlatch.stores import FileStore, MemoryStore
from tests.stores import servers

SIZES = (1, 1_000, 10_000, 100_000, 1_000_000)
READS = 2000
NEW = 200
SECONDS = 5  # for each figure at most
TIMEOUT = 120
BATCH = 5000

Rows = 'list[tuple[str, dict[str, Any]]]'


def record_like(number: int, session_id: str) -> 'dict[str, Any]':
    """Return what a login of ``Login`` leaves in a store."""
    time_now = records.read_clock()
    return {
        'jti': session_id, 'iat': time_now, 'seen': time_now, 'exp': time_now + 14 * 24 * 3600, 'secret': 'x' * 43,
        'source': '192.0.2.%d' % (number % 250), 'client': 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0',
        'user': 'user%d' % (number // 2),
        'data': {'_user_id': 'user%d' % (number // 2), '_fresh': time_now, '_stamp': 'y' * 16}}


class Memory:
    """In this process."""
    title = 'MemoryStore'
    most = 100_000  # to end all sessions of a user, it looks at all sessions

    def __init__(self, folder: str) -> None:
        self.before = self._resident()
        self.store: Any = MemoryStore(max_sessions=2_000_000)

    async def fill(self, rows: 'list[tuple[str, dict[str, Any]]]') -> None:
        for session_id, record in rows:
            await self.store.save(session_id, record, True)

    async def size(self) -> int:
        return self._resident() - self.before

    def _resident(self) -> int:
        return int(Path('/proc/self/statm').read_text().split()[1]) * os.sysconf('SC_PAGE_SIZE')

    async def stop(self) -> None:
        pass


class Files(Memory):
    title = 'FileStore'
    most = 1_000  # what it has room for by itself: a new session counts the files

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder) / 'files'
        self.store = FileStore(str(self._folder), max_sessions=2_000_000)

    async def size(self) -> int:
        return sum(path.stat().st_blocks * 512 for path in self._folder.iterdir())


class Sqlite:
    title = 'SQLAlchemyStore, SQLite'
    most = 1_000_000

    def __init__(self, folder: str) -> None:
        self._path = Path(folder) / 'sessions.db'
        self.store = SQLAlchemyStore('sqlite+aiosqlite:///%s' % self._path, timeout=TIMEOUT)

    async def fill(self, rows: 'list[tuple[str, dict[str, Any]]]') -> None:
        await self.store.create_all()
        names = ('id', 'user_key', 'ends', 'seen', 'record')
        with sqlite3.connect(self._path) as database:
            database.executemany('INSERT INTO %s (%s) VALUES (?, ?, ?, ?, ?)' % (
                self.store.table.name, ', '.join(names)), columns(rows))
        database.close()

    async def size(self) -> int:
        return self._path.stat().st_size

    async def stop(self) -> None:
        await self.store.close()


class Postgresql:
    title = 'SQLAlchemyStore, PostgreSQL'
    most = 1_000_000

    def __init__(self, folder: str) -> None:
        self._server = servers.PostgreSQL()
        self._server.start()
        self.store = SQLAlchemyStore(self._server.url, timeout=TIMEOUT)
        self._engine = create_async_engine(self._server.url, isolation_level='AUTOCOMMIT')

    async def fill(self, rows: 'list[tuple[str, dict[str, Any]]]') -> None:
        await self.store.create_all()
        async with self._engine.connect() as connection:
            raw: Any = await connection.get_raw_connection()
            await raw.driver_connection.copy_records_to_table(
                self.store.table.name, records=columns(rows), columns=['id', 'user_key', 'ends', 'seen', 'record'])

    async def settle(self) -> None:
        """What its autovacuum would do within a minute."""
        async with self._engine.connect() as connection:
            await connection.exec_driver_sql('VACUUM ANALYZE %s' % self.store.table.name)

    async def size(self) -> int:
        async with self._engine.connect() as connection:
            found = await connection.exec_driver_sql(
                "SELECT pg_total_relation_size('%s')" % self.store.table.name)
            return int(found.scalar_one())

    async def stop(self) -> None:
        try:
            await self.store.close()
            await self._engine.dispose()
        finally:
            self._server.remove()


class Redis:
    title = 'RedisStore'
    most = 1_000_000

    def __init__(self, folder: str) -> None:
        self._server = servers.Redis()
        self._server.start()
        self.store = RedisStore(self._server.url, timeout=TIMEOUT)
        self._before = self._used()

    def _used(self) -> int:
        found = self._server.say('INFO', 'memory').decode()
        return int(found.partition('used_memory:')[2].split()[0])

    async def fill(self, rows: 'list[tuple[str, dict[str, Any]]]') -> None:
        if len(rows) == 1:
            await self.store.save(rows[0][0], rows[0][1], True)
            return
        # The commands of the store's own script, many at once.
        commands = []
        for session_id, user_key, ends, _, record in columns(rows):
            index = 'dotlatch:user:' + user_key
            commands += [('SET', 'dotlatch:session:' + session_id, user_key + '\n' + record, 'EXAT', ends),
                         ('ZADD', index, ends, session_id), ('EXPIREAT', index, ends)]
        await asyncio.to_thread(self._send, commands)

    def _send(self, commands: 'list[tuple[Any, ...]]') -> None:
        with socket.create_connection((servers.HOST, self._server.port), 60) as connection:
            for start in range(0, len(commands), BATCH):
                some = commands[start:start + BATCH]
                connection.sendall(b''.join(map(resp, some)))
                answers = b''
                while answers.count(b'\r\n') < len(some):
                    answers += connection.recv(1 << 20)
                if b'-' in answers:
                    raise RuntimeError(answers[:200])

    async def size(self) -> int:
        return self._used() - self._before

    async def stop(self) -> None:
        try:
            await self.store.close()
        finally:
            self._server.remove()


STORES = {'memory': Memory, 'file': Files, 'sqlite': Sqlite, 'postgresql': Postgresql, 'redis': Redis}


def resp(command: 'tuple[Any, ...]') -> bytes:
    parts = [str(part).encode() for part in command]
    return b'*%d\r\n' % len(parts) + b''.join(b'$%d\r\n%s\r\n' % (len(part), part) for part in parts)


def columns(rows: 'list[tuple[str, dict[str, Any]]]') -> 'Iterator[tuple[Any, ...]]':
    for session_id, record in rows:
        packed = records.pack(record, records.MAX_RECORD)
        yield session_id, packed.user_key, packed.ends, packed.seen, packed.text.decode()


# --- measuring ------------------------------------------------------------------------------------

async def timed(call: 'Callable[[int], Any]', number: int) -> 'tuple[float, float]':
    """Call one after another, for some seconds at most; return the 10th and the 99th percentile, in milliseconds.

    What else the machine does is in the slower ones.
    """
    taken: 'list[float]' = []
    while len(taken) < number and (sum(taken) < SECONDS * 1000 or len(taken) < 2):
        begun = time.perf_counter()
        answer = await call(len(taken))
        taken.append((time.perf_counter() - begun) * 1000)
        assert answer, 'nothing found'
    return quantiles(taken, n=10)[0], quantiles(taken, n=100)[98]


async def measure(store: Any, ids: 'list[str]') -> 'list[tuple[float, float]]':
    """Measure a read, a new session, and the end of all sessions of a user who has one."""
    made: 'list[str]' = []

    async def read(at: int) -> Any:
        return await store.load(random.choice(ids))

    async def new(at: int) -> Any:
        session_id = random_id()
        record = record_like(-2 * at - 2, session_id)
        made.append(record['user'])
        return await store.save(session_id, record, True)

    async def end(at: int) -> Any:
        return await store.delete_user(made[at])

    found = [await timed(read, READS), await timed(new, NEW)]
    return found + [await timed(end, len(made))]


async def grow(name: str, most: int, folder: str) -> None:
    backend: Any = STORES[name](folder)
    store = backend.store
    ids: 'list[str]' = []
    count = 0
    try:
        for size in [size for size in SIZES if size <= min(most, backend.most)]:
            while count < size:
                rows = []
                for number in range(count, min(size, count + BATCH)):
                    session_id = random_id()
                    rows.append((session_id, record_like(number, session_id)))
                await backend.fill(rows)
                count += len(rows)
                ids += [session_id for session_id, _ in rows[::50]]
            if hasattr(backend, 'settle'):
                await backend.settle()
            room = await backend.size()
            for session_id in ids[:50]:
                await store.load(session_id)
            read, new, out = await measure(store, ids)
            print('%-28s%12s%12s%10.0f%10.3f%10.3f%10.3f%10.3f' % (
                backend.title, f'{size:,}', f'{room / 1024:,.0f}', room / size, *read, new[0], out[0]), flush=True)
    finally:
        await backend.stop()


def run(options: Any) -> None:
    print('%-28s%12s%12s%10s%10s%10s%10s%10s' % (
        '', 'sessions', 'KB', 'B each', 'read ms', 'p99 ms', 'new ms', 'end ms'))
    for name in STORES:
        if not options.only or name in options.only:
            with tempfile.TemporaryDirectory() as folder:
                asyncio.run(grow(name, options.most, folder))
