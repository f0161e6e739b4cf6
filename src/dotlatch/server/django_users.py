"""The users of a Django project, in its own table.

Needs users.py, passwords.py, names.py and portable.py; django_tables.py, django_hashers.py, tableusers.py, database.py,
usertable.py, errors.py and waiting.py of this folder, and ``pip install dotlatch[django]``. Django itself need not be
there::

    from dotlatch.login import Login
    from dotlatch.server.django_users import DjangoUsers

    users = DjangoUsers('postgresql+asyncpg://app:password@127.0.0.1/shop')
    login = Login(users=users)

    anna = await users.authenticate('anna', password)   # a User, or None
    anna.email, anna.is_staff, anna.scopes              # 'anna@example.com', True, ['staff']
    anna.first_name = 'Anna'
    await users.save(anna, 'first_name')
    await users.close()                                 # at the end of the loop

What differs from other users is Django's: names are compared letter by letter, after Unicode's NFKC; an account that is
opened again has the sessions that it had, until they end; and Django removes users, since it knows what refers to them.
"""
import re
import time
import unicodedata
from collections.abc import Iterable
from typing import Any

from sqlalchemy import MetaData, Table, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from ..names import check_name
from ..portable import alike, random_bytes
from ..users import User, checked_scopes
from .database import POOL_SIZE, Database, Source
from .django_hashers import Hasher, hasher_named
from .django_tables import permissions_of, users_table
from .errors import StoreUnavailable
from .tableusers import MAX_LISTED, TableUsers, gone, same
from .usertable import Ids, check_value, is_demanded, is_text
from .waiting import TIMEOUT

FLAGS = ('staff', 'superuser')  # scopes that are columns: is_staff, is_superuser

_USERNAME = re.compile(r'[\w.@+-]+')  # as Django's UnicodeUsernameValidator
_UNUSABLE = '!'  # what the hash of an account begins with that no password opens
_OURS = ('id', 'password', 'last_login', 'is_active', 'is_staff', 'is_superuser')
_EMPTY = ('first_name', 'last_name', 'email')  # texts that Django has where nothing is given
_LONGEST = 254  # characters of a name that is no user name of Django's, but an address perhaps

auth_user = users_table(MetaData())


