"""Sessions in a database: PostgreSQL or SQLite, through SQLAlchemy 2.

Needs portable.py, strictjson.py, stores.py, errors.py, records.py, database.py and waiting.py of this folder, and
``pip install dotlatch[sqlalchemy]``::

    from dotlatch.server.sqlalchemy import SQLAlchemyStore
    from dotlatch.session import Session

    store = SQLAlchemyStore('postgresql+asyncpg://app:password@127.0.0.1/app')
    await store.create_all()                         # or with Alembic: see sessions_table()
    Session(app, secret_key=..., store=store)

    await store.list_user('anna')                    # [(id, record), ...], newest first
    await store.delete_user('anna', keep=this_id)    # log out everywhere else
    await store.close()                              # at the end of the loop

A session is one row. Each call is one statement, committed by itself, so it happens whole or not at all; a new session
also deletes a few rows of sessions that have ended, so the table does not grow with time. With SQLite, one process
writes at a time and the others wait for it, up to the time limit.
"""
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    MetaData,
    String,
    Table,
    Text,
    bindparam,
    cast,
    delete,
    extract,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from ..stores import is_session_id
from . import records
from .database import POOL_SIZE, Database, Source
from .waiting import TIMEOUT

_TIME = select(cast(extract('epoch', func.now()), BigInteger).label('seconds'))
_CLEARED = 10  # ended sessions that a new one deletes: more than it will leave itself


def sessions_table(metadata: MetaData, name: str = 'dotlatch_sessions') -> Table:
    """Return the table, added to ``metadata``: a program's own, for Alembic to see it with the others."""
    return Table(
        name, metadata,
        Column('id', String(22), primary_key=True),
        Column('user_key', String(records.LONGEST_KEY), index=True),       # the user, as JSON; see records.key_of()
        Column('ends', BigInteger, nullable=False, index=True),    # Unix seconds
        Column('seen', BigInteger, nullable=False),                # Unix seconds
        Column('record', Text, nullable=False),                    # JSON
    )


metadata = MetaData()
sessions = sessions_table(metadata)


