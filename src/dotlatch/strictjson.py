"""JSON as RFC 8259 and RFC 7493 have it, with one verdict on both Pythons.

Needs portable.py, and on a board jsongrammar.py for texts that look odd. MicroPython's ``json`` takes ``{"a" 1,}`` for
an object, keeps the last of two equal names and writes bytes, sets and infinities as something nobody can read back;
CPython's takes ``NaN``, lone surrogates and equal names::

    from dotlatch.strictjson import dumps, loads

    loads(b'{"a": 1, "a": 2}')   # ValueError
    dumps({'a': b'bytes'})       # TypeError
"""
from .portable import json_text, json_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAX_DEPTH = 32
_LEAVES = (str, int, bool, type(None))


def dumps(value: 'Any') -> bytes:
    """Return ``value`` as compact UTF-8 JSON.

    :raises TypeError: for what JSON cannot carry and give back: bytes, sets, objects, names that are not strings,
        infinities, lone surrogates, nesting deeper than 32, or than a board's stack can follow.
    """
    try:
        _check(value, MAX_DEPTH)
        return json_text(value)
    except UnicodeError:
        raise TypeError('JSON cannot carry a lone surrogate') from None
    except RuntimeError:  # a board's stack holds fewer levels, and fewer still inside a handler
        raise TypeError('nested deeper than this port can follow') from None


def _check(value: 'Any', depth: int) -> None:
    if type(value) in _LEAVES:
        return
    if isinstance(value, float):
        if value - value != 0:
            raise TypeError('JSON cannot carry an infinite number')
        return
    is_dict = isinstance(value, dict)
    if not is_dict and type(value) is not list and type(value) is not tuple:
        raise TypeError('JSON cannot carry ' + type(value).__name__)
    if depth <= 0:
        raise TypeError('nested deeper than 32')
    for item in value:
        if is_dict:
            if not isinstance(item, str):
                raise TypeError('JSON names are strings, not ' + type(item).__name__)
            item = value[item]
        if type(item) not in _LEAVES:  # most are, and a call costs a board more than the look
            _check(item, depth - 1)


def loads(data: bytes) -> 'Any':
    """Return the value of one JSON text.

    :raises ValueError: when it is not UTF-8, not the grammar of RFC 8259, has two equal names in one object, an
        infinite number or a lone surrogate, or is nested deeper than 32.
    """
    try:
        return json_value(data)
    except RuntimeError:
        raise ValueError('nested deeper than this port can follow') from None
