"""Accounts in memory or in one JSON file, with hashed passwords.

Needs portable.py, strictjson.py, passwords.py, files.py, copies.py and names.py; userfactor.py for accounts with a
second factor::

    users = FileUsers('users.json')
    await users.create('anna', 'correct horse battery staple')

    user = await users.authenticate('anna', password)   # a User, or None
    users.get_by_id(user.id)
"""
from . import copies, passwords
from .names import check_name, folded
from .portable import Lock, b64url_encode, call, random_bytes, warn_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_FIELDS = ('id', 'name', 'password_hash', 'scopes', 'is_active', 'session_version')
_IF_SET = ('digest_ha1', 'totp', 'totp_step', 'recovery')  # in the file only where they are
_LONGEST = 256  # characters of a name that is looked for: a board takes a second for 10,000


class User:
    """Somebody with an account.

    :param id: what sessions hold; never given to another user.
    :param name: what is typed into the login form.
    :param password_hash: see :mod:`dotlatch.passwords`; ``None`` for an account that no password opens.
    :param scopes: what the user may do, as strings.
    :param is_active: ``False`` for an account that is disabled.
    :param session_version: counted up to end all of the user's sessions.
    :param digest_ha1: what :class:`dotlatch.digest.DigestAuth` goes by, as secret as the password; ``None`` without.
    :param totp: the second factor, see :meth:`dotlatch.totp.Totp.stored`: as secret, too; ``None`` without.
    :param totp_step: the step of the last code that was taken.
    :param recovery: what is kept of the recovery codes, see :mod:`dotlatch.recovery`.
    """
    def __init__(self, id: 'str | int', name: str, password_hash: 'str | None' = None, scopes: 'Any' = (),
                 is_active: bool = True, session_version: int = 0, digest_ha1: 'str | None' = None,
                 totp: 'str | None' = None, totp_step: int = 0, recovery: 'str | None' = None) -> None:
        self.id = id
        self.name = name
        self.password_hash = password_hash
        self.scopes = list(scopes)
        self.is_active = is_active
        self.session_version = session_version
        self.digest_ha1 = digest_ha1
        self.totp = totp
        self.totp_step = totp_step
        self.recovery = recovery

    def __repr__(self) -> str:
        return '<User %s>' % self.name


