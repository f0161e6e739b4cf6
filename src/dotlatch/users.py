"""Users in memory or in one JSON file, with hashed passwords.

Needs portable.py, strictjson.py, passwords.py and files.py::

    users = FileUsers('users.json')
    await users.create('anna', 'correct horse battery staple')

    user = await users.authenticate('anna', password)   # a User, or None
    users.get_by_id(user.id)
"""
from . import files, passwords, strictjson
from .portable import FileLock, b64url_encode, file_version, random_bytes, warn_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_FIELDS = ('id', 'name', 'password_hash', 'scopes', 'is_active', 'session_version')


class User:
    """Somebody with an account.

    :param id: what sessions hold; never given to another user.
    :param name: what is typed into the login form.
    :param password_hash: see :mod:`dotlatch.passwords`; ``None`` for an account that no password opens.
    :param scopes: what the user may do, as strings.
    :param is_active: ``False`` for an account that is disabled.
    :param session_version: counted up to end all of the user's sessions.
    """
    def __init__(self, id: 'str | int', name: str, password_hash: 'str | None' = None, scopes: 'Any' = (),
                 is_active: bool = True, session_version: int = 0) -> None:
        self.id = id
        self.name = name
        self.password_hash = password_hash
        self.scopes = list(scopes)
        self.is_active = is_active
        self.session_version = session_version

    def __repr__(self) -> str:
        return '<User %s>' % self.name


class _NoLock:
    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        pass


class MemoryUsers:
    """Users that last as long as the program.

    Names are compared without regard to the case of ASCII letters.

    :param max_users: how many there may be.
    """
    def __init__(self, max_users: int = 1000) -> None:
        self.max_users = max_users
        self._users: 'dict[str | int, User]' = {}
        self._ids: 'dict[str, str | int]' = {}
        self._lock: 'Any' = _NoLock()

    def __len__(self) -> int:
        self._refresh()
        return len(self._users)

    def get_by_id(self, user_id: 'str | int') -> 'User | None':
        """Return the user with that id, or ``None``."""
        self._refresh()
        return self._users.get(user_id) if isinstance(user_id, (str, int)) else None

    def get_by_name(self, name: str) -> 'User | None':
        """Return the user with that name, or ``None``."""
        self._refresh()
        return self._users.get(self._ids.get(_folded(name), '')) if isinstance(name, str) else None

    async def create(self, name: str, password: str, scopes: 'Any' = ()) -> User:
        """Add a user.

        :raises ValueError: when the name is taken, empty, longer than 64 characters or has control characters; when
            the password is too long; when there are too many users.
        """
        _check_name(name)
        hashed = await passwords.hash_password(password)
        with self._lock:
            self._refresh()
            if _folded(name) in self._ids:  # after the wait: somebody may have been quicker
                raise ValueError('that name is taken')
            if len(self._users) >= self.max_users:
                raise ValueError('there are %d users already' % self.max_users)
            user = User(b64url_encode(random_bytes(9)), name, hashed, scopes)
            self._put(user)
            try:
                self._changed()
            except Exception:
                self._drop(user)
                raise
        return user

    async def authenticate(self, name: str, password: str) -> 'User | None':
        """Return the user whose name and password these are, or ``None``, after the same time.

        A hash below today's cost is made anew, since the password is at hand.
        """
        user = self.get_by_name(name)
        if user is not None and not user.is_active:
            user = None
        hashed = user.password_hash if user is not None else None
        if not await passwords.verify_password(password, hashed):
            return None
        if user is None or hashed is None:
            return None
        if passwords.needs_rehash(hashed):
            stronger = await passwords.hash_password(password)
            if self._is_current(user, hashed):
                try:
                    self._set(user, stronger, user.session_version)
                    hashed = stronger
                except OSError:  # a full disk keeps nobody out
                    warn_once('a better password hash could not be kept')
        return user if self._is_current(user, hashed) else None

    def _is_current(self, user: User, hashed: str) -> bool:
        """Tell whether the account is still what it was before the wait for a hash."""
        self._refresh()
        return self._users.get(user.id) is user and user.is_active and user.password_hash == hashed

    async def set_password(self, user: User, password: str) -> None:
        """Give the user another password, which ends the sessions that the old one opened."""
        self._set(user, await passwords.hash_password(password), user.session_version)

    def end_sessions(self, user: User) -> None:
        """End all sessions of the user, wherever they are."""
        self._set(user, user.password_hash, user.session_version + 1)

    def remove(self, user: User) -> None:
        """Remove the user; the sessions end with it. KeyError when it is not there."""
        with self._lock:
            self._refresh()
            user = self._users[user.id]
            self._drop(user)
            try:
                self._changed()
            except Exception:
                self._put(user)
                raise

    def _set(self, user: User, hashed: 'str | None', version: int) -> None:
        with self._lock:
            self._refresh()
            if self._users.get(user.id) is not user:
                raise ValueError('that user is not there any more')
            before = user.password_hash, user.session_version
            user.password_hash, user.session_version = hashed, version
            try:
                self._changed()
            except Exception:  # what could not be kept is not true
                user.password_hash, user.session_version = before
                raise

    def _put(self, user: User) -> None:
        self._users[user.id] = user
        self._ids[_folded(user.name)] = user.id

    def _drop(self, user: User) -> None:
        del self._users[user.id]
        del self._ids[_folded(user.name)]

    def _refresh(self) -> None:
        pass

    def _changed(self) -> None:
        pass


