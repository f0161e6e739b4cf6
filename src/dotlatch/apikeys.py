"""API keys: what a program shows instead of a password. Each is of one user, has scopes, may end, and can be revoked.

Needs portable.py, strictjson.py, files.py, copies.py, names.py and identity.py; keyauth.py asks requests for them::

    keys = FileKeys('keys.json', prefix='greenhouse')

    print(keys.create(user, 'pump', scopes=['read']))   # greenhouse_4mWq..._Z8xK..., shown this once
    for key in keys.of_user(user):
        print(key.name, key.last_used)
    keys.revoke(key.id)

A key is ``prefix_id_secret``. The id finds the record, which has the SHA-256 of the secret and not the secret: 190
random bits need no slow hash (ASVS 11.4.2 asks for one where people choose).
"""
from hashlib import sha256

from . import copies
from .identity import user_id
from .names import check_name
from .portable import (
    CLOCK_FLOOR,
    Lock,
    b64url_bytes,
    b64url_encode,
    compare_digest,
    now,
    random_bytes,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_ID_SIZE, _SECRET_SIZE = 12, 32   # letters and digits: 71 and 190 bits
_NOBODY = 'A' * 43                # the hash of no secret that anybody has
_HOUR = 3600
MAX_SCOPES = 32                   # of one key
_FIELDS = ('id', 'user_id', 'name', 'scopes', 'secret_hash', 'created', 'expires', 'last_used')


class APIKey:
    """What is kept of a key.

    :param id: the part of the key that is no secret.
    :param user_id: whose it is.
    :param name: what its owner calls it.
    :param secret_hash: base64url of the SHA-256 of its secret.
    :param scopes: what it was given for; of these, who shows it may do what the user may.
    :param created: Unix seconds; ``None`` when the clock was not set.
    :param expires: Unix seconds from which on it is refused, or ``None``.
    :param last_used: Unix seconds, not newer than an hour ago at worst; ``None`` when it never was, and 0 when it was
        while the clock was not set.
    """
    def __init__(self, id: str, user_id: 'str | int', name: str, scopes: 'Any', secret_hash: str,
                 created: 'int | None' = None, expires: 'int | None' = None, last_used: 'int | None' = None) -> None:
        self.id = id
        self.user_id = user_id
        self.name = name
        self.scopes = list(scopes)
        self.secret_hash = secret_hash
        self.created = created
        self.expires = expires
        self.last_used = last_used

    def __repr__(self) -> str:
        return '<APIKey %s>' % self.name

    def is_expired(self) -> bool:
        """Tell whether its time is over. A key that has an end is refused while nobody knows what time it is."""
        if self.expires is None:
            return False
        time = now()
        return time is None or time >= self.expires

    def was_used_lately(self) -> bool:
        """Tell whether it is kept already that the key was used within the last hour."""
        last = self.last_used
        return last is not None and 0 <= (now() or last) - last < _HOUR


# --- the text of a key ----------------------------------------------------------------------------

def make(prefix: str) -> 'tuple[str, str, str]':
    """Return a new key: its text, and the id and the hash that are to be kept of it."""
    key_id, secret = _word(_ID_SIZE), _word(_SECRET_SIZE)
    return '%s_%s_%s' % (prefix, key_id, secret), key_id, _hashed(secret).decode()


def new_key(prefix: str, user: 'Any', name: str, scopes: 'Any' = (),
            expires: 'int | None' = None) -> 'tuple[str, APIKey]':
    """Return a new key of a user: its text, and what is to be kept of it. See :meth:`MemoryKeys.create`."""
    owner = user_id(user)
    check_name(name)
    scopes = _checked_scopes(scopes)
    _check_expires(expires)
    text, key_id, secret_hash = make(prefix)
    return text, APIKey(key_id, owner, name, scopes, secret_hash, now(), expires)


def split(text: 'Any', prefix: str) -> 'tuple[str, str] | None':
    """Return id and secret of a key with that prefix, or ``None`` for what has not the form of one."""
    parts = text.split('_', 3) if isinstance(text, str) else ()
    if len(parts) != 3 or parts[0] != prefix or len(parts[1]) != _ID_SIZE or len(parts[2]) != _SECRET_SIZE:
        return None
    return parts[1], parts[2]


def is_right(key: 'APIKey | None', secret: str) -> bool:
    """Tell whether the secret is the key's, after the same time whether there is such a key or not."""
    kept = _NOBODY if key is None else key.secret_hash
    try:
        hashed = _hashed(secret)
    except UnicodeError:  # half a character, from a server that takes anything
        return False
    return compare_digest(hashed, kept.encode()) and key is not None


def _hashed(secret: str) -> bytes:
    return b64url_bytes(sha256(secret.encode()).digest())


def _word(size: int) -> str:
    """Return random letters and digits: of base64url, what has none of its two signs. One click selects all of it."""
    while True:
        word = b64url_encode(random_bytes(size * 3 // 4))
        if '-' not in word and '_' not in word:
            return word


def check_prefix(prefix: str) -> None:
    """Raise ValueError for what cannot be the prefix of keys."""
    if not isinstance(prefix, str) or not 1 < len(prefix) <= 16 or not _is_alphanumeric(prefix):
        raise ValueError('a prefix is 2 to 16 letters and digits, such as greenhouse')


def _is_alphanumeric(text: str) -> bool:
    for c in text:
        if not ('a' <= c <= 'z' or 'A' <= c <= 'Z' or '0' <= c <= '9'):
            return False
    return True


# --- where they are kept --------------------------------------------------------------------------

class MemoryKeys:
    """Keys that last as long as the program.

    Each change holds when its method returns, or raises and has changed nothing.

    :param prefix: what every key begins with: 2 to 16 letters and digits, which search for leaked secrets goes by.
    :param max_keys: how many there may be; about 300 bytes each on a board.
    :param max_per_user: how many one user may have.
    :param events: a :class:`dotlatch.events.Events` that is told of each change.
    """
    def __init__(self, prefix: str = 'dl', max_keys: int = 100, max_per_user: int = 20, events: 'Any' = None) -> None:
        check_prefix(prefix)
        self.prefix = prefix
        self.max_keys = max_keys
        self.max_per_user = max_per_user
        self.events = events
        self._keys: 'dict[str, APIKey]' = {}
        self._lock: 'Any' = Lock()

    def __len__(self) -> int:
        self._refresh()
        return len(self._keys)

    def __iter__(self) -> 'Iterator[APIKey]':
        """Go through the keys, by name."""
        self._refresh()
        return iter(sorted(self._keys.values(), key=lambda key: (key.name, key.id)))

    def of_user(self, user: 'Any') -> 'list[APIKey]':
        """Return the keys of a user, given as an object, a dictionary or an id, by name."""
        owner = user_id(user)
        return [key for key in self if key.user_id == owner]

    def create(self, user: 'Any', name: str, scopes: 'Any' = (), expires: 'int | None' = None) -> str:
        """Make a key and return its text, which is kept nowhere: show it now, once.

        Where there is no room, keys whose time is over go.

        :param user: whose it is: an object, a dictionary or an id.
        :param name: what its owner calls it; 1 to 64 characters, none of them a control character.
        :param scopes: at most 32. None of them gives more than the user may; with none it opens what needs no scope.
        :param expires: Unix seconds.
        :raises ValueError: for a name, scopes or an end that cannot be, or when there are too many keys.
        :raises TypeError: when the user has no id that is a str or an int.
        """
        text, key = new_key(self.prefix, user, name, scopes, expires)
        with self._lock:
            self._reload()
            left = self._with_room(key.user_id)
            left[key.id] = key
            self._replace(left)
        self._tell('key_created', key)
        return text

    def revoke(self, key_id: str, user: 'Any' = None) -> bool:
        """End a key, and tell whether there was one.

        :param user: when given, only a key of this user goes: for ids that a form sends.
        """
        owner = None if user is None else user_id(user)
        return self._drop(lambda key: key.id == key_id and owner in (None, key.user_id)) == 1

    def revoke_user(self, user: 'Any') -> int:
        """End all keys of a user, and return how many there were."""
        owner = user_id(user)
        return self._drop(lambda key: key.user_id == owner)

    # --- what APIKeyAuth asks -------------------------------------------------------------------------

    async def find(self, key_id: str) -> 'APIKey | None':
        """Return the key with that id, or ``None``."""
        self._refresh()
        return self._keys.get(key_id)

    def used(self, key: APIKey) -> None:
        """Keep that the key was used now. :class:`~dotlatch.keyauth.APIKeyAuth` says so once an hour for each key."""
        with self._lock:
            self._reload()
            kept = self._keys.get(key.id)
            if kept is None or kept.was_used_lately():
                return  # told of it by another process, or before the last restart
            before = kept.last_used
            kept.last_used = now() or before or 0
            try:
                self._changed()
            except Exception:
                kept.last_used = before
                raise

    # --- changes --------------------------------------------------------------------------------------

    def _with_room(self, owner: 'str | int') -> 'dict[str, APIKey]':
        """Return the keys that stay when another one of this user comes."""
        time = now() or 0
        left = self._keys.copy()
        for is_counted, bound in ((lambda key: key.user_id == owner, self.max_per_user),
                                  (lambda key: True, self.max_keys)):
            counted = [key for key in left.values() if is_counted(key)]
            if len(counted) < bound:
                continue
            over = [key for key in counted if key.expires is not None and key.expires <= time]
            for key in over:
                del left[key.id]
            if len(counted) - len(over) >= bound:
                raise ValueError('there are %d keys already: revoke one first' % bound)
        return left

    def _drop(self, goes: 'Any') -> int:
        with self._lock:
            self._reload()
            gone = [key for key in self._keys.values() if goes(key)]
            if gone:
                self._replace({key.id: key for key in self._keys.values() if key not in gone})
        for key in gone:
            self._tell('key_revoked', key)
        return len(gone)

    def _replace(self, keys: 'dict[str, APIKey]') -> None:
        before = self._keys
        self._keys = keys
        try:
            self._changed()
        except Exception:  # what could not be kept is not true
            self._keys = before
            raise

    def _tell(self, event: str, key: APIKey) -> None:
        """Tell of a change that holds. Not under the lock: a callback may ask for keys."""
        if self.events is not None:
            self.events.emit(event, user=key.user_id, name=key.name)

    def _refresh(self) -> None:
        """Have in memory what is kept."""

    _reload = _refresh  # the same, under the lock

    def _changed(self) -> None:
        """Keep what is in memory."""


class FileKeys(MemoryKeys):
    """Keys in one JSON file, which is replaced whole when one of them changes.

    There is a copy beside it, ``keys.json.copy``. When the file is damaged or lost, the copy is used, with a warning
    and the event ``keys_restored``.

    :param path: the file; it is made with the first key.
    :param prefix: see :class:`MemoryKeys`; so are ``max_keys``, ``max_per_user`` and ``events``.
    :raises ValueError: when neither the file nor its copy is right. They are left as they are.
    """
    def __init__(self, path: str, prefix: str = 'dl', max_keys: int = 100, max_per_user: int = 20,
                 events: 'Any' = None) -> None:
        super().__init__(prefix, max_keys, max_per_user, events)
        self.path = path
        self._file = copies.SharedFile(path, 'a file of API keys', _parsed, self._take, events, 'keys_restored')
        self._lock = self._file.lock

    def _refresh(self) -> None:
        self._file.refresh()

    def _reload(self) -> None:
        self._file.reload()

    def _take(self, keys: 'list[APIKey] | None') -> None:
        self._keys = {key.id: key for key in keys or ()}

    def _changed(self) -> None:
        keys = [{name: getattr(key, name) for name in _FIELDS} for key in self._keys.values()]
        self._file.save({'format': 1, 'keys': keys})


def _parsed(content: 'dict[str, Any]') -> 'list[APIKey]':
    """Return the keys that a file describes; ValueError, KeyError or TypeError for what describes none."""
    listed = content['keys']
    keys = [read_key(fields) for fields in listed]
    unique = len({key.id for key in keys}) == len(keys)
    if type(listed) is not list or content['format'] != 1 or len(content) != 2 or not unique:
        raise ValueError('not keys')
    return keys


def read_key(fields: 'dict[str, Any]') -> APIKey:
    """Return the key that was kept as these fields; ValueError, KeyError or TypeError for what is none."""
    key = APIKey(*[fields[name] for name in _FIELDS])
    right = (type(key.id) is str and type(key.user_id) in (str, int) and type(key.name) is str
             and type(key.secret_hash) is str and type(fields['scopes']) is list
             and all(type(scope) is str for scope in key.scopes)
             and all(time is None or type(time) is int for time in (key.created, key.expires, key.last_used)))
    if not right:
        raise ValueError('not a key')
    return key


def _checked_scopes(scopes: 'Any') -> 'list[str]':
    checked = list(scopes)
    if isinstance(scopes, str) or not all(type(scope) is str and 0 < len(scope) <= 64 for scope in checked):
        raise ValueError('scopes are a list of strings')
    if len(checked) > MAX_SCOPES:
        raise ValueError('a key has at most %d scopes' % MAX_SCOPES)
    return checked


def _check_expires(expires: 'int | None') -> None:
    if expires is None:
        return
    if type(expires) is not int or expires > 1 << 53:
        raise ValueError('the end of a key is in Unix seconds, an int')
    if expires <= (now() or CLOCK_FLOOR):
        raise ValueError('the end of a key is in the future')