class MemoryUsers:
    """Users that last as long as the program.

    Names are compared without regard to the case of ASCII letters, and of no others: what more Unicode has for this is
    not on a board, and both Pythons have to agree on who is who.

    Each change holds when its method returns, or raises and has changed nothing.

    :param max_users: how many there may be.
    :param check_password: judges a password before it is set: ``f(password, context)``, plain or async, which raises
        ValueError for one that is not good enough. ``context`` is a tuple of words that it should not be made of: the
        user's name. Without it any password is taken.
    :param events: a :class:`dotlatch.events.Events` that is told of each change.
    :param digest: a :class:`dotlatch.digest.DigestAuth`, for which a ``digest_ha1`` is kept beside each password that
        is set, or typed into the login form, from now on (RFC 7616 section 5.2). A user who is renamed has none until
        then.
    """
    keys: 'Any' = None

    def __init__(self, max_users: int = 1000, check_password: 'Any' = None, events: 'Any' = None,
                 digest: 'Any' = None) -> None:
        self.max_users = max_users
        self.check_password = check_password
        self.events = events
        self.digest = digest
        self._users: 'dict[str | int, User]' = {}
        self._ids: 'dict[str, str | int]' = {}
        self._lock: 'Any' = Lock()

    def __len__(self) -> int:
        self._refresh()
        return len(self._users)

    def __iter__(self) -> 'Iterator[User]':
        """Go through the users, by name."""
        self._refresh()
        return iter(sorted(self._users.values(), key=lambda user: folded(user.name)))

    def get_by_id(self, user_id: 'str | int') -> 'User | None':
        """Return the user with that id, or ``None``."""
        self._refresh()
        return self._users.get(user_id) if isinstance(user_id, (str, int)) else None

    async def load_user(self, user_id: 'str | int') -> 'User | None':
        """Return the same, for :class:`dotlatch.login.Login`: what is async needs no thread on CPython."""
        return self.get_by_id(user_id)

    def get_by_name(self, name: str) -> 'User | None':
        """Return the user with that name, or ``None``."""
        self._refresh()
        if not isinstance(name, str) or len(name) > _LONGEST:
            return None
        user_id = self._ids.get(folded(name))
        return self._users.get(user_id) if user_id is not None else None

    async def get_by_token(self, token: str) -> 'Any':
        """Return the user of an API key, with no more scopes than the key has, or ``None``.

        :raises RuntimeError: without ``keys``, which is where they are: ``users.keys = FileKeys('keys.json')``.
        """
        from . import keyowner  # loaded by those who have keys
        return await keyowner.find(self, token)

    async def create(self, name: str, password: str, scopes: 'Any' = ()) -> User:
        """Add a user.

        :raises ValueError: when the name is taken, empty, longer than 64 characters or has control characters; when
            the password is too long or not good enough; when the scopes are no strings; when there are too many users.
        """
        check_name(name)
        scopes = checked_scopes(scopes)
        hashed = await self._hash_of(password, name)
        with self._lock:
            self._reload()
            if folded(name) in self._ids:  # after the wait: somebody may have been quicker
                raise ValueError('that name is taken')
            if len(self._users) >= self.max_users:
                raise ValueError('there are %d users already' % self.max_users)
            user = User(b64url_encode(random_bytes(9)), name, hashed, scopes)
            user.digest_ha1 = self._digest_of(password, name)
            self._put(user)
            try:
                self._changed()
            except Exception:
                self._drop(user)
                raise
        self._tell('user_created', user)
        return user

    async def authenticate(self, name: str, password: str) -> 'User | None':
        """Return the user whose name and password these are, or ``None``, after the same time.

        A hash below today's cost is made anew, since the password is at hand.
        """
        user = self.get_by_name(name)
        hashed = user.password_hash if user is not None and user.is_active else None
        if not await passwords.verify_login(password, hashed) or user is None or hashed is None:
            return None
        better: 'dict[str, Any]' = {}
        is_weak = passwords.needs_rehash(hashed)
        has_no_digest = self.digest is not None and user.digest_ha1 is None
        if (is_weak or has_no_digest) and self._is_current(user, hashed):
            if is_weak:
                better['password_hash'] = await passwords.hash_password(password)
            try:
                if self._set(user, better, password=password if has_no_digest else None, verified=hashed):
                    hashed = better.get('password_hash', hashed)
            except OSError:  # a full disk keeps nobody out
                warn_once('a better password hash could not be kept')
        if self._is_current(user, hashed):
            return user
        # Another login was quicker to make the hash anew, or the password is another one now.
        hashed = user.password_hash
        if hashed is None or not self._is_open(user) or not await passwords.verify_login(password, hashed):
            return None
        return user if self._is_current(user, hashed) else None

    def _is_open(self, user: User) -> bool:
        self._refresh()
        return self._users.get(user.id) is user and user.is_active

    def _is_current(self, user: User, hashed: str) -> bool:
        """Tell whether the account is still what it was before the wait for a hash."""
        return self._is_open(user) and user.password_hash == hashed

    async def set_password(self, user: User, password: str) -> None:
        """Give the user another password, which ends the sessions that the old one opened.

        :raises ValueError: when it is too long or not good enough; when the user is not there any more.
        """
        self._set(user, {'password_hash': await self._hash_of(password, user.name)}, 'password_changed', password)

    async def change_password(self, user: User, current: str, new: str) -> bool:
        """Do the same for a user who knows the current password (ASVS 6.2.3), and tell whether that was the right one.

        Ask a :class:`dotlatch.throttle.Throttle` first: each call is a guess.

        :raises ValueError: as :meth:`set_password` does, once the current password was right.
        """
        hashed = user.password_hash if self._is_open(user) else None
        if not await passwords.verify_login(current, hashed) or hashed is None:
            return False
        fields = {'password_hash': await self._hash_of(new, user.name)}
        return self._set(user, fields, 'password_changed', new, verified=hashed)

    def rename(self, user: User, name: str) -> None:
        """Give the user another name. The id stays, and so do the sessions.

        :raises ValueError: as :meth:`create` does for a name.
        """
        check_name(name)
        self._set(user, {'name': name, 'digest_ha1': None}, 'user_renamed')  # which has the name in it

    def set_scopes(self, user: User, scopes: 'Any') -> None:
        """Say anew what the user may do. ValueError for what is not an iterable of strings."""
        self._set(user, {'scopes': checked_scopes(scopes)}, 'scopes_changed')

    def disable(self, user: User) -> None:
        """Shut the account, and end all sessions of the user: they do not come back with :meth:`enable`."""
        self._set(user, {'is_active': False}, 'user_disabled', end_sessions=True)

    def enable(self, user: User) -> None:
        """Open the account again."""
        self._set(user, {'is_active': True}, 'user_enabled')

    def end_sessions(self, user: User) -> None:
        """End all sessions of the user, wherever they are."""
        self._set(user, {}, 'sessions_ended', end_sessions=True)

    # A second factor: :class:`dotlatch.second.SecondFactor` asks for these. Each changes something and returns True, or
    # nothing and False, since somebody else was quicker or the user is gone.

    def set_second_factor(self, user: User, totp: 'str | None', step: int = 0, recovery: 'str | None' = None) -> bool:
        """Switch a second factor on that is off, or off that is on, and end all sessions of the user.

        :param totp: what :meth:`dotlatch.totp.Totp.stored` returned; ``None`` to switch it off.
        :param step: of the code that has confirmed it.
        :param recovery: what :func:`dotlatch.recovery.make` returned to be kept.
        :returns: ``False`` when it was on or off already.
        :raises ValueError: for what is none of these.
        """
        from . import userfactor  # loaded by those who have one
        return userfactor.set_factor(self, user, totp, step, recovery)

    def use_totp_step(self, user: User, step: int) -> bool:
        """Keep the step of a code that is right; ``False`` when it, or a later one, was used before."""
        from . import userfactor
        return userfactor.use_step(self, user, step)

    def swap_recovery(self, user: User, before: 'str | None', after: str) -> bool:
        """Keep another text of recovery codes; ``False`` when what is kept is not ``before`` any more."""
        from . import userfactor
        return userfactor.swap_recovery(self, user, before, after)

    def remove(self, user: User) -> None:
        """Remove the user; the sessions end with it. KeyError when it is not there."""
        with self._lock:
            self._reload()
            user = self._users[user.id]
            self._drop(user)
            try:
                self._changed()
            except Exception:
                self._put(user)
                raise
        self._tell('user_removed', user)

    async def _hash_of(self, password: str, name: str) -> str:
        """Return the hash of a new password, once it is good enough."""
        if self.check_password is not None and await call(self.check_password, password, (name,)) is False:
            raise ValueError('that password is not good enough')
        return await passwords.hash_password(password)

    def _digest_of(self, password: str, name: str) -> 'str | None':
        return self.digest.make_ha1(name, password) if self.digest is not None else None

    def _set(self, user: User, fields: 'dict[str, Any]', event: str = '', password: 'str | None' = None,
             verified: 'str | None' = None, end_sessions: bool = False, fits: 'Any' = None) -> bool:
        """Change fields of a user and keep them.

        :param password: of which ``digest_ha1`` is made too.
        :param verified: a hash; when it opens the account no more, nothing is changed and ``False`` returned.
        :param fits: asked under the lock; the same when it says no, or when the user is not there any more.
        """
        hashed = verified
        with self._lock:
            self._reload()
            is_there = self._users.get(user.id) is user
            if hashed is not None and not (is_there and user.is_active and user.password_hash == hashed):
                return False
            if fits is not None and not (is_there and fits()):
                return False
            if not is_there:
                raise ValueError('that user is not there any more')
            if 'name' in fields and self._ids.get(folded(fields['name']), user.id) != user.id:
                raise ValueError('that name is taken')
            if password is not None:  # here, since the name may be another one after the wait for the hash
                fields['digest_ha1'] = self._digest_of(password, user.name)
            if end_sessions:
                fields['session_version'] = user.session_version + 1
            before = {name: getattr(user, name) for name in fields}
            self._apply(user, fields)
            try:
                self._changed()
            except Exception:  # what could not be kept is not true
                self._apply(user, before)
                raise
        if event:
            self._tell(event, user)
        return True

    def _apply(self, user: User, fields: 'dict[str, Any]') -> None:
        old = folded(user.name)
        for name in fields:
            setattr(user, name, fields[name])
        if 'name' in fields:
            del self._ids[old]
            self._ids[folded(user.name)] = user.id

    def _put(self, user: User) -> None:
        self._users[user.id] = user
        self._ids[folded(user.name)] = user.id

    def _drop(self, user: User) -> None:
        del self._users[user.id]
        del self._ids[folded(user.name)]

    def _tell(self, event: str, user: User) -> None:
        """Tell of a change that holds. Not under the lock: a callback may ask for users."""
        if self.events is not None:
            self.events.emit(event, user=user.id, name=user.name)

    def _refresh(self) -> None:
        """Have in memory what is kept."""

    _reload = _refresh  # the same, under the lock

    def _changed(self) -> None:
        """Keep what is in memory."""


