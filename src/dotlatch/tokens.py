"""Signed tokens: JWT with HS256 (RFC 7519, RFC 8725), one purpose each, and signed links.

Needs portable.py and strictjson.py; jwtheader.py for tokens that others made, and links.py for signed links::

    from dotlatch import tokens

    token = tokens.encode({'sub': 'anna'}, key, typ='invite+jwt', ttl=3600)
    claims = tokens.decode(token, key, typ='invite+jwt')   # or TokenError

    link = tokens.sign_url('/log.csv?day=3', key, ttl=60)
    tokens.check_url(link, key)                            # True for a minute
"""
from .portable import (
    Key,
    b64url_bytes,
    b64url_decode,
    b64url_encode,
    compare_digest,
    json_value,
    now,
    random_bytes,
    signature,
    uptime_ms,
)
from .strictjson import dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAX_TOKEN = 4096  # bytes; larger ones are refused before anything is decoded
MAX_KEYS = 8
_TIMES = ('exp', 'nbf', 'iat')

# The claim that stands in for ``exp`` while the clock is not set: [this boot's id, uptime in seconds when it ends].
BOOT_CLAIM = 'dl_boot'
BOOT_ID = b64url_encode(random_bytes(12))


class TokenError(ValueError):
    """A token that is not accepted. Its children say why; their messages never quote the token."""


class InvalidToken(TokenError):
    """Not a token: malformed, too long, of another algorithm, or with claims of the wrong type."""


class InvalidSignature(TokenError):
    """Signed with none of the keys."""


class ExpiredToken(TokenError):
    """Past its ``exp``, or of an earlier boot, or a time in it cannot be judged because the clock is not set."""


class InvalidClaim(TokenError):
    """Well signed, but for another purpose, audience, issuer or a later time."""


def make_keys(key: 'Any') -> 'list[Key]':
    """Return the :class:`~dotlatch.portable.Key` objects of one key or a list of keys, newest first.

    :param key: bytes, str, Key, or a list or tuple of up to 8 of them. The first signs, all verify.
    :raises ValueError: for an empty key or list.
    """
    keys = key if isinstance(key, (list, tuple)) else (key,)
    if not 0 < len(keys) <= MAX_KEYS:
        raise ValueError('give one key, or a list of 1 to 8 keys, newest first')
    return [k if isinstance(k, Key) else Key(k) for k in keys]


# --- encode ---------------------------------------------------------------------------------------

# There are few headers: typ -> base64url(header)
_headers: 'dict[str, bytes]' = {}


def _header(typ: str) -> bytes:
    if not isinstance(typ, str) or not typ:
        raise TypeError("typ is the token's purpose, a string such as 'invite+jwt'")
    header = b64url_bytes(b'{"alg":"HS256","typ":' + dumps(typ) + b'}')
    if len(_headers) < 16:
        _headers[typ] = header
    return header


def encode(claims: 'dict[str, Any]', key: 'Any', typ: str = 'JWT', ttl: 'int | None' = None) -> str:
    """Return a signed token.

    :param claims: a dictionary that JSON can carry; ``exp``, ``nbf`` and ``iat`` are Unix seconds.
    :param key: bytes, str or Key, or a list of them, newest first; the first one signs.
    :param typ: what the token is for; :func:`decode` has to be told the same (RFC 8725 section 3.11).
    :param ttl: seconds it is good for; sets ``iat`` and ``exp``. While the clock is not set, the token is bound to
        this boot and its uptime instead.
    :raises TypeError: for claims that JSON cannot carry, or a ``ttl`` that is not an int.
    :raises ValueError: for times that are not numbers, a ``ttl`` beside an ``exp``, or a token above 4 KB.
    """
    if ttl is not None:
        claims = with_lifetime(claims, ttl)
    for name in _TIMES:
        if name in claims and type(claims[name]) is not int:
            _check_seconds(name, claims[name], ValueError)
    signed = (_headers.get(typ) or _header(typ)) + b'.' + b64url_bytes(dumps(claims))
    signer = key if isinstance(key, Key) else make_keys(key)[0]
    token = signed + b'.' + signature(signer, signed)
    if len(token) > MAX_TOKEN:
        raise ValueError('the token would be %d bytes, more than %d' % (len(token), MAX_TOKEN))
    return token.decode()


