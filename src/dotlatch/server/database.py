"""A database behind SQLAlchemy 2: PostgreSQL or SQLite, asked from any event loop, with a limit to each wait.

Needs portable.py, errors.py and waiting.py of this folder, and ``pip install dotlatch[sqlalchemy]``. The session store
and the users have one each, or share it, and with it its connections::

    store = SQLAlchemyStore('postgresql+asyncpg://app:password@127.0.0.1/app')
    users = SQLAlchemyUsers(store.database)
"""
import logging
import os
from collections.abc import Callable, Coroutine
from typing import Any, Union

from sqlalchemy import URL, Executable, Table, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NotSupportedError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from ..portable import open_private
from .errors import StoreUnavailable
from .waiting import TIMEOUT, PerLoop, settle, within

POOL_SIZE = 10
_ATTEMPTS = 10
_TRY_AGAIN = ('40001', '40P01')  # PostgreSQL: two transactions were in each other's way, and this one gave in

# It tells of every statement with its values, wherever a program has all that is logged at DEBUG.
_driver = logging.getLogger('aiosqlite')
if _driver.level == logging.NOTSET:
    _driver.setLevel(logging.INFO)

Statement = tuple[Executable, 'dict[str, Any]']
Source = Union[str, URL, AsyncEngine, Callable[[], AsyncEngine]]


class Database:
    """Where statements are run, each committed by itself.

    :param engine: see :class:`dotlatch.server.sqlalchemy.SQLAlchemyStore`; so are the others.
    :raises ValueError: for a URL, a time limit or a number of connections that cannot be.
    """
    def __init__(self, engine: Source, timeout: float = TIMEOUT, pool_size: int = POOL_SIZE) -> None:
        if not timeout > 0 or pool_size < 1:
            raise ValueError('timeout is a number of seconds above 0, and pool_size a number of connections above 0')
        self.timeout = timeout
        self._engines: 'PerLoop[AsyncEngine]'
        if isinstance(engine, AsyncEngine):
            self._engines = PerLoop(client=_ours(engine))
        elif isinstance(engine, (str, URL)):
            url, options = _engine_options(engine, timeout, pool_size)
            self._engines = PerLoop(lambda: create_async_engine(url, **options))
        elif callable(engine):
            make = engine
            self._engines = PerLoop(lambda: _ours(make()))
        else:
            raise TypeError('a database is given as a URL, as an AsyncEngine, or as a function that returns one')

    @classmethod
    def of(cls, engine: 'Source | Database', timeout: float, pool_size: int) -> 'Database':
        """Return the database that is given, or else a new one for the engine."""
        return engine if isinstance(engine, Database) else cls(engine, timeout, pool_size)

    async def create(self, table: Table) -> None:
        """Make a table and its indexes unless they are there. Several processes may do it at once."""
        engine = self._engines.get()
        if engine.dialect.name == 'sqlite':
            _make_file(engine.url.database or ':memory:')
        for attempt in (1, 2):
            try:
                await within(self.timeout * 5, _create(engine, table))
                return
            except StoreUnavailable:
                raise
            except Exception as error:
                # Another process may have been faster: a second look finds its table.
                if attempt == 2 or not isinstance(error, DBAPIError):
                    raise _unavailable(error) from error

    async def run(self, *statements: Statement) -> Any:
        """Run the statements; return the last one's rows, or how many it changed.

        :raises sqlalchemy.exc.IntegrityError: for what the table does not take.
        :raises StoreUnavailable: for everything else.
        """
        return await self._in_time(lambda engine: _execute(engine, statements))

    async def load(self, statement: Statement) -> Any:
        """Return rows with instances of a mapped class in them. These belong to no session."""
        return await self._in_time(lambda engine: _load(engine, *statement))

    async def _in_time(self, execute: 'Callable[[AsyncEngine], Coroutine[Any, Any, Any]]') -> Any:
        engine = self._engines.get()
        # A query of SQLite's that nobody reads to its end keeps others from writing. It gives up by itself.
        return await within(self.timeout, _ask(engine, execute), cancel=engine.dialect.name != 'sqlite')

    async def close(self) -> None:
        """Close the connections of this event loop, but not those of an engine that was given."""
        await settle(self.timeout)
        engine = self._engines.pop()
        if engine is not None:
            await engine.dispose()


async def _ask(engine: AsyncEngine, execute: 'Callable[[AsyncEngine], Coroutine[Any, Any, Any]]') -> Any:
    for attempt in range(_ATTEMPTS):
        try:
            return await execute(engine)
        except IntegrityError:
            raise
        except Exception as error:  # what drivers raise while they connect is of every kind
            if attempt == _ATTEMPTS - 1 or not _is_worth_another(error):
                raise _unavailable(error) from error


def _is_worth_another(error: Exception) -> bool:
    """Tell whether the same may be done in a moment."""
    if isinstance(error, NotSupportedError):  # asyncpg: the table was changed since the statement was prepared
        return True
    # The server was started anew, say. The pool has noticed, and what it opens now are other connections.
    return isinstance(error, DBAPIError) and (
        error.connection_invalidated or getattr(error.orig, 'sqlstate', None) in _TRY_AGAIN)


async def _execute(engine: AsyncEngine, statements: 'tuple[Statement, ...]') -> Any:
    async with engine.connect() as connection:
        for statement, parameters in statements:
            result = await connection.execute(statement, parameters)
        return result.all() if result.returns_rows else result.rowcount


async def _load(engine: AsyncEngine, statement: Executable, parameters: 'dict[str, Any]') -> Any:
    async with engine.connect() as connection, AsyncSession(connection) as session:
        found = (await session.execute(statement, parameters)).unique().all()
        session.expunge_all()
        return found


async def _create(engine: AsyncEngine, table: Table) -> None:
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level='SERIALIZABLE')
        async with connection.begin():
            await connection.run_sync(table.metadata.create_all, tables=[table])


def _make_file(path: str) -> None:
    """Make the file of a database that there is not yet: it will have hashes of passwords, for its owner alone."""
    if path.startswith((':memory:', 'file:')) or os.path.exists(path):
        return
    try:
        open_private(path).close()
    except OSError:  # another process has made it, or SQLite will say why it cannot
        pass


def _unavailable(error: Exception) -> StoreUnavailable:
    return StoreUnavailable('the database cannot be asked: ' + type(error).__name__)


def _ours(engine: AsyncEngine) -> AsyncEngine:
    """Return a view of somebody's engine: it commits each statement, and its errors quote no records."""
    view = engine.execution_options(isolation_level='AUTOCOMMIT')
    view.sync_engine.hide_parameters = True
    return view


def read_url(address: 'str | URL') -> URL:
    """Return the URL; ValueError, and not a word of it, for what is none."""
    try:
        url = make_url(address)
        url.get_dialect()
    except (ArgumentError, ValueError):  # which may quote a password
        raise ValueError('that is no address of a database, such as postgresql+asyncpg://app@host/app') from None
    return url


def _engine_options(engine: 'str | URL', timeout: float, pool_size: int) -> 'tuple[URL, dict[str, Any]]':
    """Return the URL and what ``create_async_engine`` takes beside it; ValueError for a URL that cannot do."""
    url = read_url(engine)
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