class SQLAlchemyStore:
    """Sessions that several processes share, in a table.

    :param engine: a URL with an async driver (``postgresql+asyncpg://``, ``sqlite+aiosqlite:///``); or a function that
        returns a new ``AsyncEngine``, called once for each event loop; or an engine, for programs that have one loop;
        or the ``database`` of another store or of users, whose connections and time limit it then shares.
    :param table: what :func:`sessions_table` returned.
    :param timeout: seconds that a call may take in all, with the wait for a connection.
    :param pool_size: connections of one event loop, where a URL is given; more calls wait for one of them.
    :param max_record: bytes of JSON that a session may have.
    """
    def __init__(self, engine: 'Source | Database', table: Table = sessions, timeout: float = TIMEOUT,
                 pool_size: int = POOL_SIZE, max_record: int = records.MAX_RECORD) -> None:
        self.table = table
        self.max_record = max_record
        self.database = Database.of(engine, timeout, pool_size)
        self._prepare(table)

    def _prepare(self, table: Table) -> None:
        this, live, users = (table.c.id == bindparam('this'), table.c.ends > bindparam('now'),
                             table.c.user_key == bindparam('user'))
        ended = table.c.ends <= bindparam('now')
        some = select(table.c.id).where(ended).limit(_CLEARED).with_for_update(skip_locked=True)
        self._load = select(table.c.record).where(this, live)
        self._insert = insert(table)
        self._update = update(table).where(this, live)
        self._exchange = self._update.where(table.c.record == bindparam('read'))
        self._delete = delete(table).where(this)
        self._clear = delete(table).where(ended, table.c.id.in_(some))
        self._list = select(table.c.id, table.c.record).where(users, live).order_by(
            table.c.seen.desc()).limit(records.MAX_LISTED)
        self._delete_user = delete(table).where(users, live, table.c.id != bindparam('keep'))

    async def create_all(self) -> None:
        """Make the table and its indexes unless they are there. Several processes may do it at once."""
        await self.database.create(self.table)

    async def load(self, session_id: str) -> 'dict[str, Any] | None':
        """Return the session's record; ``None`` when there is none, or it has ended or is damaged.

        :raises StoreUnavailable: as all methods do; it is an OSError.
        """
        if not is_session_id(session_id):
            return None
        time = records.read_clock()
        rows = await self.database.run((self._load, {'this': session_id, 'now': time}))
        return records.unpack(rows[0].record, time) if rows else None

    async def save(self, session_id: str, record: 'dict[str, Any]', new: bool = False) -> bool:
        """Keep a record until its ``exp``, and tell whether that was done.

        :param new: ``True`` for a session that is not there yet; otherwise the record replaces one that is still
            there: a logout wins over a handler that saves late, in whichever process.
        :raises TypeError: for a record that JSON cannot carry, or a ``user`` that is neither str nor int.
        :raises ValueError: for one that is too large, or has no ``exp``.
        """
        if not is_session_id(session_id):
            return False
        row = self._row(record)
        now = {'now': records.read_clock()}
        if not new:
            count: int = await self.database.run((self._update, {**row, **now, 'this': session_id}))
            return count == 1
        try:
            await self.database.run((self._clear, now), (self._insert, {**row, 'id': session_id}))
        except IntegrityError:  # it is there
            return False
        return True

    async def touch(self, session_id: str, record: 'dict[str, Any]') -> None:
        """Keep a record, but with the ``data`` that is there by now; see :meth:`dotlatch.stores.FileStore.touch`."""
        if not is_session_id(session_id):
            return
        for _ in range(records.TRIES):
            time = records.read_clock()
            where = {'this': session_id, 'now': time}
            rows = await self.database.run((self._load, where))
            newest = records.unpack(rows[0].record, time) if rows else None
            if newest is None:
                return
            row = self._row({**record, 'data': newest.get('data')})
            if await self.database.run((self._exchange, {**row, **where, 'read': rows[0].record})):
                return

    def _row(self, record: 'dict[str, Any]') -> 'dict[str, Any]':
        packed = records.pack(record, self.max_record)
        return {'user_key': packed.user_key, 'ends': packed.ends, 'seen': packed.seen, 'record': packed.text.decode()}

    async def delete(self, session_id: str) -> bool:
        """End a session, and tell whether it was there: of two that end the same, one is told so."""
        if not is_session_id(session_id):
            return False
        count: int = await self.database.run((self._delete, {'this': session_id}))
        return count == 1

    async def delete_user(self, user: 'str | int', keep: 'str | None' = None) -> int:
        """End all sessions of a user.

        :param keep: the id of one that goes on.
        :returns: how many were ended.
        """
        user_key = records.key_of(user)
        if user_key is None:
            return 0
        kept = keep if is_session_id(keep) else ''
        which = {'user': user_key, 'now': records.read_clock(), 'keep': kept}
        count: int = await self.database.run((self._delete_user, which))
        return count

    async def list_user(self, user: 'str | int') -> 'list[tuple[str, dict[str, Any]]]':
        """Return id and record of each session that a user has, the one used last first; at most 1,000."""
        user_key = records.key_of(user)
        if user_key is None:
            return []
        time = records.read_clock()
        rows = await self.database.run((self._list, {'user': user_key, 'now': time}))
        found = [(row.id, records.unpack(row.record, time)) for row in rows]
        return [(session_id, record) for session_id, record in found if record is not None]

    async def time(self) -> int:
        """Return the database's Unix seconds, which are the same on every machine."""
        rows = await self.database.run((_TIME, {}))
        seconds: int = rows[0].seconds
        return seconds

    async def close(self) -> None:
        """Close the connections of this event loop, but not those of an engine that was given."""
        await self.database.close()
