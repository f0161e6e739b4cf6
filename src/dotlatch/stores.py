"""Where sessions are kept on the server's side: in memory or in a folder, as many as there is room for.

Needs portable.py, strictjson.py, files.py and tokens.py. All stores have these five methods, and a program's own store
needs no others; where several processes save, a sixth helps, see :meth:`FileStore.touch`::

    store = FileStore('sessions')
    session_id = random_id()

    await store.save(session_id, {'exp': now() + 3600, 'seen': now(), 'user': 'anna', 'data': {}}, new=True)   # True
    await store.load(session_id)                     # the record, or None
    await store.list_user('anna')                    # [(session_id, record)]
    await store.delete_user('anna', keep=session_id) # 0: how many others there were
    await store.delete(session_id)

A record is a dictionary that JSON carries. The stores look at three of its names: ``exp`` or the claim of this boot
says when it ends (see :func:`dotlatch.tokens.with_lifetime`), ``seen`` when it was last used, in seconds of the same
clock, and ``user`` whose it is: a str, an int, or not there.
"""
import os
from hashlib import sha256

from . import files, strictjson, tokens
from .portable import MICROPYTHON, FileLock, b64url_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAX_RECORD = 4096  # bytes of JSON
MAX_IN_MEMORY = 32 if MICROPYTHON else 4000
MAX_IN_FILES = 32 if MICROPYTHON else 1000

_ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
_CHECK = 20           # bytes in front of a record in its file: see _sealed()
_EARLIER = 1 << 40    # ranks: see _rank()
_ENDED = 1 << 60


def is_session_id(text: 'Any') -> bool:
    """Tell whether ``text`` is what :func:`dotlatch.portable.random_id` makes: 22 characters of base64url.

    Nothing else becomes part of a file name, a key or a query (ASVS 1.2.2, 2.2.1).
    """
    return isinstance(text, str) and len(text) == 22 and not text.strip(_ALPHABET)


