"""JSON as RFC 8259 and RFC 7493 have it, with one verdict on both Pythons.

Needs portable.py, and on MicroPython jsongrammar.py for texts that look odd. MicroPython's ``json`` takes ``{"a" 1,}``
for an object, keeps the last of two equal names and writes bytes, sets and infinities as something nobody can read
back; CPython's takes ``NaN``, lone surrogates and equal names::

    from dotlatch.strictjson import dumps, loads

    loads(b'{"a": 1, "a": 2}')   # ValueError
    dumps({'a': b'bytes'})       # TypeError
"""
import json

from .portable import MICROPYTHON, utf8

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAX_DEPTH = 32
_PLAIN = (str, int, bool, type(None))

if MICROPYTHON:
    _json_dumps = json.dumps
    _COMPACT = (',', ':')

    def _encode(value: 'Any') -> str:
        return _json_dumps(value, separators=_COMPACT)
else:
    _encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(',', ':'))

    def _encode(value: 'Any') -> str:
        return _encoder.encode(value)


def dumps(value: 'Any') -> bytes:
    """Return ``value`` as compact UTF-8 JSON.

    :raises TypeError: for what JSON cannot carry and give back: bytes, sets, objects, names that are not strings,
        infinities, lone surrogates, nesting deeper than 32.
    """
    _check_value(value, MAX_DEPTH)
    try:
        return _encode(value).encode()
    except UnicodeError:
        raise TypeError('JSON cannot carry a lone surrogate') from None


def _check_value(value: 'Any', depth: int) -> None:
    if isinstance(value, dict):
        for name in value:
            if not isinstance(name, str):
                raise TypeError('JSON names are strings, not ' + type(name).__name__)
            item = value[name]
            if type(item) not in _PLAIN:  # most are, and a call costs a board more than the look
                _check_value(item, depth - 1)
    elif isinstance(value, (list, tuple)):
        for item in value:
            if type(item) not in _PLAIN:
                _check_value(item, depth - 1)
    elif isinstance(value, float):
        if value - value != 0:  # infinite or NaN
            raise TypeError('JSON cannot carry an infinite number')
        return
    elif not isinstance(value, _PLAIN):
        raise TypeError('JSON cannot carry ' + type(value).__name__)
    else:
        return
    if depth <= 0:
        raise TypeError('nested deeper than 32')


def loads(data: bytes) -> 'Any':
    """Return the value of one JSON text.

    :raises ValueError: when it is not UTF-8, not the grammar of RFC 8259, has two equal names in one object, an
        infinite number or a lone surrogate, or is nested deeper than 32.
    """
    return _loads(utf8(data))


def _count_names(value: 'Any') -> int:
    count = 0
    if isinstance(value, dict):
        count = len(value)
        value = value.values()
    elif not isinstance(value, list):
        return 0
    for item in value:
        if type(item) not in _PLAIN:
            count += _count_names(item)
    return count


if MICROPYTHON:
    def _loads(text: str) -> 'Any':
        # The order of names is not kept there, so what was read cannot be written again and compared. A text that comes
        # out as long as it went in, with a colon for every name and the same commas and braces, is what this file
        # writes; any other (white space, escapes, equal names, odd numbers) is looked at character by character.
        value = json.loads(text)
        again = _encode(value)
        if again != text and (
                len(again) != len(text) or text.count(':') != _count_names(value)
                or text.count(',') != again.count(',') or text.count('}') != again.count('}')):
            from . import jsongrammar
            text, names = jsongrammar.checked(text)
            value = json.loads(text)
            if _count_names(value) != names:
                raise ValueError('two equal names in one JSON object')
        return value
else:
    def _loads(text: str) -> 'Any':
        text = text.strip(' \t\n\r')
        try:
            value, end = _scan(text, 0)
            # Every name has its colon: as many colons as names that were kept means that no two were equal.
            if text.count(':') != (len(value) if isinstance(value, dict) else 0):
                value, end = _scan_unique(text, 0)
        except (StopIteration, RecursionError):
            raise ValueError('not JSON') from None
        if end != len(text):
            raise ValueError('more after the JSON value')
        if '\\u' in text:
            _encode(value).encode()  # UnicodeError, a ValueError: a lone surrogate
        if text.count('{') + text.count('[') > MAX_DEPTH:
            try:
                _check_value(value, MAX_DEPTH)
            except TypeError as error:
                raise ValueError(str(error)) from None
        return value

    def _object(pairs: 'list[tuple[str, Any]]') -> 'dict[str, Any]':
        members = dict(pairs)
        if len(members) != len(pairs):
            raise ValueError('two equal names in one JSON object')
        return members

    def _number(text: str) -> float:
        number = float(text)
        if number - number != 0:
            raise ValueError('a number too large')
        return number

    def _constant(text: str) -> 'Any':
        raise ValueError('not JSON: ' + text)

    _decoder: 'Any' = json.JSONDecoder(parse_float=_number, parse_constant=_constant)
    _scan = _decoder.scan_once
    _decoder = json.JSONDecoder(object_pairs_hook=_object, parse_float=_number, parse_constant=_constant)
    _scan_unique = _decoder.scan_once
