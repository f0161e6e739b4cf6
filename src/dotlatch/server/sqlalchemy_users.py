"""Users in a database: PostgreSQL or SQLite, through SQLAlchemy 2.

Needs users.py, passwords.py, names.py, userfactor.py and portable.py, tableusers.py, database.py, usertable.py,
errors.py and waiting.py of this folder, mappedusers.py for users who are instances of a mapped class, and
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

from .. import userfactor
from ..names import check_name, folded
from ..users import User, checked_scopes
from .database import POOL_SIZE, Database, Source
from .tableusers import MAX_LISTED, TableUsers, gone, same
from .usertable import UserColumns, UserTable, is_text, users_table
from .waiting import TIMEOUT

_ATTEMPTS = 4      # at a change that others are quicker to make

metadata = MetaData()
users = users_table(metadata)

Condition = ColumnElement[bool]


class SQLAlchemyUsers(TableUsers):
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
        super().__init__(engine, of.table, timeout, pool_size, check_password, events)
        self.digest = digest
        self._ask = self.database.load if instances else self.database.run
        self._by_id = select(*of.read).where(of['id'] == bindparam('this'))
        self._by_name = select(*of.read, of['name_key']).where(of['name_key'] == bindparam('this'))

    async def create_all(self) -> None:
        """Make the table and its indexes unless they are there. Several processes may do it at once."""
        await self.database.create(self.table)

    # --- who is there -----------------------------------------------------------------------------

    async def get_by_id(self, user_id: 'str | int') -> 'User | None':
        """Return the user with that id, or ``None``."""
        rows = await self._ask((self._by_id, {'this': user_id})) if self.columns.is_id(user_id) else ()
        return self.columns.user_of(rows[0]) if rows else None

    async def get_by_name(self, name: str) -> 'User | None':
        """Return the user with that name, or ``None``."""
        return await self._named(name) if is_text(name) else None

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

    # --- changes ----------------------------------------------------------------------------------

    async def create(self, name: str, password: str, scopes: Any = (), **extra: Any) -> User:
        """Add a user.

        :param extra: values of the columns that ``extra`` has named.
        :raises ValueError: when the name is taken, empty, longer than 64 characters or has control characters; when
            the password is too long or not good enough; when the scopes are no strings; for an extra value that its
            column does not take.
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
        return await self._change(user, {'totp_step': step}, self.columns.is_active, last < step,
                                  self.columns.equals('totp', totp))

    async def swap_recovery(self, user: User, before: 'str | None', after: str) -> bool:
        """Keep another text of recovery codes; ``False`` when what is kept is not ``before`` any more."""
        userfactor.check(None, 0, after)
        kept: 'ColumnElement[str]' = func.coalesce(self.columns['recovery'], '')
        return await self._change(user, {'recovery': after}, self.columns.is_active, kept == (before or ''),
                                  self.columns['totp'].is_not(None))

    # --- statements -------------------------------------------------------------------------------

    async def _named(self, name: str, is_alike: bool = False) -> 'User | None':
        rows = await self._ask((self._by_name, {'this': folded(name)}))
        # By a collation of its own, a column has a user found by many names, and each is a new one to a throttle.
        if not rows or not (is_alike or rows[0][-1].rstrip(' ') == folded(name)):
            return None
        user: User = self.columns.user_of(rows[0])
        return user

    async def _inserted(self, fields: 'dict[str, Any]') -> User:
        statement = insert(self.table).values(self.columns.values(fields)).returning(*self.columns.selected)
        try:
            rows = await self.database.run((statement, {}))
        except IntegrityError:  # which may quote the row
            rows = None
        user = await self._made(rows[0]) if rows else None
        if user is not None:
            return user
        there = await self._named(fields['name'], is_alike=True)
        if there is None:
            raise RuntimeError('the table does not take that user: a constraint of yours is against it')
        if same(there.password_hash, fields['password_hash']):  # perhaps the connection broke, and it was us
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
            raise gone()

    async def _keep_hash(self, user: User, hashed: str, password: 'str | None', verified: 'str | None' = None,
                         event: str = '') -> bool:
        """Keep a password's hash; ``False`` when ``verified`` opens the account no more, or nobody is there.

        :param password: of which ``digest_ha1`` is made too.
        """
        only = [] if verified is None else [self.columns.is_active, self.columns.equals('password_hash', verified)]
        for _ in range(_ATTEMPTS):
            where = list(only)
            fields: 'dict[str, Any]' = {'password_hash': hashed}
            if password is not None and 'digest_ha1' in self.columns:
                fields['digest_ha1'] = self._digest_of(password, user.name)
                where.append(self.columns.equals('name', user.name))  # which is in it
            name = user.name
            if await self._change(user, fields, *where, event=event):
                return True
            if event and same(user.password_hash, hashed):  # the connection broke, and it was us
                self._tell(event, user)
                return True
            if user.name == name:  # it was not the name that did not fit
                return False
        return False

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

    def _wants_password(self, user: User) -> bool:
        return self.digest is not None and user.digest_ha1 is None

    def _digest_of(self, password: str, name: str) -> 'str | None':
        return self.digest.make_ha1(name, password) if self.digest is not None else None


def _columns(table: UserTable, names: 'Mapping[str, str] | None', extra: 'Iterable[str]',
             instances: bool) -> UserColumns:
    if not instances:
        return UserColumns(table, names, extra)
    from .mappedusers import InstanceColumns
    return InstanceColumns(table, names, extra)
