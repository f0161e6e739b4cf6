"""What users in a table have in common: logging in, and new passwords.

Needs users.py, keyowner.py, passwords.py and portable.py; database.py, errors.py and waiting.py of this folder, and
``pip install dotlatch[sqlalchemy]``. :class:`dotlatch.server.sqlalchemy_users.SQLAlchemyUsers` and
:class:`dotlatch.server.django_users.DjangoUsers` are built on it::

    class Members(TableUsers):
        async def get_by_id(self, user_id): ...
        async def get_by_name(self, name): ...
        async def _keep_hash(self, user, hashed, password, verified=None, event=''): ...
"""
from typing import Any

from sqlalchemy import Table, func, select

from .. import keyowner, passwords
from ..portable import call, compare_digest, warn_once
from ..users import User
from .database import Database, Source

MAX_LISTED = 1000  # users that one call lists


class TableUsers:
    """Users in a table, whose rows and hashes are a subclass's.

    :param engine: as that of :class:`dotlatch.server.sqlalchemy.SQLAlchemyStore`; or the store's ``database``. So are
        ``timeout`` and ``pool_size``.
    :param check_password: see :class:`dotlatch.users.MemoryUsers`; so is ``events``.
    """
    keys: Any = None

    def __init__(self, engine: 'Source | Database', table: Table, timeout: float, pool_size: int, check_password: Any,
                 events: Any) -> None:
        self.table = table
        self.check_password = check_password
        self.events = events
        self.database = Database.of(engine, timeout, pool_size)

    async def close(self) -> None:
        """Close the connections of this event loop, but not those of an engine that was given."""
        await self.database.close()

    async def get_by_id(self, user_id: 'str | int') -> 'User | None':
        """Return the user with that id, or ``None``."""
        raise NotImplementedError  # each table has its own

    async def get_by_name(self, name: str) -> 'User | None':
        """Return the user with that name, or ``None``."""
        raise NotImplementedError  # each table has its own

    async def get_by_token(self, token: str) -> Any:
        """Return the user of an API key, see :meth:`dotlatch.users.MemoryUsers.get_by_token`."""
        return await keyowner.find(self, token)

    async def count(self) -> int:
        """Return how many users there are."""
        rows = await self.database.run((select(func.count()).select_from(self.table), {}))
        return int(rows[0][0])

    # --- passwords --------------------------------------------------------------------------------

    async def authenticate(self, name: str, password: str) -> 'User | None':
        """Return the user whose name and password these are, or ``None``, after the same time.

        A hash that is weaker than new ones is made anew, since the password is at hand.
        """
        user = await self.get_by_name(name)
        hashed = user.password_hash if user is not None and user.is_active else None
        if not await self._is_right(password, hashed) or user is None or hashed is None:
            return None
        hashed = await self._improved(user, hashed, password)
        # A hash takes long: the account may be shut since, or its password be another one.
        fresh = await self._open(user.id)
        if fresh is None or same(fresh.password_hash, hashed):
            return fresh
        hashed = fresh.password_hash  # another login was quicker to make it anew, perhaps
        if not await self._is_right(password, hashed):
            return None
        fresh = await self._open(user.id)
        return fresh if fresh is not None and same(fresh.password_hash, hashed) else None

    async def set_password(self, user: User, password: str) -> None:
        """Give the user another password, which ends the sessions that the old one opened.

        :raises ValueError: when it is too long or not good enough; when the user is not there any more.
        """
        hashed = await self._hash_of(password, user.name)
        if not await self._keep_hash(user, hashed, password, event='password_changed'):
            raise gone()

    async def change_password(self, user: User, current: str, new: str) -> bool:
        """Do the same for a user who knows the current password (ASVS 6.2.3), and tell whether that was the right one.

        Ask a :class:`dotlatch.throttle.Throttle` first: each call is a guess.

        :raises ValueError: as :meth:`set_password` does, once the current password was right.
        """
        fresh = await self._open(user.id)
        verified = fresh.password_hash if fresh is not None else None
        if not await self._is_right(current, verified) or fresh is None or verified is None:
            return False
        hashed = await self._hash_of(new, fresh.name)
        return await self._keep_hash(user, hashed, new, verified, 'password_changed')

    async def _open(self, user_id: 'str | int') -> 'User | None':
        user = await self.get_by_id(user_id)
        return user if user is not None and user.is_active else None

    async def _is_right(self, password: str, hashed: 'str | None') -> bool:
        return await passwords.verify_login(password, hashed, self._decoy())

    async def _hash_of(self, password: str, name: str) -> str:
        """Return the hash of a new password, once it is good enough."""
        if self.check_password is not None and await call(self.check_password, password, (name,)) is False:
            raise ValueError('that password is not good enough')
        return await self._make_hash(password)

    async def _improved(self, user: User, hashed: str, password: str) -> str:
        """Return the hash that is kept now: a better one, when it was weak."""
        is_weak, is_wanted = self._is_weak(hashed), self._wants_password(user)
        if not (is_weak or is_wanted):
            return hashed
        better = await self._make_hash(password) if is_weak else hashed
        try:
            kept = await self._keep_hash(user, better, password if is_wanted else None, hashed)
        except OSError:  # a database that is read-only keeps nobody out
            warn_once('a better password hash could not be kept')
            kept = False
        return better if kept else hashed

    # --- what a subclass has in its own way -------------------------------------------------------

    async def _keep_hash(self, user: User, hashed: str, password: 'str | None', verified: 'str | None' = None,
                         event: str = '') -> bool:
        """Keep a password's hash; ``False`` when ``verified`` opens the account no more, or nobody is there.

        :param password: of which all is made that is kept beside the hash; ``None`` for nothing.
        """
        raise NotImplementedError  # each table has its own

    async def _make_hash(self, password: str) -> str:
        return await passwords.hash_password(password)

    def _is_weak(self, hashed: str) -> bool:
        return passwords.needs_rehash(hashed)

    def _decoy(self) -> 'str | None':
        """Return what costs as much as a hash, and is opened by nothing."""
        return None

    def _wants_password(self, user: User) -> bool:
        """Tell whether the password is needed for something that is not kept yet."""
        return False

    def _tell(self, event: str, user: User) -> None:
        if self.events is not None:
            self.events.emit(event, user=user.id, name=user.name)


def gone() -> ValueError:
    """Return what is raised where a user is to be changed who was removed."""
    return ValueError('that user is not there any more')


def same(hashed: 'str | None', other: 'str | None') -> bool:
    """Tell whether two hashes are one."""
    return compare_digest((hashed or '').encode(), (other or '').encode())