class MemoryStore:
    """Sessions that last as long as the program, in one process.

    When it is full, a new session takes the place of those that have ended, or else of the one that was used longest
    ago. A store of 64 or more frees a 64th of its places at once, so that a flood of new sessions does not look through
    all of them every time.

    :param max_sessions: how many there may be. A record of 250 bytes takes 350 bytes on a board, where the default is
        32, and 400 bytes on CPython, where it is 4,000.
    :param max_record: bytes of JSON that one may have.
    """
    def __init__(self, max_sessions: int = MAX_IN_MEMORY, max_record: int = MAX_RECORD) -> None:
        if max_sessions < 1:
            raise ValueError('a store needs room for one session')
        self.max_sessions = max_sessions
        self.max_record = max_record
        self._records: 'dict[str, bytes]' = {}

    async def load(self, session_id: str) -> 'dict[str, Any] | None':
        """Return a copy of the session's record; ``None`` when there is none, or it has ended or is damaged.

        :raises OSError: when the medium cannot be read: nobody knows then whether there is a session (503).
        """
        record = self._record(session_id) if is_session_id(session_id) else None
        return record if record is not None and _is_live(record) else None

    async def save(self, session_id: str, record: 'dict[str, Any]', new: bool = False) -> bool:
        """Keep a record, and tell whether that was done.

        :param new: ``True`` for a session that is not there yet; otherwise the record replaces one that is still
            there: a logout wins over a handler that saves late.
        :raises TypeError: for a record that JSON cannot carry.
        :raises ValueError: for one that is too large.
        :raises OSError: when the medium cannot be written; the record is then what it was.
        """
        if not is_session_id(session_id):
            return False
        text = strictjson.dumps(record)
        if len(text) > self.max_record:
            raise ValueError('the session would be %d bytes, %d fit' % (len(text), self.max_record))
        return self._write(session_id, text, new)

    async def delete(self, session_id: str) -> bool:
        """End a session, and tell whether it was there: of two that end the same, one is told so.

        :raises OSError: when the medium cannot be written: the session may still be there (503).
        """
        return is_session_id(session_id) and self._remove(session_id)

    async def delete_user(self, user: 'str | int', keep: 'str | None' = None) -> int:
        """End all sessions of a user, also those that cannot be judged while the clock is not set.

        :param keep: the id of one that goes on.
        :returns: how many were ended.
        :raises OSError: when one of them could not be; all others are ended then.
        """
        count = 0
        failed = None
        owner = _owner(user)
        for name in self._names():
            try:
                record = self._record(name, owner)
                if name != keep and _is_of(record, user):
                    count += _rank(record) < _ENDED
                    self._remove(name)
            except OSError as error:
                failed = error
        if failed is not None:
            raise failed
        return count

    async def list_user(self, user: 'str | int') -> 'list[tuple[str, dict[str, Any]]]':
        """Return id and record of each session that a user has, the one used last first."""
        found = []
        owner = _owner(user)
        for name in self._names():
            record = self._record(name, owner)
            if record is not None and _is_of(record, user) and _is_live(record):
                found.append((name, record))
        found.sort(key=lambda item: _rank(item[1]))
        return found

    def _make_room(self) -> None:
        names = self._names()
        if len(names) < self.max_sessions:
            return
        ranks = sorted([(_rank(self._record(name)), name) for name in names], reverse=True)
        surplus = len(names) - self.max_sessions + 1 + self.max_sessions // 64
        for rank, name in ranks:
            if surplus <= 0 and rank < _ENDED:
                break
            self._drop(name)
            surplus -= 1

    def _record(self, name: str, part: bytes = b'') -> 'dict[str, Any] | None':
        """Return the record if there is one and ``part`` is in its text, which is found much sooner than read."""
        text = self._read(name)
        if part not in text:
            return None
        try:
            record = strictjson.loads(text)
        except ValueError:
            return None
        return record if type(record) is dict else None

    # --- where they are kept ----------------------------------------------------------------------

    def _names(self) -> 'list[str]':
        return list(self._records)

    def _read(self, name: str) -> bytes:
        return self._records.get(name, b'')

    def _write(self, name: str, text: bytes, new: bool) -> bool:
        if (name in self._records) == new:
            return False
        if new and len(self._records) >= self.max_sessions:
            self._make_room()
        self._records[name] = text
        return True

    def _remove(self, name: str) -> bool:
        return self._drop(name)

    def _drop(self, name: str) -> bool:
        return self._records.pop(name, None) is not None


