"""A database behind SQLAlchemy 2: PostgreSQL or SQLite, asked from any event loop, with a limit to each wait.

Needs errors.py and waiting.py of this folder, and ``pip install dotlatch[sqlalchemy]``. The session store and the users
have one each, or share it, and with it its connections::

    store = SQLAlchemyStore('postgresql+asyncpg://app:password@127.0.0.1/app')
    users = SQLAlchemyUsers(store.database)
"""
from collections.abc import Callable, Coroutine
from typing import Any, Union

from sqlalchemy import URL, Executable, Table, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from .errors import StoreUnavailable
from .waiting import TIMEOUT, PerLoop, settle, within

POOL_SIZE = 10
_TRY_AGAIN = ('40001', '40P01')  # PostgreSQL: two transactions were in each other's way, and this one gave in

Statement = tuple[Executable, 'dict[str, Any]']
Source = Union[str, URL, AsyncEngine, Callable[[], AsyncEngine]]


class Database:
    """Where statements are run, each committed by itself.

    :param engine: see :class:`dotlatch.server.sqlalchemy.SQLAlchemyStore`; so are the others.
    """
    def __init__(self, engine: Source, timeout: float = TIMEOUT, pool_size: int = POOL_SIZE) -> None:
        self.timeout = timeout
        self._engines: 'PerLoop[AsyncEngine]'
        if isinstance(engine, AsyncEngine):
            self._engines = PerLoop(client=_ours(engine))
        elif isinstance(engine, (str, URL)):
            url, options = _engine_options(engine, timeout, pool_size)
            self._engines = PerLoop(lambda: create_async_engine(url, **options))
        else:
            make = engine
            self._engines = PerLoop(lambda: _ours(make()))

    async def create(self, table: Table) -> None:
        """Make a table and its indexes unless they are there. Several processes may do it at once."""
        engine = self._engines.get()
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
        """Return the instances of a mapped class that a statement selects. They belong to no session."""
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
    try:
        try:
            return await execute(engine)
        except DBAPIError as error:
            if not error.connection_invalidated and getattr(error.orig, 'sqlstate', None) not in _TRY_AGAIN:
                raise
            # The server was started anew, say. The pool has noticed, and what it opens now are other connections.
            return await execute(engine)
    except IntegrityError:
        raise
    except Exception as error:  # what drivers raise while they connect is of every kind
        raise _unavailable(error) from error


async def _execute(engine: AsyncEngine, statements: 'tuple[Statement, ...]') -> Any:
    async with engine.connect() as connection:
        for statement, parameters in statements:
            result = await connection.execute(statement, parameters)
        return result.all() if result.returns_rows else result.rowcount


async def _load(engine: AsyncEngine, statement: Executable, parameters: 'dict[str, Any]') -> Any:
    async with engine.connect() as connection, AsyncSession(connection) as session:
        found = (await session.execute(statement, parameters)).unique().scalars().all()
        session.expunge_all()
        return found


async def _create(engine: AsyncEngine, table: Table) -> None:
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level='SERIALIZABLE')
        async with connection.begin():
            await connection.run_sync(table.metadata.create_all, tables=[table])


def _unavailable(error: Exception) -> StoreUnavailable:
    return StoreUnavailable('the database cannot be asked: ' + type(error).__name__)


def _ours(engine: AsyncEngine) -> AsyncEngine:
    """Return a view of somebody's engine: it commits each statement, and its errors quote no records."""
    view = engine.execution_options(isolation_level='AUTOCOMMIT')
    view.sync_engine.hide_parameters = True
    return view


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