class FileUsers(MemoryUsers):
    """Users in one JSON file, which is replaced whole when one of them changes.

    There is a copy beside it, ``users.json.copy``. When the file is damaged or lost, the copy is used, with a warning
    and the event ``users_restored``.

    :param path: the file; it is made with the first user.
    :param max_users: how many there may be. All of them are kept in memory.
    :param check_password: see :class:`MemoryUsers`.
    :param events: see :class:`MemoryUsers`; so is ``digest``.
    :raises ValueError: when neither the file nor its copy is right. They are left as they are.
    """
    def __init__(self, path: str, max_users: int = 1000, check_password: 'Any' = None, events: 'Any' = None,
                 digest: 'Any' = None) -> None:
        super().__init__(max_users, check_password, events, digest)
        self.path = path
        self._file = copies.SharedFile(path, 'a file of users', _parsed, self._take, events, 'users_restored')
        self._lock = self._file.lock

    def _refresh(self) -> None:
        self._file.refresh()

    def _reload(self) -> None:
        self._file.reload()

    def _take(self, users: 'list[User] | None') -> None:
        # The objects of users who are still there stay the same ones, so that who holds one sees the change.
        there: 'dict[str | int, User]' = {}
        ids: 'dict[str, str | int]' = {}
        for user in users or ():
            old = self._users.get(user.id)
            if old is not None:
                for name in _FIELDS + _IF_SET:
                    setattr(old, name, getattr(user, name))
                user = old
            there[user.id] = user
            ids[folded(user.name)] = user.id
        self._users, self._ids = there, ids

    def _changed(self) -> None:
        users = []
        for user in self._users.values():
            fields = {name: getattr(user, name) for name in _FIELDS}
            for name in _IF_SET:
                value = getattr(user, name)
                if value not in (None, 0):
                    fields[name] = value
            users.append(fields)
        self._file.save({'format': 1, 'users': users})


