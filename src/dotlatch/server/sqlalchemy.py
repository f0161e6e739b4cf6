"""Sessions in a database: PostgreSQL or SQLite, through SQLAlchemy 2.

Needs portable.py, strictjson.py, stores.py, errors.py, records.py and waiting.py of this folder, and
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
from collections.abc import Callable
from typing import Any, Union

from sqlalchemy import (
    URL,
    BigInteger,
    Column,
    Executable,
    MetaData,
    String,
    Table,
    Text,
    bindparam,
    delete,
    insert,
    make_url,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from ..stores import is_session_id
from . import records
from .errors import StoreUnavailable
from .waiting import TIMEOUT, PerLoop, settle, within

POOL_SIZE = 10
_TRY_AGAIN = ('40001', '40P01')  # PostgreSQL: two transactions were in each other's way, and this one gave in
_CLEARED = 10  # ended sessions that a new one deletes: more than it will leave itself

Statement = tuple[Executable, 'dict[str, Any]']
Source = Union[str, URL, AsyncEngine, Callable[[], AsyncEngine]]


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
        returns a new ``AsyncEngine``, called once for each event loop; or an engine, for programs that have one loop.
    :param table: what :func:`sessions_table` returned.
    :param timeout: seconds that a call may take in all, with the wait for a connection.
    :param pool_size: connections of one event loop, where a URL is given; more calls wait for one of them.
    :param max_record: bytes of JSON that a session may have.
    """
    def __init__(self, engine: Source, table: Table = sessions, timeout: float = TIMEOUT, pool_size: int = POOL_SIZE,
                 max_record: int = records.MAX_RECORD) -> None:
        self.table = table
        self.timeout = timeout
        self.max_record = max_record
        self._engines: 'PerLoop[AsyncEngine]'
        if isinstance(engine, AsyncEngine):
            self._engines = PerLoop(client=_autocommit(engine))
        elif isinstance(engine, (str, URL)):
            url, options = _engine_options(engine, timeout, pool_size)
            self._engines = PerLoop(lambda: create_async_engine(url, **options))
        else:
            make = engine
            self._engines = PerLoop(lambda: _autocommit(make()))
        self._prepare(table)

    def _prepare(self, table: Table) -> None:
        this, live, users = (table.c.id == bindparam('this'), table.c.ends > bindparam('now'),
                             table.c.user_key == bindparam('user'))
        ended = table.c.ends <= bindparam('now')
        some = select(table.c.id).where(ended).limit(_CLEARED).with_for_update(skip_locked=True)
        self._load = select(table.c.record).where(this, live)
        self._insert = insert(table)
        self._update = update(table).where(this, live)
        self._delete = delete(table).where(this)
        self._clear = delete(table).where(ended, table.c.id.in_(some))
        self._list = select(table.c.id, table.c.record).where(users, live).order_by(
            table.c.seen.desc()).limit(records.MAX_LISTED)
        self._delete_user = delete(table).where(users, live, table.c.id != bindparam('keep'))

    async def create_all(self) -> None:
        """Make the table and its indexes unless they are there. Several processes may do it at once."""
        engine = self._engines.get()
        for attempt in (1, 2):
            try:
                await within(self.timeout * 5, _create(engine, self.table))
                return
            except StoreUnavailable:
                raise
            except Exception as error:
                # Another process may have been faster: a second look finds its table.
                if attempt == 2 or not isinstance(error, DBAPIError):
                    raise _unavailable(error) from error

    async def load(self, session_id: str) -> 'dict[str, Any] | None':
        """Return the session's record; ``None`` when there is none, or it has ended or is damaged.

        :raises StoreUnavailable: as all methods do; it is an OSError.
        """
        if not is_session_id(session_id):
            return None
        time = records.read_clock()
        rows = await self._run((self._load, {'this': session_id, 'now': time}))
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
        packed = records.pack(record, self.max_record)
        row = {'user_key': packed.user_key, 'ends': packed.ends, 'seen': packed.seen, 'record': packed.text.decode()}
        now = {'now': records.read_clock()}
        if not new:
            count: int = await self._run((self._update, {**row, **now, 'this': session_id}))
            return count == 1
        try:
            await self._run((self._clear, now), (self._insert, {**row, 'id': session_id}))
        except IntegrityError:  # it is there
            return False
        return True

    async def delete(self, session_id: str) -> None:
        """End a session. It is no error when it is not there."""
        if is_session_id(session_id):
            await self._run((self._delete, {'this': session_id}))

    async def delete_user(self, user: 'str | int', keep: 'str | None' = None) -> int:
        """End all sessions of a user.

        :param keep: the id of one that goes on.
        :returns: how many were ended.
        """
        user_key = records.key_of(user)
        if user_key is None:
            return 0
        kept = keep if is_session_id(keep) else ''
        count: int = await self._run((self._delete_user, {'user': user_key, 'now': records.read_clock(), 'keep': kept}))
        return count

    async def list_user(self, user: 'str | int') -> 'list[tuple[str, dict[str, Any]]]':
        """Return id and record of each session that a user has, the one used last first; at most 1,000."""
        user_key = records.key_of(user)
        if user_key is None:
            return []
        time = records.read_clock()
        rows = await self._run((self._list, {'user': user_key, 'now': time}))
        found = [(row.id, records.unpack(row.record, time)) for row in rows]
        return [(session_id, record) for session_id, record in found if record is not None]

    async def close(self) -> None:
        """Close the connections of this event loop, but not those of an engine that was given."""
        await settle(self.timeout)
        engine = self._engines.pop()
        if engine is not None:
            await engine.dispose()

    async def _run(self, *statements: Statement) -> Any:
        """Run the statements; return the last one's rows, or how many it changed."""
        engine = self._engines.get()
        # A query of SQLite's that nobody reads to its end keeps others from writing. It gives up by itself.
        return await within(self.timeout, _ask(engine, statements), cancel=engine.dialect.name != 'sqlite')


