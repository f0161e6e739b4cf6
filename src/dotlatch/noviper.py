"""What viper.py does, in what all ports have, and CPython: a look at JSON and tokens, base64url, comparison.

Needs no other file. portable.py takes it on CPython; on a board it is loaded where there is no viper.
"""
from binascii import a2b_base64, b2a_base64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LEAVES = (str, int, bool, type(None))
_TOKEN68 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/'
_ENDS = (-1, -3, -2)          # what to cut off: the newline, and the padding by the length modulo 3
_PADS = (b'', b'', b'==', b'=')


def is_plain(value: 'Any', depth: int) -> bool:
    """Tell whether a value is made of exact dicts, lists, strings, integers, booleans and ``None``, not too deep."""
    if type(value) is dict:
        for name in value:
            if type(name) is not str:
                return False
        value = value.values()
    elif type(value) is not list:
        return type(value) in _LEAVES
    for item in value:
        if type(item) not in _LEAVES and (depth == 0 or not is_plain(item, depth - 1)):
            return False
    return True


def b64url_bytes(data: bytes) -> bytes:
    """Return base64url without padding (RFC 7515 section 2), as bytes."""
    text = b2a_base64(data)[:_ENDS[len(data) % 3]]
    if b'+' in text:
        text = text.replace(b'+', b'-')
    return text.replace(b'/', b'_') if b'/' in text else text


def b64url_decode(text: 'bytes | str') -> bytes:
    """Decode canonical base64url: no padding, no other character, unused bits zero (RFC 4648 section 3.3, 3.5).

    :raises ValueError: for anything else. Both Pythons' decoders skip what they do not know, so what they give is
        encoded again and has to be the same text.
    """
    coded = text.encode() if isinstance(text, str) else text
    plain = coded
    if b'-' in coded or b'_' in coded:  # rare in the text that tokens carry
        plain = coded.replace(b'-', b'+').replace(b'_', b'/')
    data = a2b_base64(plain + _PADS[len(plain) % 4])
    if b'+' in coded or b'/' in coded or b2a_base64(data)[:_ENDS[len(data) % 3]] != plain:
        raise ValueError('not canonical base64url')
    return data


def is_token68(text: str) -> bool:
    """Tell whether ``text`` is a token68 (RFC 9110 section 11.2), which RFC 6750 calls a b64token."""
    body = text.rstrip('=')
    return body != '' and not body.strip(_TOKEN68)


def compare_digest(a: bytes, b: bytes) -> bool:
    """Tell whether two byte strings are equal, in a time that does not depend on where they differ.

    As integers they are combined whole: the two prefixes leave one bit above every difference, so no leading zero is
    stripped and no comparison stops early.
    """
    size = len(a)
    if size != len(b):
        return False
    difference = int.from_bytes(b'\3' + a, 'big') ^ int.from_bytes(b'\2' + b, 'big')
    return not (difference - 1) >> (8 * size)