class DjangoUsers(TableUsers):
    """Users that a Django project has, for :class:`dotlatch.login.Login` and everything else that takes users.

    What they have beside a :class:`dotlatch.users.User`: ``last_login`` (Unix seconds, or ``None``), ``is_staff``,
    ``is_superuser``, and the other columns of the table. All methods are async, and raise
    :class:`dotlatch.server.errors.StoreUnavailable`, an OSError, when the database cannot be asked in time.

    ``scopes`` are ``'staff'`` and ``'superuser'`` where the columns say so, and with ``permissions`` Django's names of
    what the user may do, by himself or by a group, such as ``'blog.add_post'``, and ``'group:editors'``. A superuser
    has all permissions there are. An account that is not active has none of these.

    :param engine: as that of :class:`dotlatch.server.sqlalchemy.SQLAlchemyStore`.
    :param table: what :func:`dotlatch.server.django_tables.users_table` returned; ``auth_user`` unless given.
    :param username: the column of the model's ``USERNAME_FIELD``.
    :param permissions: ``True`` for Django's permissions among the scopes, which is one more question to the database
        for each user that is loaded; for an own user model ``permissions_of(table, 'account_id')``.
    :param hasher: the first of the project's ``PASSWORD_HASHERS``: ``'pbkdf2_sha256'``, ``'argon2'``,
        ``'bcrypt_sha256'`` or ``'scrypt'``; or an object with the methods of
        :class:`dotlatch.server.django_hashers.Hasher`. It has to be what Django makes: see there.
    :param timeout: seconds that one question may take in all, with the wait for a connection.
    :param pool_size: connections of one event loop, where a URL is given.
    :param check_password: see :class:`dotlatch.users.MemoryUsers`; so is ``events``.
    :raises ValueError: for a table that cannot hold users, or a hasher that there is not.
    """
    def __init__(self, engine: 'Source | Database', table: Table = auth_user, username: str = 'username',
                 permissions: Any = False, hasher: 'str | Hasher' = 'pbkdf2_sha256', timeout: float = TIMEOUT,
                 pool_size: int = POOL_SIZE, check_password: Any = None, events: Any = None) -> None:
        for name in ('id', 'password', 'last_login', username):
            if name not in table.c:
                raise ValueError(f'the table {table.name} has no column {name}: it holds no users of Django')
        super().__init__(engine, table, timeout, pool_size, check_password, events)
        self.username = username
        self.hasher = hasher_named(hasher) if isinstance(hasher, str) else hasher
        self.extra = tuple(name for name in table.c.keys() if name not in _OURS and name != username)
        for name in self.extra:
            if hasattr(User('', ''), name):
                raise ValueError(f'{name} is what users have anyway: leave that column out')
        self._names = tuple(table.c.keys())
        self._permissions: Any = permissions_of(table) if permissions is True else permissions
        self._by_id = select(table).where(table.c.id == bindparam('this'))
        self._by_name = select(table).where(table.c[username] == bindparam('this'))
        self._ids = Ids(table.c.id)

    # --- who is there -----------------------------------------------------------------------------

    async def get_by_id(self, user_id: 'str | int') -> 'User | None':
        """Return the user with that id, or ``None``."""
        rows = await self.database.run((self._by_id, {'this': user_id})) if user_id in self._ids else ()
        return await self._loaded(rows[0]) if rows else None

    async def get_by_name(self, name: str) -> 'User | None':
        """Return the user with that name, or ``None``."""
        return await self._named(name) if is_text(name) else None

    async def list_users(self, after: str = '', limit: int = 100) -> 'list[User]':
        """Return users by name, without their permissions.

        :param after: the name of the last one that was listed before.
        :param limit: how many at most; no more than 1,000.
        """
        if after and not is_text(after):
            return []
        key = self.table.c[self.username]
        listed = select(self.table).order_by(key).limit(max(1, min(limit, MAX_LISTED)))
        if after:
            listed = listed.where(key > after)
        return [self._user_of(row) for row in await self.database.run((listed, {}))]

    # --- changes ----------------------------------------------------------------------------------

    async def create(self, name: str, password: 'str | None', scopes: Any = (), **extra: Any) -> User:
        """Add a user.

        :param password: ``None`` for an account that no password opens.
        :param scopes: of ``'staff'`` and ``'superuser'``.
        :param extra: values of other columns, such as ``email``.
        :raises ValueError: when the name is taken or not one that Django takes; when the password is too long or not
            good enough; when a column cannot have its value, or needs one.
        :raises RuntimeError: when the table has ids that only Django can make.
        """
        columns = self.table.c
        name = self._checked_name(name)
        values: 'dict[str, Any]' = {**dict.fromkeys(_EMPTY, ''), 'date_joined': time.time(), **extra}
        values = {field: values[field] for field in values if field in extra or field in self.extra}
        if values.get('email'):
            values['email'] = _address(values['email'])
        values = {**self._checked(values), **self._flags(scopes), 'is_active': True, self.username: name}
        for field in self.extra:
            if values.get(field) is None and is_demanded(columns[field]):  # or the database may log the row
                raise ValueError(f'a new user needs a value for {field}')
        if self._ids.is_uuid:
            values['id'] = _new_uuid()
        elif is_demanded(columns.id):
            raise RuntimeError(f'the ids of the table {self.table.name} are for Django to make')
        hashed = _unusable() if password is None else await self._hash_of(password, name)
        values['password'] = hashed
        values = {field: values[field] for field in values if field in columns}
        try:
            rows = await self.database.run((insert(self.table).values(values).returning(*columns), {}))
            user = self._user_of(rows[0])
        except IntegrityError:  # which may quote the row
            user = await self._taken(name, hashed)
        self._tell('user_created', user)
        return user

    async def rename(self, user: User, name: str) -> None:
        """Give the user another name. The id stays, and so do the sessions.

        :raises ValueError: as :meth:`create` does for a name.
        """
        await self._set(user, {self.username: self._checked_name(name)}, 'user_renamed')

    async def save(self, user: User, *fields: str) -> None:
        """Keep these fields of a user, and no others: ``await users.save(anna, 'email', 'first_name')``.

        :raises ValueError: for a field that is no column of the table, or has a method of its own.
        """
        given: 'dict[str, Any]' = {field: getattr(user, field, None) for field in fields}
        flags: 'dict[str, Any]' = {field: given.pop(field) for field in ('is_staff', 'is_superuser') if field in given}
        if any(type(flag) is not bool for flag in flags.values()):
            raise ValueError('is_staff and is_superuser are True or False')
        await self._set(user, {**self._checked(given), **flags}, 'scopes_changed' if flags else '')

    async def set_scopes(self, user: User, scopes: Any) -> None:
        """Say anew whether the user is ``'staff'`` or ``'superuser'``; permissions and groups are Django's to change.

        :raises ValueError: for another scope.
        """
        await self._set(user, self._flags(scopes), 'scopes_changed')

    async def disable(self, user: User) -> None:
        """Shut the account. Nobody is logged in by it, in Django or here, until it is opened again."""
        await self._set(user, {'is_active': False}, 'user_disabled')

    async def enable(self, user: User) -> None:
        """Open the account again, and its sessions that have not ended by themselves: Django keeps them."""
        await self._set(user, {'is_active': True}, 'user_enabled')

    async def note_login(self, user_id: 'str | int') -> None:
        """Keep when the user has logged in last. DjangoSessions does so at each login, DjangoCookies does not."""
        table = self.table
        statement = update(table).where(table.c.id == user_id).values(last_login=time.time())
        await self.database.run((statement, {}))

    # --- ids as Django's sessions have them -------------------------------------------------------

    def id_of(self, text: Any) -> 'str | int | None':
        """Return the id that a session of Django's says; ``None`` for none."""
        if not isinstance(text, str):
            return None
        if not self._ids.bits:
            return text if text in self._ids else None
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
        return number if number in self._ids and str(number) == text else None

    # --- statements -------------------------------------------------------------------------------

    async def _named(self, name: str, is_alike: bool = False) -> 'User | None':
        """Return the one user who has that name.

        :param is_alike: ``True`` for a user, too, whom a collation finds by names that look otherwise: each is a new
            one to a throttle, so nobody logs in by them.
        """
        rows = await self.database.run((self._by_name, {'this': normalized(name)}))
        if len(rows) != 1:  # a model need not have them unique
            return None
        user = await self._loaded(rows[0])
        return user if is_alike or alike(user.name) == alike(name) else None

    async def _loaded(self, row: Any) -> User:
        user: Any = self._user_of(row)
        if self._permissions is not False and user.is_active:
            who = {'this': user.id, 'is_superuser': user.is_superuser}
            for row in await self.database.run((self._permissions, who)):
                if row.scope not in FLAGS:
                    user.scopes.append(row.scope)
        return user  # type: ignore[no-any-return]  # Any, for what User has not

    def _user_of(self, row: 'Iterable[Any]') -> User:
        """Return the user that a row is; StoreUnavailable for a row that is none, so that nobody is let in by it."""
        fields = dict(zip(self._names, row))
        user_id, name, hashed = fields.pop('id'), fields.pop(self.username), fields.pop('password')
        if user_id not in self._ids or not is_text(name) or type(hashed) is not str:
            raise StoreUnavailable('the row of a user is damaged')  # and not what it holds
        is_active = fields.pop('is_active', True) is True
        for flag in FLAGS:
            fields['is_' + flag] = fields.get('is_' + flag, False) is True
        scopes = [flag for flag in FLAGS if is_active and fields['is_' + flag]]
        user = User(user_id, name, hashed, scopes, is_active)
        for field in fields:
            setattr(user, field, fields[field])
        return user

    async def _set(self, user: User, fields: 'dict[str, Any]', event: str) -> None:
        if not await self._change(user, fields, event):
            raise gone()

    async def _keep_hash(self, user: User, hashed: str, password: 'str | None', verified: 'str | None' = None,
                         event: str = '') -> bool:
        return await self._change(user, {'password': hashed}, event, verified)

    async def _change(self, user: User, fields: 'dict[str, Any]', event: str = '',
                      verified: 'str | None' = None) -> bool:
        """Change a user in one statement; ``False`` when ``verified`` opens the account no more, or nobody is there.

        In either case ``user`` is what is kept now.
        """
        table = self.table
        for field in fields:
            if field not in table.c:
                raise RuntimeError(f'the table {table.name} has no column {field}')
        statement = update(table).where(table.c.id == user.id)
        if verified is not None:
            statement = statement.where(table.c.password.in_([verified]))
            if 'is_active' in table.c:
                statement = statement.where(table.c.is_active.is_(True))
        try:
            rows = await self.database.run((statement.values(fields or {'id': user.id}).returning(*table.c), {}))
        except IntegrityError:  # which may quote the row
            rows = None
        if rows is None and self.username in fields:
            raise ValueError('that name is taken')
        if rows is None:
            raise RuntimeError('the table does not take that change of a user: a constraint of yours is against it')
        fresh = await self.get_by_id(user.id)
        if fresh is not None:
            user.__dict__.update(fresh.__dict__)
        # The connection may have broken once the change was made, and the second attempt found it there.
        done = bool(rows) or (event == 'password_changed' and same(user.password_hash, fields['password']))
        if done and event:
            self._tell(event, user)
        return done

    async def _taken(self, name: str, hashed: str) -> User:
        """Return the user who is there already, if it is the one that was to be made."""
        there = await self._named(name, is_alike=True)
        if there is None:
            raise RuntimeError('the table does not take that user: a constraint of yours is against it')
        if not same(there.password_hash, hashed):  # otherwise the connection broke, and it was us
            raise ValueError('that name is taken')
        return there

    # --- names, fields, passwords -----------------------------------------------------------------

    def _checked_name(self, name: str) -> str:
        name = normalized(name) if isinstance(name, str) else name
        if self.username == 'username':
            if not is_text(name) or not _USERNAME.fullmatch(name):
                raise ValueError('a user name is made of letters, digits and @ . + - _')
        else:  # a column of the project's own
            check_name(name, _LONGEST)
        if self.username == 'email':
            name = _address(name)
        check_value(self.table.c[self.username], name)
        return name

    def _checked(self, fields: 'dict[str, Any]') -> 'dict[str, Any]':
        for field in fields:
            if field not in self.extra:
                raise ValueError(f'{field} is no column that is written like this')
            check_value(self.table.c[field], fields[field])
        return fields

    def _flags(self, scopes: Any) -> 'dict[str, bool]':
        wanted = checked_scopes(scopes)
        for scope in wanted:
            if scope not in FLAGS or 'is_' + scope not in self.table.c:
                raise ValueError(f'{scope} is not staff or superuser: what else a user may do is said in Django')
        return {'is_' + flag: flag in wanted for flag in FLAGS if 'is_' + flag in self.table.c}

    async def _make_hash(self, password: str) -> str:
        return await self.hasher.make(password)

    def _is_weak(self, hashed: str) -> bool:
        return self.hasher.is_weak(hashed)

    def _decoy(self) -> str:
        return self.hasher.decoy()


def normalized(name: str) -> str:
    """Return a name as Django's forms and managers have it."""
    return unicodedata.normalize('NFKC', name)


def _address(email: Any) -> Any:
    """Return an address as Django's managers write it."""
    local, at, domain = email.rpartition('@') if isinstance(email, str) else (email, '', '')
    return local + at + domain.lower() if at else email


def _unusable() -> str:
    return _UNUSABLE + random_bytes(20).hex()  # of no meaning, but of another one in each session's hash


def _new_uuid() -> str:
    """Return a random UUID (RFC 9562 section 5.4)."""
    octets = bytearray(random_bytes(16))
    octets[6] = octets[6] & 0x0f | 0x40
    octets[8] = octets[8] & 0x3f | 0x80
    digits = octets.hex()
    return '-'.join([digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]])
