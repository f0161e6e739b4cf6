"""API keys in a database: PostgreSQL or SQLite, through SQLAlchemy 2.

Needs apikeys.py, strictjson.py and portable.py, database.py, records.py, usertable.py, errors.py and waiting.py of this
folder, and ``pip install dotlatch[sqlalchemy]``::

    from dotlatch.auth import APIKeyAuth
    from dotlatch.server.sqlalchemy_keys import SQLAlchemyKeys

    keys = SQLAlchemyKeys('postgresql+asyncpg://app:password@127.0.0.1/app', prefix='greenhouse')
    await keys.create_all()                          # or with Alembic: see keys_table()
    auth = APIKeyAuth(keys)

    print(await keys.create(anna, 'Weather display', ['read']))   # greenhouse_4mWq..._Z8xK..., shown this once
    await keys.revoke(key_id)
    await keys.close()                               # at the end of the loop

A key is one row, which holds the SHA-256 of its secret part and not the secret. What
:class:`dotlatch.apikeys.MemoryKeys` promises holds here, but all methods are async.
"""
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from .. import apikeys, strictjson
from ..apikeys import APIKey
from ..identity import user_id
from ..portable import now, random_bytes
from . import records
from .database import POOL_SIZE, Database, Source
from .errors import StoreUnavailable
from .usertable import is_text
from .waiting import TIMEOUT

MAX_LISTED = 1000  # keys that one call lists
_HOUR = 3600
_ATTEMPTS = 40     # at a place that others are quicker to take
_NEVER = 1 << 62


def keys_table(metadata: MetaData, name: str = 'dotlatch_keys') -> Table:
    """Return the table, added to ``metadata``: a program's own, for Alembic to see it with the others."""
    return Table(
        name, metadata,
        Column('id', String(12), primary_key=True),
        Column('user_key', String(records.LONGEST_KEY), nullable=False),  # the user's id, as JSON
        # No two keys of a user have the same one, so of many that are made at once there are not too many.
        Column('place', Integer, nullable=False),
        Column('name', String(64), nullable=False, index=True),
        Column('scopes', Text, nullable=False),            # JSON
        Column('secret_hash', String(43), nullable=False),
        Column('created', BigInteger),                     # Unix seconds, as the other two
        Column('expires', BigInteger),
        Column('last_used', BigInteger),
        UniqueConstraint('user_key', 'place'),
    )


metadata = MetaData()
keys = keys_table(metadata)


