"""Reads the parameters of a Digest credential (RFC 7616 section 3.4), strictly and within bounds.

Needs portable.py::

    parse('username="anna", qop=auth, nc=00000001')   # {b'username': b'anna', b'qop': b'auth', b'nc': b'00000001'}
    extended(b"UTF-8''J%C3%A4s%C3%B8n")               # 'Jäsøn'

All of it is bytes: a board takes three times as long to cut a text in pieces, and they are hashed as bytes anyway.
"""
from binascii import unhexlify

from .portable import utf8

MAX_PARAMETERS = 16

_TOKEN = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.!#$%&'*+^`|~"
_BLANK = b' \t'
_KNOWN = frozenset([b'username', b'realm', b'nonce', b'uri', b'response', b'algorithm', b'qop', b'nc', b'cnonce'])
# What stands for an escaped backslash and quote until the text is cut at its quotes; no control character comes in.
_BACKSLASH = b'\x01'
_QUOTE = b'\x02'


def parse(text: str) -> 'dict[bytes, bytes]':
    """Return the parameters by their names in lower case, without the quotes and escapes of their values.

    Either form of a value is read, whatever the RFC has for that name: clients differ. But ``username*`` has no quotes.

    :raises ValueError: when ``text`` is no list of parameters (RFC 9110 section 11.2), has one twice, more than 16, a
        control character, or what is no UTF-8.
    """
    source = text.encode()
    utf8(source)
    if min(source) < 32 or b'\x7f' in source:
        _check_controls(source)
    if b'\\' in source:
        source = source.replace(b'\\\\', _BACKSLASH).replace(b'\\"', _QUOTE)
    pieces = source.split(b'"')  # outside, inside, outside ... of quotes
    parameters: 'dict[bytes, bytes]' = {}
    last = len(pieces) - 1
    if last % 2:
        raise ValueError('no end of a quoted string')
    for i in range(0, last + 1, 2):
        items = pieces[i].split(b',')
        if i and items.pop(0).strip(_BLANK):
            raise ValueError('no comma after a quoted string')
        if i < last:
            if not items:
                raise ValueError('no comma between two quoted strings')
            name, equals, rest = items.pop().partition(b'=')
            if not equals or rest.strip(_BLANK) or name.strip(_BLANK).lower() == b'username*':
                raise ValueError('a quoted string that is no value')
            _add(parameters, name, _unescaped(pieces[i + 1]))
        for item in items:
            if item and item.strip(_BLANK):  # a list may have empty elements (RFC 9110 section 5.6.1)
                name, _, value = item.partition(b'=')
                value = value.strip(_BLANK)
                if not _is_token(value):
                    raise ValueError('neither a token nor a quoted string')
                _add(parameters, name, value)
    return parameters


def _add(parameters: 'dict[bytes, bytes]', name: bytes, value: bytes) -> None:
    name = name.strip(_BLANK).lower()
    if (name not in _KNOWN and not _is_token(name)) or name in parameters or len(parameters) == MAX_PARAMETERS:
        raise ValueError('a parameter without a name, or one that comes twice, or too many')
    parameters[name] = value


def _is_token(text: bytes) -> bool:
    """Tell whether ``text`` is a token (RFC 9110 section 5.6.2); strip() is a loop over its characters in C."""
    return bool(text) and not text.strip(_TOKEN)


def _unescaped(value: bytes) -> bytes:
    if b'\\' in value:
        value = value.replace(b'\\', b'')
    if _BACKSLASH in value or _QUOTE in value:
        value = value.replace(_BACKSLASH, b'\\').replace(_QUOTE, b'"')
    return value


def _check_controls(source: bytes) -> None:
    for c in source:
        if (c < 32 and c != 9) or c == 127:
            raise ValueError('a control character')


def extended(value: bytes) -> str:
    """Return the text of an extended value (RFC 8187 section 3.2) such as ``UTF-8''J%C3%A4s%C3%B8n``.

    :raises ValueError: when it is malformed, or of another charset.
    """
    charset, _, rest = value.partition(b"'")
    _, quote, coded = rest.partition(b"'")
    if charset.upper() != b'UTF-8' or not quote or b"'" in coded or b'*' in coded:
        raise ValueError('no extended value')
    parts = coded.split(b'%')
    text = parts[0]
    for part in parts[1:]:
        if len(part) < 2:
            raise ValueError('no percent-encoded byte')
        text += unhexlify(part[:2]) + part[2:]
    return utf8(text)