def with_lifetime(claims: 'dict[str, Any]', ttl: int) -> 'dict[str, Any]':
    """Return a copy of ``claims`` that ends ``ttl`` seconds from now, by the clock or, unset, by this boot's uptime."""
    if not isinstance(ttl, int) or isinstance(ttl, bool):
        raise TypeError('ttl is a number of seconds, an int')
    if 'exp' in claims or BOOT_CLAIM in claims:
        raise ValueError('give ttl or exp, not both')
    claims = claims.copy()
    time = now()
    if time is None:
        claims[BOOT_CLAIM] = [BOOT_ID, uptime_ms() // 1000 + ttl]
    else:
        claims['iat'] = time
        claims['exp'] = time + ttl
    return claims


# --- decode ---------------------------------------------------------------------------------------

def decode(token: 'str | bytes', key: 'Any', typ: str = 'JWT', audience: 'str | None' = None,
           issuer: 'str | None' = None, leeway: int = 0) -> 'dict[str, Any]':
    """Return the claims of a token that is signed, well formed, in time and for this purpose.

    The MAC is checked first and whole; nothing of the token is parsed before it stands (RFC 8725 section 3.3).

    :param key: bytes, str or Key, or a list of them; each of them verifies.
    :param typ: the expected purpose, compared as a media type (RFC 7515 section 4.1.9). With the default ``'JWT'`` a
        token without ``typ`` passes.
    :param audience: the ``aud`` that the token must name, alone or in its list. Without it a token that names an
        audience is refused, since it was meant for somebody (RFC 7519 section 4.1.3).
    :param issuer: the ``iss`` that it must have; ``None`` takes any.
    :param leeway: seconds by which clocks may differ.
    :raises TokenError: one of its children, for every other input.
    """
    payload = _verified_payload(token, key, typ)
    try:
        claims = json_value(payload)
    except ValueError:
        raise InvalidToken('the claims are not one strict JSON object') from None
    if not isinstance(claims, dict):
        raise InvalidToken('the claims are not one strict JSON object')
    for name in _TIMES:
        if name in claims and type(claims[name]) is not int:
            _check_seconds(name, claims[name], InvalidToken)
    check_lifetime(claims, leeway)
    if audience is not None or 'aud' in claims:
        _check_audience(claims, audience)
    if issuer is not None and claims.get('iss') != issuer:
        raise InvalidClaim('of another issuer')
    return claims


def _verified_payload(token: 'str | bytes', key: 'Any', typ: str) -> bytes:
    """Return the payload of a JWS in compact form (RFC 7515 section 5.2) once its signature and header stand."""
    keys = (key,) if isinstance(key, Key) else make_keys(key)
    coded: 'Any' = token
    is_text = isinstance(token, str)
    if not (is_text or isinstance(token, bytes)) or len(coded) > MAX_TOKEN:
        raise InvalidToken('not a token')
    try:
        if is_text:
            coded = coded.encode()
        header, payload, given = coded.split(b'.', 3)
    except ValueError:  # not three parts; half a surrogate pair
        raise InvalidToken('not a token: three parts are expected') from None
    signed = coded[:-len(given) - 1]
    for k in keys:
        # The right signature is written out and compared as text: no second spelling of it can pass.
        if compare_digest(signature(k, signed), given):
            break
    else:
        raise InvalidSignature('signed with none of the keys')
    # A header that we would have written ourselves needs no reading; others are rare, and read in a file of their own.
    if header != (_headers.get(typ) or _header(typ)):
        from . import jwtheader
        jwtheader.check(header, typ)
    try:
        return b64url_decode(payload)
    except ValueError:
        raise InvalidToken('the claims are not canonical base64url') from None


def is_signed(token: str, key: Key) -> bool:
    """Tell whether a token that :func:`decode` has taken was signed with this one of its keys."""
    signed, _, given = token.encode().rpartition(b'.')
    return compare_digest(signature(key, signed), given)


def _check_seconds(name: str, value: 'Any', error: 'type[ValueError]') -> None:
    if type(value) is not float or value - value != 0:
        raise error(name + ' is not a number of seconds')


def check_lifetime(claims: 'dict[str, Any]', leeway: int = 0) -> None:
    """Raise ExpiredToken or InvalidClaim unless the token is in time now (RFC 7519 sections 4.1.4 and 4.1.5)."""
    if BOOT_CLAIM in claims:
        boot = claims[BOOT_CLAIM]
        if type(boot) is not list or len(boot) != 2 or boot[0] != BOOT_ID or type(boot[1]) is not int:
            raise ExpiredToken('of an earlier boot')
        if uptime_ms() // 1000 >= boot[1] + leeway:
            raise ExpiredToken('expired')
    if 'exp' in claims or 'nbf' in claims:
        time = now()
        if time is None:
            raise ExpiredToken('the clock is not set, so its times cannot be judged')
        if 'exp' in claims and time >= int(claims['exp']) + leeway:
            raise ExpiredToken('expired')
        if 'nbf' in claims and time < claims['nbf'] - leeway:
            raise InvalidClaim('not valid yet')


def _check_audience(claims: 'dict[str, Any]', audience: 'str | None') -> None:
    named = claims.get('aud')
    if isinstance(named, str):
        named = [named]
    if audience is None or not isinstance(named, list) or audience not in named:
        raise InvalidClaim('for another audience')


def end_of(claims: 'dict[str, Any]') -> 'tuple[int, bool]':
    """Return when a token ends and on which clock: Unix seconds, or seconds of this boot's uptime and ``True``."""
    boot = claims.get(BOOT_CLAIM)
    return (boot[1], True) if boot else (int(claims.get('exp', 0)), False)


def left(claims: 'dict[str, Any]') -> int:
    """Return the seconds until a token ends."""
    end, by_uptime = end_of(claims)
    return end - time_on(by_uptime)


def time_on(by_uptime: bool) -> int:
    """Return the time on the clock that :func:`end_of` names, in seconds; 0 while it is not set."""
    return uptime_ms() // 1000 if by_uptime else now() or 0


if TYPE_CHECKING:
    from .links import check_url as check_url
    from .links import sign_url as sign_url
else:
    def __getattr__(name):
        # Few boards sign links: their file is loaded when one does.
        if name not in ('sign_url', 'check_url'):
            raise AttributeError(name)
        from . import links
        return getattr(links, name)