class SQLAlchemyKeys:
    """API keys that several processes share, in a table.

    Each method raises :class:`dotlatch.server.errors.StoreUnavailable`, an OSError, when the database cannot be asked
    in time. A change may then have been made all the same, as with everything that is asked over a network.

    :param engine: as that of :class:`dotlatch.server.sqlalchemy.SQLAlchemyStore`; or its ``database``.
    :param table: what :func:`keys_table` returned.
    :param prefix: see :class:`dotlatch.apikeys.MemoryKeys`; so are ``max_per_user`` and ``events``.
    :param timeout: seconds that one question may take in all, with the wait for a connection.
    :param pool_size: connections of one event loop, where a URL is given.
    """
    def __init__(self, engine: 'Source | Database', table: Table = keys, prefix: str = 'dl', max_per_user: int = 20,
                 events: Any = None, timeout: float = TIMEOUT, pool_size: int = POOL_SIZE) -> None:
        apikeys.check_prefix(prefix)
        self.table = table
        self.prefix = prefix
        self.max_per_user = max_per_user
        self.events = events
        self.database = Database.of(engine, timeout, pool_size)
        self._prepare(table)

    def _prepare(self, table: Table) -> None:
        of = table.c
        this, theirs = of.id == bindparam('this'), of.user_key == bindparam('user')
        self._all = select(*[column for column in of if column is not of.place])
        self._find = self._all.where(this)
        self._of_user = self._all.where(theirs).limit(MAX_LISTED)
        self._places = select(of.id, of.place).where(theirs)
        self._clear = delete(table).where(theirs, of.expires <= bindparam('now'))
        self._insert = insert(table)
        told = (of.user_key, of.name)
        self._revoke = delete(table).where(this).returning(*told)
        self._revoke_own = delete(table).where(this, theirs).returning(*told)
        self._revoke_user = delete(table).where(theirs).returning(*told)
        self._used = update(table).where(this, or_(
            of.last_used.is_(None), of.last_used <= bindparam('before'), of.last_used > bindparam('after')))

    async def create_all(self) -> None:
        """Make the table and its indexes unless they are there. Several processes may do it at once."""
        await self.database.create(self.table)

    async def close(self) -> None:
        """Close the connections of this event loop, but not those of an engine that was given."""
        await self.database.close()

    # --- which there are --------------------------------------------------------------------------

    async def count(self) -> int:
        """Return how many keys there are."""
        rows = await self.database.run((select(func.count()).select_from(self.table), {}))
        return int(rows[0][0])

    async def list_keys(self, after: 'APIKey | None' = None, limit: int = 100) -> 'list[APIKey]':
        """Return keys by name.

        :param after: the last one that was listed before.
        :param limit: how many at most; no more than 1,000.
        """
        name, key_id = self.table.c.name, self.table.c.id
        listed = self._all.order_by(name, key_id).limit(max(1, min(limit, MAX_LISTED)))
        if after is not None:
            # The first condition says less than the second, and so much that an index finds the place.
            listed = listed.where(name >= after.name, or_(name > after.name, key_id > after.id))
        return [_key_of(row) for row in await self.database.run((listed, {}))]

    async def of_user(self, user: Any) -> 'list[APIKey]':
        """Return the keys of a user, given as an object, a dictionary or an id, by name."""
        rows = await self.database.run((self._of_user, {'user': _user_key(user)}))
        return sorted([_key_of(row) for row in rows], key=lambda key: (key.name, key.id))

    async def find(self, key_id: str) -> 'APIKey | None':
        """Return the key with that id, or ``None``."""
        rows = await self.database.run((self._find, {'this': key_id})) if is_text(key_id) else ()
        return _key_of(rows[0]) if rows else None

    # --- changes ----------------------------------------------------------------------------------

    async def create(self, user: Any, name: str, scopes: Any = (), expires: 'int | None' = None) -> str:
        """Make a key and return its text, which is kept nowhere: show it now, once.

        Where there is no room, the user's keys whose time is over go.

        :param user: see :meth:`dotlatch.apikeys.MemoryKeys.create`; so are the others, and what is raised.
        """
        text, key = apikeys.new_key(self.prefix, user, name, scopes, expires)
        owner = _user_key(user)
        if owner is None or owner.startswith('sha256:'):  # which gives no id back
            raise ValueError('the id of a user who has API keys is a number, or text of at most some 90 characters')
        row = {'id': key.id, 'user_key': owner, 'name': name, 'secret_hash': key.secret_hash,
               'scopes': _text_of(key.scopes), 'created': key.created, 'expires': expires}
        for _ in range(_ATTEMPTS):
            place = await self._free_place(key.id, owner)
            try:
                if place is not None:
                    await self.database.run((self._insert, {**row, 'place': place}))
            except IntegrityError:  # somebody was quicker to take that place; or the connection broke, and it was us
                continue
            self._tell('key_created', key.user_id, key.name)
            return text
        raise StoreUnavailable('very many keys are made for one user at once')

    async def revoke(self, key_id: str, user: Any = None) -> bool:
        """End a key, and tell whether there was one.

        :param user: when given, only a key of this user goes: for ids that a form sends.
        """
        if not is_text(key_id):
            return False
        own = {} if user is None else {'user': _user_key(user)}
        return await self._drop(self._revoke_own if own else self._revoke, {'this': key_id, **own}) == 1

    async def revoke_user(self, user: Any) -> int:
        """End all keys of a user, and return how many there were."""
        return await self._drop(self._revoke_user, {'user': _user_key(user)})

    async def used(self, key: APIKey) -> None:
        """Keep that the key was used now, unless that is known of the last hour, from whichever process."""
        time = now()
        hour = {'before': -1, 'after': _NEVER} if time is None else {'before': time - _HOUR, 'after': time}
        await self.database.run((self._used, {'this': key.id, 'last_used': time or 0, **hour}))

    async def _free_place(self, key_id: str, user_key: str) -> 'int | None':
        """Return a place for another key of the user, or ``None`` when this key has one."""
        rows = await self.database.run((self._places, {'user': user_key}))
        if len(rows) >= self.max_per_user:
            is_over = {'user': user_key, 'now': now() or 0}
            rows = await self.database.run((self._clear, is_over), (self._places, {'user': user_key}))
        taken = {row.place: row.id for row in rows}
        if key_id in taken.values():
            return None
        free = [place for place in range(self.max_per_user) if place not in taken]
        if len(rows) >= self.max_per_user or not free:
            raise ValueError(f'there are {self.max_per_user} keys already: revoke one first')
        return free[int.from_bytes(random_bytes(4), 'big') % len(free)]  # not where everybody else tries

    async def _drop(self, statement: Any, which: 'dict[str, Any]') -> int:
        rows = await self.database.run((statement, which))
        for row in rows:
            try:
                owner = _user_of(row.user_key)
            except ValueError:  # the row is damaged, and gone
                owner = row.user_key
            self._tell('key_revoked', owner, row.name)
        return len(rows)

    def _tell(self, event: str, user: 'str | int', name: str) -> None:
        if self.events is not None:
            self.events.emit(event, user=user, name=name)


def _user_key(user: Any) -> 'str | None':
    """Return the user's id as it is kept: JSON, in which 1 and '1' are two users. No row has what is too long for it.
    """
    return records.key_of(user_id(user))


def _user_of(user_key: str) -> Any:
    return strictjson.loads(user_key.encode())


def _text_of(scopes: 'list[str]') -> str:
    try:
        return strictjson.dumps(scopes).decode()
    except TypeError:
        raise ValueError('scopes are a list of strings that UTF-8 can hold') from None


def _key_of(row: Any) -> APIKey:
    """Return the key that a row is; StoreUnavailable for a row that is none, so that nobody is let in by it."""
    fields = dict(row._mapping)
    try:
        fields['user_id'] = _user_of(fields.pop('user_key'))
        fields['scopes'] = strictjson.loads(fields['scopes'].encode())
        return apikeys.read_key(fields)
    except (ValueError, TypeError, KeyError, AttributeError):
        pass
    raise StoreUnavailable('the row of an API key is damaged')  # and not what it holds
