"""A session's record as a database keeps it, and what is refused before it gets there.

Needs portable.py, strictjson.py and errors.py of this folder::

    packed = records.pack({'exp': 1795305600, 'user': 'anna', 'data': {}}, records.MAX_RECORD)
    records.unpack(packed.text, records.read_clock())    # the record, or None
"""
import hashlib
from typing import Any, NamedTuple

from .. import strictjson
from ..portable import now
from .errors import StoreUnavailable

MAX_RECORD = 64 * 1024  # bytes of JSON
MAX_LISTED = 1000       # sessions of one user
LONGEST_KEY = 100       # characters that a user's key has
TRIES = 3               # to write the time of use while others save, who have written it as well

_LATEST = 10 ** 11      # the year 5138: what is later was meant as milliseconds


class Packed(NamedTuple):
    """A record as a store writes it."""
    user_key: 'str | None'
    ends: int    # Unix seconds
    seen: int    # Unix seconds, 0 when it does not say
    text: bytes  # JSON


def key_of(user: object) -> 'str | None':
    """Return the text under which a user's sessions are found; ``None`` for what can have none.

    It is JSON, in which a string has its quotes, so 1 and '1' are two users and no control character is left; for a
    long name it is a hash, for which databases have room.
    """
    if type(user) is not str and type(user) is not int:
        return None
    try:
        text = strictjson.dumps(user)
    except TypeError:  # a lone surrogate
        return None
    key = text.decode()
    return key if len(key) <= LONGEST_KEY else 'sha256:' + hashlib.sha256(text).hexdigest()


def pack(record: 'dict[str, Any]', limit: int) -> Packed:
    """Return the record as it will be written.

    :param limit: the most bytes its JSON may have.
    :raises TypeError: for data that JSON cannot carry, or a ``user`` that is neither str nor int.
    :raises ValueError: for a record without ``exp``, with a time that is not one, or above the limit.
    """
    ends = _time(record.get('exp'), 'exp')
    seen = _time(record.get('seen', 0), 'seen')
    user = record.get('user')
    user_key = key_of(user)
    if user_key is None and user is not None:
        raise TypeError("a session's user is a str or an int")
    text = strictjson.dumps(record)
    if len(text) > limit:
        raise ValueError(f'the session would be {len(text)} bytes, {limit} fit: keep less in it')
    return Packed(user_key, ends, seen, text)


def _time(value: Any, name: str) -> int:
    if type(value) is not int or not 0 <= value < _LATEST:
        raise ValueError(f'{name} of a session is a time in Unix seconds, an int')
    return value


def unpack(text: 'bytes | str | None', time: int) -> 'dict[str, Any] | None':
    """Return the record, or ``None`` when it cannot be read or has ended at ``time``."""
    try:
        record = strictjson.loads(text.encode() if isinstance(text, str) else text or b'')
        if type(record) is dict and _time(record.get('exp'), 'exp') > time:
            return record
    except (ValueError, TypeError, AttributeError):
        pass
    return None


def read_clock() -> int:
    """Return Unix seconds; StoreUnavailable while the clock is not set, since no end can be judged by it."""
    time = now()
    if time is None:
        raise StoreUnavailable('the clock of this machine is not set')
    return time
