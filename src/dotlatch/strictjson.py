"""JSON as RFC 8259 and RFC 7493 have it, with one verdict on both Pythons.

Needs portable.py, jsoncheck.py for values that are not plain, and on a board jsongrammar.py for texts that look odd.
MicroPython's ``json`` takes ``{"a" 1,}`` for an object, keeps the last of two equal names and writes bytes, sets and
infinities as something nobody can read back; CPython's takes ``NaN``, lone surrogates and equal names::

    from dotlatch.strictjson import dumps, loads

    loads(b'{"a": 1, "a": 2}')   # ValueError
    dumps({'a': b'bytes'})       # TypeError
"""
from .portable import is_plain, json_text, json_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def dumps(value: 'Any') -> bytes:
    """Return ``value`` as compact UTF-8 JSON.

    :raises TypeError: for what JSON cannot carry and give back: bytes, sets, objects, names that are not strings,
        infinities, lone surrogates, nesting deeper than 32, or than a board's stack can follow.
    """
    try:
        if not is_plain(value, 4):  # most are: who looks more closely is loaded for the others
            from . import jsoncheck
            jsoncheck.check(value, jsoncheck.MAX_DEPTH)
        return json_text(value)
    except UnicodeError:
        raise TypeError('JSON cannot carry a lone surrogate') from None
    except RuntimeError:  # a board's stack holds fewer levels, and fewer still inside a handler
        raise TypeError('nested deeper than this port can follow') from None


def loads(data: bytes) -> 'Any':
    """Return the value of one JSON text.

    :raises ValueError: when it is not UTF-8, not the grammar of RFC 8259, has two equal names in one object, an
        infinite number or a lone surrogate, or is nested deeper than 32.
    """
    return json_value(data)
