"""A JSON file with a check of its content, and a copy of it: when one of the two is damaged, the other one is used.

Needs portable.py, strictjson.py and files.py::

    copies.save('users.json', {'format': 1, 'users': []})
    copies.load('users.json', 'a file of users', lambda content: content['users'])   # ([], False)

:class:`SharedFile` is such a file that several processes write.
"""
from hashlib import sha256

from . import files, strictjson
from .portable import FileLock, b64url_bytes, compare_digest, file_version, followed, warn, warn_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

COPY = '.copy'           # behind the file's name
_HEAD = b'{"check":"'    # then 16 characters of base64url, '",' and the other names
_CHECK_END = len(_HEAD) + 16
_DAMAGED = (5, 84)       # EIO; EILSEQ, by which littlefs tells of a block that it cannot read


def load(path: str, what: str, parse: 'Callable[[dict[str, Any]], Any]') -> 'tuple[Any, bool]':
    """Return what ``parse`` makes of the content, and whether that is the copy's; ``None`` when there is neither file.

    :param what: what sort of file it is, for the error.
    :param parse: raises ValueError, TypeError or KeyError for what is not right. A file without a check, such as
        somebody wrote by hand, is judged by it alone.
    :raises ValueError: when there is a file, and neither it nor the copy is right. They are left as they are.
    :raises OSError: when nobody can tell, since they may not be read.
    """
    found = []
    for name in (path, followed(path) + COPY):
        try:
            data = files.read(name)
        except OSError as error:
            if error.errno not in _DAMAGED:
                raise
            data = b''
        if data is not None:
            found.append(name)
            try:
                return parse(_content(data)), name != path
            except (ValueError, TypeError, KeyError):
                pass
    if found:
        which = found[0] + ' is not' if len(found) == 1 else 'neither %s nor %s is' % (found[0], found[1])
        raise ValueError('%s %s: put a copy back, or move it away' % (which, what))
    return None, False


def save(path: str, content: 'dict[str, Any]') -> None:
    """Replace the file, and then its copy: each of them is whole at every moment.

    :raises OSError: when the file cannot be replaced; both are then as they were.
    :raises TypeError: for what JSON cannot carry.
    """
    text = strictjson.dumps(content)
    path = followed(path)
    data = _HEAD + _check(text[1:]) + b'",' + text[1:]
    files.replace(path, data)
    try:
        files.replace(path + COPY, data)
    except (OSError, MemoryError):  # what was asked for is done
        warn_once('the copy of a file could not be written: it is an older one')


class SharedFile:
    """A file whose content is kept in memory, and read again when another process has written it.

    :param what: what sort of file it is, for messages.
    :param parse: see :func:`load`.
    :param take: called with what ``parse`` returned, or with ``None`` when there is no file.
    :param events: a :class:`dotlatch.events.Events` that is told when the copy had to be used.
    :param event: under which name.
    :raises ValueError: when neither the file nor its copy is right. They are left as they are. When that happens later,
        it is an OSError, as for any store that cannot be read.
    """
    def __init__(self, path: str, what: str, parse: 'Callable[[dict[str, Any]], Any]', take: 'Callable[[Any], None]',
                 events: 'Any', event: str) -> None:
        self.path = path
        self.lock = FileLock(path)
        self._what = what
        self._parse = parse
        self._take = take
        self._events = events
        self._event = event
        self._version = file_version(path)
        self._load(path)
        self.refresh()

    def _load(self, path: str) -> None:
        content, self._is_copy = load(path, self._what, self._parse)
        self._take(content)

    def reload(self) -> None:
        """Have what was written last, under the lock."""
        path = self.lock.path
        version = file_version(path)
        if version != self._version:  # another process has written it
            try:
                self._load(path)
            except ValueError as error:  # now it is a store that cannot be asked
                raise OSError(5, str(error)) from None
            self._version = version

    def refresh(self) -> None:
        """Have what was written last; without the lock, which is taken when there is something to read."""
        if file_version(self.path) != self._version:
            with self.lock:  # or another thread's change, on its way to the file, would be taken back
                self.reload()
        if self._is_copy:
            self._is_copy = False
            warn('%s is damaged or lost: what is in use is its copy' % self.path)
            if self._events is not None:
                self._events.emit(self._event, path=self.path)

    def save(self, content: 'dict[str, Any]') -> None:
        """Write it, under the lock; see :func:`save`."""
        path = self.lock.path  # where a link led when it was read: another file is not written over
        save(path, content)
        self._version = file_version(path)


def _content(data: bytes) -> 'dict[str, Any]':
    content: 'dict[str, Any]' = strictjson.loads(data)
    if data.startswith(_HEAD):
        rest = memoryview(data)[_CHECK_END + 2:]
        if not compare_digest(_check(rest), data[len(_HEAD):_CHECK_END]):
            raise ValueError('damaged')
        del content['check']
    return content


def _check(text: 'bytes | memoryview') -> bytes:
    """Return what a damaged file does not have. It is no protection against whoever can write it."""
    return b64url_bytes(sha256(text).digest()[:12])
