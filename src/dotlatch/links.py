"""Signed links: a path and query that anyone may follow until it expires.

Needs portable.py and tokens.py, through which it is used::

    from dotlatch import tokens

    link = tokens.sign_url('/log.csv?day=3', key, ttl=60)
    tokens.check_url(request.url, key)   # True for a minute
"""
from .portable import b64url_bytes, b64url_encode, compare_digest, now, uptime_ms
from .tokens import BOOT_ID, MAX_TOKEN, make_keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def sign_url(url: str, key: 'Any', ttl: int) -> str:
    """Return ``url`` with an expiry and a signature at the end of its query, for a link that anyone may follow.

    The signature covers path, query and expiry, not the host. It is for GET: links do not carry bodies.

    :param url: a path with or without a query (``/log.csv?day=3``), or a whole URL; percent-encoded, no fragment.
    :param key: bytes, str or Key, or a list of them; the first one signs.
    :param ttl: seconds the link is good for.
    :raises ValueError: for a URL that two servers could read differently.
    """
    if not isinstance(ttl, int) or isinstance(ttl, bool):
        raise TypeError('ttl is a number of seconds, an int')
    time = now()
    ends = 'b%d' % (uptime_ms() // 1000 + ttl) if time is None else str(time + ttl)
    signed = url + ('&' if '?' in url else '?') + 'expires=' + ends
    message = _url_message(signed, ends)
    if message is None or len(signed) > MAX_TOKEN - 54:
        raise ValueError('a link to sign is a percent-encoded path and query up to 4000 bytes, without %2F, %25 or #')
    return signed + '&signature=' + b64url_encode(make_keys(key)[0].sign(message))


def check_url(url: str, key: 'Any') -> bool:
    """Tell whether ``url`` (``request.url``) was signed by :func:`sign_url` with one of the keys, and is in time."""
    try:
        url.encode()
    except UnicodeError:
        return False
    signed, found, signature = url.rpartition('&signature=')
    ends = signed.rpartition('expires=')[2]
    message = _url_message(signed, ends) if found and len(url) <= MAX_TOKEN else None
    if message is None:
        return False
    given = signature.encode()
    for k in make_keys(key):
        if compare_digest(b64url_bytes(k.sign(message)), given):
            break
    else:
        return False
    if ends[0] == 'b':
        return uptime_ms() // 1000 < int(ends[1:])
    time = now()
    return time is not None and time < int(ends)


def _url_message(signed: str, ends: str) -> 'bytes | None':
    """Return what is signed: the same whether a server hands out the path as sent or decoded (ASGI and WSGI do).

    ``None`` for a URL in which the two cannot be told apart, or which has no place for a signature.
    """
    path, _, query = signed.partition('?')
    for c in query:
        if not '!' <= c <= '~' or c == '#':
            return None
    number = ends[1:] if ends.startswith('b') else ends
    if not number.isdigit() or len(number) > 12 or signed[-len(ends) - 9:-len(ends) - 8] not in ('?', '&'):
        return None
    scheme, found, rest = path.partition('://')
    if found and '/' not in scheme:
        path = '/' + rest.partition('/')[2]
    plain = _percent_decoded(path)
    if plain is None or not path.startswith('/'):
        return None
    boot = BOOT_ID if ends != number else ''
    return b'dotlatch-url\n' + boot.encode() + b'\n' + plain + b'?' + query.encode()


def _percent_decoded(path: str) -> 'bytes | None':
    pieces = path.encode().split(b'%')
    plain = [pieces[0]]
    for piece in pieces[1:]:
        code = piece[:2].lower()
        for c in code:
            if c not in b'0123456789abcdef':
                return None
        if len(code) != 2 or code == b'2f':
            return None
        plain.append(bytes((int(code, 16),)) + piece[2:])
    joined = b''.join(plain)
    for c in joined:
        if c < 32 or c == 127 or c in b'%?#\\':
            return None
    return joined
