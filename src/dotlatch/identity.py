"""What counts as a user: any object or dictionary with an ``id``, or a bare name or number.

Needs portable.py::

    from dotlatch.identity import as_user, get

    user = as_user(verdict)        # None for a no; TypeError for what is neither
    get(user, 'name', 'nobody')
"""
import asyncio

from microdot import Response

from .portable import Key, b64url_bytes, compare_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


_last_type: 'Any' = None  # of the last object that was one: on a device it is nearly always the next one's too

_NEVER = (bool, tuple, list, set, bytes, bytearray, float, type, BaseException, Response, asyncio.Task)


def as_user(verdict: 'Any') -> 'Any':
    """Return the user that a callback returned, or ``None`` when it returned a no: ``None``, ``False`` or ``''``.

    :raises TypeError: for what only looks like a yes: ``True``, a coroutine or task, a tuple or list (an error response
        such as ``('Forbidden', 403)``), a Response, an exception, a class. Truth is not a verdict.
    """
    global _last_type
    if type(verdict) is _last_type:
        return verdict
    if verdict is None or verdict is False:
        return None
    if isinstance(verdict, (str, int, dict)) and verdict is not True:
        return verdict if verdict or verdict == 0 else None
    is_coroutine = hasattr(verdict, 'send') and hasattr(verdict, 'throw')  # on either Python
    is_function = callable(verdict) and not hasattr(verdict, 'id')
    if is_coroutine or is_function or isinstance(verdict, _NEVER) or hasattr(verdict, '__await__'):
        raise TypeError('a callback has to return a user (an object, dict, name or number) or None, not '
                        + type(verdict).__name__)
    _last_type = type(verdict)
    return verdict


def get(user: 'Any', name: str, default: 'Any' = None) -> 'Any':
    """Return a property of a user, be it an object or a dictionary."""
    if isinstance(user, dict):
        return user.get(name, default)
    return getattr(user, name, default)


def user_id(user: 'Any') -> 'str | int':
    """Return what identifies a user in a session: its ``id``, or a bare name or number itself.

    :raises TypeError: when that is not a string or int, which is what a token carries and gives back unchanged.
    """
    identity = user if isinstance(user, (str, int)) else get(user, 'id')
    if not isinstance(identity, (str, int)) or isinstance(identity, bool):
        raise TypeError('a user needs an id that is a str or an int, not ' + type(identity).__name__)
    return identity


def name_of(user: 'Any') -> str:
    """Return what a user is called: the name or, without one, the id."""
    return str(get(user, 'name') or user_id(user))


def scope_list(scopes: 'Any') -> 'list[str]':
    """Return scopes as a list: of a text with spaces between them (RFC 6749 section 3.3), of an iterable, of ``None``.
    """
    return scopes.split(' ') if isinstance(scopes, str) and scopes else list(scopes or ())


def is_same_id(one: 'Any', other: 'Any') -> bool:
    """Tell whether two ids are the same, of which 1, ``True`` and ``'1'`` are three."""
    return type(one) is type(other) and bool(one == other)


def is_active(user: 'Any') -> bool:
    """Tell whether a user may log in: unless ``is_active`` is there and false."""
    try:  # who has it is answered in a third of the time of two questions
        active = user.is_active
    except AttributeError:
        active = user.get('is_active', True) if isinstance(user, dict) else True
    if active is True:
        return True
    if callable(active):  # a method is true, whatever it would say
        raise TypeError('is_active is a value, not a method')
    return bool(active)


def has_second_factor(user: 'Any') -> bool:
    """Tell whether a password alone does not let the user in: when ``totp`` is there and not empty."""
    totp = user.get('totp') if isinstance(user, dict) else getattr(user, 'totp', None)
    return totp is not None and bool(totp)


# The last answer: on a device it is nearly always the next one too.
_last: 'tuple[Any, ...]' = (None, None, None, '')


def stamp(user: 'Any', key: Key) -> str:
    """Return a keyed digest over the user's password hash and session version, or ``''`` where there is neither.

    A session holds it, so a new password ends the sessions of the old one with no table (ASVS 7.4.3).
    """
    if isinstance(user, dict):
        password_hash, version = user.get('password_hash'), user.get('session_version')
    else:
        password_hash, version = getattr(user, 'password_hash', None), getattr(user, 'session_version', None)
    if password_hash is None and version is None:
        return ''
    global _last
    last_key, last_hash, last_version, mark = _last
    if last_key is key and last_hash == password_hash and last_version == version:
        return mark  # type: ignore[no-any-return]  # a text, which str() would only look at
    if hasattr(key, 'stamp'):  # a key that is shared with Django: see server/django_codec.py
        mark = str(key.stamp(password_hash))
    else:
        text = 'dotlatch-stamp\n%s\n%s' % (version, password_hash)
        mark = b64url_bytes(key.sign(text.encode())[:12]).decode()
    _last = (key, password_hash, version, mark)
    return mark


def stamp_key(user: 'Any', keys: 'list[Key]', given: 'Any') -> 'Key | None':
    """Return the one of the keys under which ``given`` is the user's stamp, or ``None``."""
    wanted = str(given).encode()
    for key in keys:
        if compare_digest(stamp(user, key).encode(), wanted):
            return key
    return None