async def _ask(engine: AsyncEngine, statements: 'tuple[Statement, ...]') -> Any:
    try:
        try:
            return await _execute(engine, statements)
        except DBAPIError as error:
            if not error.connection_invalidated and getattr(error.orig, 'sqlstate', None) not in _TRY_AGAIN:
                raise
            # The server was started anew, say. The pool has noticed, and what it opens now are other connections.
            return await _execute(engine, statements)
    except IntegrityError:
        raise
    except Exception as error:  # what drivers raise while they connect is of every kind
        raise _unavailable(error) from error


async def _execute(engine: AsyncEngine, statements: 'tuple[Statement, ...]') -> Any:
    async with engine.connect() as connection:
        for statement, parameters in statements:
            result = await connection.execute(statement, parameters)
        return result.all() if result.returns_rows else result.rowcount


async def _create(engine: AsyncEngine, table: Table) -> None:
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level='SERIALIZABLE')
        async with connection.begin():
            await connection.run_sync(table.metadata.create_all, tables=[table])


def _unavailable(error: Exception) -> StoreUnavailable:
    return StoreUnavailable('the database cannot be asked: ' + type(error).__name__)


def _autocommit(engine: AsyncEngine) -> AsyncEngine:
    return engine.execution_options(isolation_level='AUTOCOMMIT')


def _engine_options(engine: 'str | URL', timeout: float, pool_size: int) -> 'tuple[URL, dict[str, Any]]':
    """Return the URL and what ``create_async_engine`` takes beside it; ValueError for a URL that cannot do."""
    url = make_url(engine)
    dialect = url.get_dialect()
    if not dialect.is_async:
        raise ValueError(f'{url.drivername} is no async driver: postgresql+asyncpg and sqlite+aiosqlite are')
    # Errors do not quote records.
    options: 'dict[str, Any]' = {
        'isolation_level': 'AUTOCOMMIT', 'hide_parameters': True, 'poolclass': AsyncAdaptedQueuePool,
        'max_overflow': 0, 'pool_timeout': timeout}
    if dialect.name == 'sqlite':
        if url.database in (None, '', ':memory:'):
            raise ValueError('SQLite in memory is another database for each connection: name a file')
        # One connection a loop: writers wait for each other in Python, which is fair, and not in SQLite, which is not.
        options.update(connect_args={'timeout': timeout}, pool_size=1)
    else:
        options.update(pool_size=pool_size)
        if dialect.driver == 'asyncpg':
            options.update(connect_args={'timeout': timeout, 'command_timeout': timeout})
    return url, options
