"""Users in a database: PostgreSQL or SQLite, through SQLAlchemy 2.

Needs users.py, passwords.py, names.py, userfactor.py and portable.py, database.py, usertable.py, errors.py and
waiting.py of this folder, mappedusers.py for users who are instances of a mapped class, and
``pip install dotlatch[sqlalchemy]``::

    from dotlatch.login import Login
    from dotlatch.server.sqlalchemy_users import SQLAlchemyUsers

    users = SQLAlchemyUsers('postgresql+asyncpg://app:password@127.0.0.1/app')
    await users.create_all()                         # or with Alembic: see users_table()
    login = Login(users=users)

    anna = await users.create('anna', 'correct horse battery staple')
    await users.authenticate('anna', password)       # a User, or None
    await users.close()                              # at the end of the loop

A user is one row. Each change is one statement with its own conditions, so that of several processes one wins, and the
others are told. What :class:`dotlatch.users.MemoryUsers` promises holds here, but all methods are async, and each call
returns an object of its own: a change is seen by who asks again.
"""
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, MetaData, bindparam, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from .. import passwords, userfactor
from ..names import check_name, folded
from ..portable import call, compare_digest, warn_once
from ..users import User, checked_scopes
from .database import POOL_SIZE, Database, Source
from .usertable import UserColumns, UserTable, is_text, users_table
from .waiting import TIMEOUT

MAX_LISTED = 1000  # users that one call lists
_ATTEMPTS = 4      # at a change that others are quicker to make

metadata = MetaData()
users = users_table(metadata)

Condition = ColumnElement[bool]