class FileUsers(MemoryUsers):
    """Users in one JSON file, which is replaced whole when one of them changes.

    :param path: the file; it is made with the first user.
    :param max_users: how many there may be. All of them are kept in memory.
    :raises ValueError: when the file is not one of these. It is left as it is.
    """
    def __init__(self, path: str, max_users: int = 1000) -> None:
        super().__init__(max_users)
        self.path = path
        self._lock = FileLock(path)
        self._version: 'tuple[int, ...] | None' = file_version(path)
        self._load()

    def _load(self) -> None:
        data = files.read(self.path)
        users = []
        if data is not None:
            try:
                content = strictjson.loads(data)
                for fields in content['users']:
                    users.append(_user(fields))
                names = [_folded(user.name) for user in users] + [user.id for user in users]
                if content['format'] != 1 or len(set(names)) != 2 * len(users):
                    raise ValueError()
            except (ValueError, TypeError, KeyError):
                raise ValueError(self.path + ' is not a file of users: put a copy back, or move it away') from None
        # The objects of users who are still there stay the same ones, so that who holds one sees the change.
        known = self._users
        self._users = {}
        self._ids = {}
        for user in users:
            old = known.get(user.id)
            if old is not None:
                for name in _FIELDS:
                    setattr(old, name, getattr(user, name))
            self._put(old or user)

    def _refresh(self) -> None:
        version = file_version(self.path)
        if version != self._version:  # another process has written it
            self._load()
            self._version = version

    def _changed(self) -> None:
        users = [{name: getattr(user, name) for name in _FIELDS} for user in self._users.values()]
        files.replace(self.path, strictjson.dumps({'format': 1, 'users': users}))
        self._version = file_version(self.path)


def _user(fields: 'dict[str, Any]') -> User:
    """Return the user that a file describes; ValueError, KeyError or TypeError for what describes none."""
    user = User(*[fields[name] for name in _FIELDS])
    right = (type(user.id) in (str, int) and type(user.name) is str and type(user.is_active) is bool
             and type(user.session_version) is int and (user.password_hash is None or type(user.password_hash) is str)
             and type(fields['scopes']) is list and all(type(scope) is str for scope in user.scopes))
    if not right:
        raise ValueError('not a user')
    return user


def _folded(name: str) -> str:
    """Return the name with ASCII letters in lower case, on both Pythons."""
    return ''.join([c.lower() if 'A' <= c <= 'Z' else c for c in name])


def _check_name(name: str) -> None:
    if not isinstance(name, str) or not 0 < len(name) <= 64 or name != name.strip(' '):
        raise ValueError('a name has 1 to 64 characters and no space at its ends')
    for c in name:
        if c < ' ' or c == '\x7f':
            raise ValueError('a name has no control characters')