def _parsed(content: 'dict[str, Any]') -> 'list[User]':
    """Return the users that a file describes; ValueError, KeyError or TypeError for what describes none."""
    listed = content['users']
    users = [_user(fields) for fields in listed]
    unique = len({folded(user.name) for user in users}) == len({user.id for user in users}) == len(users)
    if type(listed) is not list or content['format'] != 1 or len(content) != 2 or not unique:
        raise ValueError('not users')
    return users


def _user(fields: 'dict[str, Any]') -> User:
    user = User(*[fields[name] for name in _FIELDS])
    for name in _IF_SET:
        if name in fields:
            setattr(user, name, fields[name])
    right = (type(user.id) in (str, int) and type(user.name) is str and type(user.is_active) is bool
             and type(user.session_version) is int and _is_text(user.password_hash) and _is_text(user.digest_ha1)
             and type(fields['scopes']) is list and all(type(scope) is str for scope in user.scopes))
    if not right:
        raise ValueError('not a user')
    if any(name in fields for name in _IF_SET[1:]):
        from . import userfactor
        userfactor.check(user.totp, user.totp_step, user.recovery)
    return user


def _is_text(value: 'Any') -> bool:
    return value is None or type(value) is str


def checked_scopes(scopes: 'Any') -> 'list[str]':
    """Return a list of its own; ValueError for a string, which is a list of letters, and what no file gives back."""
    checked = list(scopes)
    if isinstance(scopes, str) or not all(type(scope) is str and scope for scope in checked):
        raise ValueError('scopes are a list of strings')
    return checked