class SQLAlchemyUsers:
    """Users that several processes share, in a table.

    Each method raises :class:`dotlatch.server.errors.StoreUnavailable`, an OSError, when the database cannot be asked
    in time. A change may then have been made all the same, as with everything that is asked over a network.

    :param engine: as that of :class:`dotlatch.server.sqlalchemy.SQLAlchemyStore`; or the store's ``database``.
    :param table: what :func:`users_table` returned, or a table or mapped class of your own.
    :param columns: names of its columns, or of the class's attributes, where they are others: ``{'name': 'email'}``.
    :param extra: names of further columns, which users then have as attributes.
    :param instances: ``True`` to have instances of the mapped class as users, which belong to no ORM session.
    :param timeout: seconds that one question may take in all, with the wait for a connection.
    :param pool_size: connections of one event loop, where a URL is given.
    :param check_password: see :class:`dotlatch.users.MemoryUsers`; so are ``events`` and ``digest``.
    :raises ValueError: for a table that cannot hold users.
    """
    def __init__(self, engine: 'Source | Database', table: UserTable = users,
                 columns: 'Mapping[str, str] | None' = None, extra: 'Iterable[str]' = (), timeout: float = TIMEOUT,
                 pool_size: int = POOL_SIZE, check_password: Any = None, events: Any = None,
                 digest: Any = None, instances: bool = False) -> None:
        self.columns = of = _columns(table, columns, extra, instances)
        if digest is not None and 'digest_ha1' not in of:
            raise ValueError('digest needs a column digest_ha1')
        self.table = of.table
        self.check_password = check_password
        self.events = events
        self.digest = digest
        self.database = engine if isinstance(engine, Database) else Database(engine, timeout, pool_size)
        self._ask = self.database.load if instances else self.database.run
        self._by_id = select(*of.read).where(of['id'] == bindparam('this'))
        self._by_name = select(*of.read).where(of['name_key'] == bindparam('this'))

    async def create_all(self) -> None:
        """Make the table and its indexes unless they are there. Several processes may do it at once."""
        await self.database.create(self.table)

    async def close(self) -> None:
        """Close the connections of this event loop, but not those of an engine that was given."""
        await self.database.close()

    # --- who is there -----------------------------------------------------------------------------

    async def get_by_id(self, user_id: 'str | int') -> 'User | None':
        """Return the user with that id, or ``None``."""
        return await self._one(self._by_id, user_id) if self.columns.is_id(user_id) else None

    async def get_by_name(self, name: str) -> 'User | None':
        """Return the user with that name, or ``None``."""
        return await self._one(self._by_name, folded(name)) if is_text(name) else None

    async def count(self) -> int:
        """Return how many users there are."""
        rows = await self.database.run((select(func.count()).select_from(self.table), {}))
        return int(rows[0][0])

    async def list_users(self, after: str = '', limit: int = 100) -> 'list[User]':
        """Return users by name.

        :param after: the name of the last one that was listed before.
        :param limit: how many at most; no more than 1,000.
        """
        key = self.columns['name_key']
        listed = select(*self.columns.read).order_by(key).limit(max(1, min(limit, MAX_LISTED)))
        if after and not is_text(after):
            return []
        if after:
            listed = listed.where(key > folded(after))
        return [self.columns.user_of(row) for row in await self._ask((listed, {}))]

    async def authenticate(self, name: str, password: str) -> 'User | None':
        """Return the user whose name and password these are, or ``None``, after the same time.

        A hash below today's cost is made anew, since the password is at hand.
        """
        user = await self.get_by_name(name)
        hashed = user.password_hash if user is not None and user.is_active else None
        if not await passwords.verify_password(password, hashed) or user is None or hashed is None:
            return None
        hashed = await self._improved(user, hashed, password)
        # A hash takes long: the account may be shut since, or its password be another one.
        fresh = await self._open(user.id)
        if fresh is None or _same(fresh.password_hash, hashed):
            return fresh
        hashed = fresh.password_hash  # another login was quicker to make it anew, perhaps
        if hashed is None or not await passwords.verify_password(password, hashed):
            return None
        fresh = await self._open(user.id)
        return fresh if fresh is not None and _same(fresh.password_hash, hashed) else None

    # --- changes ----------------------------------------------------------------------------------

    async def create(self, name: str, password: str, scopes: Any = (), **extra: Any) -> User:
        """Add a user.

        :param extra: values of the columns that ``extra`` has named.
        :raises ValueError: when the name is taken, empty, longer than 64 characters or has control characters; when
            the password is too long or not good enough; when the scopes are no strings.
        """
        check_name(name)
        scopes = checked_scopes(scopes)
        self.columns.check_extra(extra)
        fields = {'name': name, 'name_key': folded(name), 'is_active': True, 'session_version': 0, **extra,
                  'password_hash': await self._hash_of(password, name)}
        optional = {'scopes': scopes, 'digest_ha1': self._digest_of(password, name), 'totp_step': 0}
        fields.update({field: optional[field] for field in optional if field in self.columns})
        if scopes and 'scopes' not in self.columns:
            raise ValueError('the table has no column for the scopes of users')
        new_id = self.columns.new_id()
        if new_id is not None:
            fields['id'] = new_id
        user = await self._inserted(fields)
        self._tell('user_created', user)
        return user

    async def set_password(self, user: User, password: str) -> None:
        """Give the user another password, which ends the sessions that the old one opened.

        :raises ValueError: when it is too long or not good enough; when the user is not there any more.
        """
        hashed = await self._hash_of(password, user.name)
        if not await self._keep_hash(user, hashed, password, event='password_changed'):
            raise _gone()

    async def change_password(self, user: User, current: str, new: str) -> bool:
        """Do the same for a user who knows the current password (ASVS 6.2.3), and tell whether that was the right one.

        Ask a :class:`dotlatch.throttle.Throttle` first: each call is a guess.

        :raises ValueError: as :meth:`set_password` does, once the current password was right.
        """
        fresh = await self._open(user.id)
        verified = fresh.password_hash if fresh is not None else None
        if not await passwords.verify_password(current, verified) or fresh is None or verified is None:
            return False
        hashed = await self._hash_of(new, fresh.name)
        return await self._keep_hash(user, hashed, new, verified, 'password_changed')

    async def rename(self, user: User, name: str) -> None:
        """Give the user another name. The id stays, and so do the sessions.

        :raises ValueError: as :meth:`create` does for a name.
        """
        check_name(name)
        fields: 'dict[str, Any]' = {'name': name, 'name_key': folded(name)}
        if 'digest_ha1' in self.columns:
            fields['digest_ha1'] = None  # which has the name in it
        await self._set(user, fields, 'user_renamed')

    async def set_scopes(self, user: User, scopes: Any) -> None:
        """Say anew what the user may do. ValueError for what is not an iterable of strings."""
        await self._set(user, {'scopes': checked_scopes(scopes)}, 'scopes_changed')

    async def disable(self, user: User) -> None:
        """Shut the account, and end all sessions of the user: they do not come back with :meth:`enable`."""
        await self._set(user, {'is_active': False}, 'user_disabled', end_sessions=True)

    async def enable(self, user: User) -> None:
        """Open the account again."""
        await self._set(user, {'is_active': True}, 'user_enabled')

    async def end_sessions(self, user: User) -> None:
        """End all sessions of the user, wherever they are."""
        await self._set(user, {}, 'sessions_ended', end_sessions=True)

    async def remove(self, user: User) -> None:
        """Remove the user; the sessions end with it. KeyError when it is not there."""
        there = delete(self.table).where(self.columns.equals('id', user.id))
        try:
            count = await self.database.run((there, {}))
        except IntegrityError:
            count = -1
        if count == -1:
            raise ValueError('that user cannot be removed: rows of another table refer to it')
        if not count:
            raise KeyError(user.id)
        self._tell('user_removed', user)

    # --- a second factor, see dotlatch.second -----------------------------------------------------

    async def set_second_factor(self, user: User, totp: 'str | None', step: int = 0,
                                recovery: 'str | None' = None) -> bool:
        """See :meth:`dotlatch.users.MemoryUsers.set_second_factor`."""
        fields = {'totp': totp, 'totp_step': step, 'recovery': recovery}
        if totp is None:
            fields = {'totp': None, 'totp_step': 0, 'recovery': None}
        userfactor.check(fields['totp'], fields['totp_step'], fields['recovery'])
        kept = self.columns['totp']
        return await self._change(user, fields, kept.is_(None) if totp is not None else kept.is_not(None),
                                  event='second_factor_removed' if totp is None else 'second_factor_set',
                                  end_sessions=True)

    async def use_totp_step(self, user: User, step: int) -> bool:
        """Keep the step of a code that is right; ``False`` when it, or a later one, was used before."""
        totp = getattr(user, 'totp', None)
        userfactor.check(totp, step, None)
        if totp is None:
            return False
        last = func.coalesce(self.columns['totp_step'], 0)
        return await self._change(user, {'totp_step': step}, self._is_active(), last < step,
                                  self.columns.equals('totp', totp))

    async def swap_recovery(self, user: User, before: 'str | None', after: str) -> bool:
        """Keep another text of recovery codes; ``False`` when what is kept is not ``before`` any more."""
        userfactor.check(None, 0, after)
        kept: 'ColumnElement[str]' = func.coalesce(self.columns['recovery'], '')
        return await self._change(user, {'recovery': after}, self._is_active(), kept == (before or ''),
                                  self.columns['totp'].is_not(None))

    # --- statements -------------------------------------------------------------------------------

    async def _one(self, statement: Any, this: 'str | int') -> 'User | None':
        rows = await self._ask((statement, {'this': this}))
        return self.columns.user_of(rows[0]) if rows else None

    async def _open(self, user_id: 'str | int') -> 'User | None':
        user = await self.get_by_id(user_id)
        return user if user is not None and user.is_active else None

    async def _inserted(self, fields: 'dict[str, Any]') -> User:
        statement = insert(self.table).values(self.columns.values(fields)).returning(*self.columns.selected)
        try:
            rows = await self.database.run((statement, {}))
        except IntegrityError:  # which may quote the row
            rows = None
        user = await self._made(rows[0]) if rows else None
        if user is not None:
            return user
        there = await self.get_by_name(fields['name'])
        if there is None:
            raise RuntimeError('the table does not take that user: a constraint of yours is against it')
        if _same(there.password_hash, fields['password_hash']):  # perhaps the connection broke, and it was us
            return there
        raise ValueError('that name is taken')

    async def _made(self, row: Any) -> 'User | None':
        """Return the user whose row was made."""
        if self.columns.read is not self.columns.selected:
            return await self.get_by_id(row[0])
        user: User = self.columns.user_of(row)
        return user

    async def _set(self, user: User, fields: 'dict[str, Any]', event: str, end_sessions: bool = False) -> None:
        """Change what may be changed whatever it was before."""
        if not await self._change(user, fields, event=event, end_sessions=end_sessions):
            raise _gone()

    async def _keep_hash(self, user: User, hashed: str, password: 'str | None', verified: 'str | None' = None,
                         event: str = '') -> bool:
        """Keep a password's hash; ``False`` when ``verified`` opens the account no more, or nobody is there.

        :param password: of which ``digest_ha1`` is made too.
        """
        only = [] if verified is None else [self._is_active(), self.columns.equals('password_hash', verified)]
        for _ in range(_ATTEMPTS):
            where = list(only)
            fields: 'dict[str, Any]' = {'password_hash': hashed}
            if password is not None and 'digest_ha1' in self.columns:
                fields['digest_ha1'] = self._digest_of(password, user.name)
                where.append(self.columns.equals('name', user.name))  # which is in it
            name = user.name
            if await self._change(user, fields, *where, event=event):
                return True
            if event and _same(user.password_hash, hashed):  # the connection broke, and it was us
                self._tell(event, user)
                return True
            if user.name == name:  # it was not the name that did not fit
                return False
        return False

    async def _improved(self, user: User, hashed: str, password: str) -> str:
        """Return the hash that is kept now: a better one, when it was weak."""
        is_weak = passwords.needs_rehash(hashed)
        has_no_digest = self.digest is not None and user.digest_ha1 is None
        if not (is_weak or has_no_digest):
            return hashed
        better = await passwords.hash_password(password) if is_weak else hashed
        try:
            kept = await self._keep_hash(user, better, password if has_no_digest else None, hashed)
        except OSError:  # a database that is read-only keeps nobody out
            warn_once('a better password hash could not be kept')
            kept = False
        return better if kept else hashed

    async def _change(self, user: User, fields: 'dict[str, Any]', *where: Condition, event: str = '',
                      end_sessions: bool = False) -> bool:
        """Change a user in one statement, if all of ``where`` holds. In either case ``user`` is what is kept now."""
        values = self.columns.values(fields)
        if end_sessions:
            version = self.columns['session_version']
            values[version] = func.coalesce(version, 0) + 1
        there = self.columns.equals('id', user.id)
        statement = update(self.table).where(there, *where).values(values).returning(*self.columns.selected)
        try:
            rows = await self.database.run((statement, {}))
        except IntegrityError:  # which may quote the row
            rows = None
        if rows is None and 'name' in fields:
            raise ValueError('that name is taken')
        if rows is None:
            raise RuntimeError('the table does not take that change of a user: a constraint of yours is against it')
        if rows:
            self.columns.renew(user, rows[0])
        else:
            fresh = await self.get_by_id(user.id)
            if fresh is not None:
                self.columns.copy(user, fresh)
        if rows and event:
            self._tell(event, user)
        return bool(rows)

    def _is_active(self) -> Condition:
        return self.columns['is_active'].is_(True)

    async def _hash_of(self, password: str, name: str) -> str:
        """Return the hash of a new password, once it is good enough."""
        if self.check_password is not None and await call(self.check_password, password, (name,)) is False:
            raise ValueError('that password is not good enough')
        return await passwords.hash_password(password)

    def _digest_of(self, password: str, name: str) -> 'str | None':
        return self.digest.make_ha1(name, password) if self.digest is not None else None

    def _tell(self, event: str, user: User) -> None:
        if self.events is not None:
            self.events.emit(event, user=user.id, name=user.name)


def _columns(table: UserTable, names: 'Mapping[str, str] | None', extra: 'Iterable[str]',
             instances: bool) -> UserColumns:
    if not instances:
        return UserColumns(table, names, extra)
    from .mappedusers import InstanceColumns
    return InstanceColumns(table, names, extra)


def _gone() -> ValueError:
    return ValueError('that user is not there any more')


def _same(hashed: 'str | None', other: 'str | None') -> bool:
    return compare_digest((hashed or '').encode(), (other or '').encode())