class FileStore(MemoryStore):
    """Sessions in a folder, one file each, which outlast the program. Nothing is kept in memory.

    A file is replaced whole: a power cut leaves the old record or the new one. It begins with a check of its record and
    its name, so a damaged, cut or exchanged file is no session. Other files in the folder are left alone.

    Several processes may share the folder: one at a time writes, under a lock, so a session that one of them has ended
    is not brought back by another one that saves it late.

    :param path: the folder; it is made when it is not there.
    :param max_sessions: how many there may be: 32 on a board, where each takes a block of flash, often 4 KB, and 1,000
        on CPython.
    :param max_record: bytes of JSON that one may have.
    :raises OSError: when there is no folder and none can be made.
    """
    def __init__(self, path: str, max_sessions: int = MAX_IN_FILES, max_record: int = MAX_RECORD) -> None:
        super().__init__(max_sessions, max_record)
        self.path = path
        try:
            os.mkdir(path)
        except OSError:  # most often it is there; else listing it says what is wrong
            os.listdir(path)
        try:
            with self._lock():
                self._tidy()
        except OSError:  # what cannot be written can still be read
            pass

    async def touch(self, session_id: str, record: 'dict[str, Any]') -> None:
        """Keep a record, but with the ``data`` that is there by now: what another process saves meanwhile stays.

        It writes down that a session was used; one that was ended stays ended. A store in which nobody can save between
        ``load`` and ``save`` has no need of it.
        """
        if is_session_id(session_id):
            with self._lock():
                newest = self._record(session_id)
                if newest is not None:
                    self._put(session_id, strictjson.dumps(dict(record, data=newest.get('data'))))

    def _lock(self) -> FileLock:
        return FileLock(self.path + '/')

    def _tidy(self) -> None:
        """Clear away what a power cut left, in which an old record may be the only one."""
        names = os.listdir(self.path)
        for leftover in names:
            name, end = leftover[:22], leftover[22:]
            if not is_session_id(name):
                continue
            if end == files.OLD and name not in names:
                os.rename(self._path(leftover), self._path(name))
            elif end == files.OLD or (end.startswith('.') and end.endswith('.new')):
                os.remove(self._path(leftover))

    def _path(self, name: str) -> str:
        return self.path + '/' + name

    def _names(self) -> 'list[str]':
        # An old record alone is one too: the medium has failed since the start.
        names = [name[:22] if name.endswith(files.OLD) else name for name in os.listdir(self.path)]
        return list({name for name in names if is_session_id(name)})

    def _read(self, name: str) -> bytes:
        sealed = files.read(self._path(name)) or b''
        text = sealed[_CHECK:-1]
        return text if sealed == _sealed(name, text) else b''

    def _write(self, name: str, text: bytes, new: bool) -> bool:
        with self._lock():
            if (files.read(self._path(name)) is not None) == new:
                return False
            if new:
                self._make_room()
            self._put(name, text)
        return True

    def _put(self, name: str, text: bytes) -> None:
        try:
            files.replace(self._path(name), _sealed(name, text))
        except OSError as error:
            try:
                self._tidy()  # on a full disk there would soon be many
            except OSError:
                pass
            raise error

    def _remove(self, name: str) -> bool:
        with self._lock():
            return self._drop(name)

    def _drop(self, name: str) -> bool:
        found = False
        for end in (files.OLD, ''):  # in this order: the old one would be read once the other is gone
            try:
                os.remove(self._path(name) + end)
                found = True
            except OSError as error:
                if error.errno != 2:  # ENOENT
                    raise
        return found


def _sealed(name: str, text: bytes) -> bytes:
    """Return a session's file: a JSON array of a check and the record. Not against whoever can write to the folder."""
    check = sha256(name.encode() + text).digest()[:12]
    return b'["' + b64url_bytes(check) + b'",' + text + b']'


def _is_live(record: 'dict[str, Any]') -> bool:
    if type(record.get('exp')) is not int and tokens.BOOT_CLAIM not in record:
        return False  # without an end
    try:
        tokens.check_lifetime(record)
    except (ValueError, TypeError):  # TokenError, or times that are none
        return False
    return True


def _owner(user: 'str | int') -> bytes:
    """Return what is in the text of each of the user's sessions, and in some others'."""
    return b'"user":' + strictjson.dumps(user) if type(user) in (str, int) else b'"user":nobody'


def _is_of(record: 'dict[str, Any] | None', user: 'str | int') -> bool:
    return record is not None and type(record.get('user')) is type(user) and record['user'] == user  # True is no 1


def _rank(record: 'dict[str, Any] | None') -> int:
    """Return how soon a session makes room: the seconds since it was used, or ``_ENDED``.

    A time that lies ahead counts as one that is as long ago: a clock that was wrong for a while leaves no session that
    outlives all others. While the clock is not set, what counts by it is of an earlier boot, and goes before the rest.
    """
    if record is None:
        return _ENDED
    by_uptime = tokens.BOOT_CLAIM in record
    time = tokens.time_on(by_uptime)
    seen = record.get('seen')
    if type(seen) is not int:
        seen = 0
    if _is_live(record):
        return abs(time - seen)
    waiting = not time and not by_uptime and type(record.get('exp')) is int
    return _EARLIER - seen if waiting else _ENDED
