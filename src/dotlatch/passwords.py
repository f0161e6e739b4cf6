"""Password hashing: PBKDF2-HMAC-SHA256 (RFC 8018) in Django's string format, without freezing the server.

Needs portable.py, and pbkdf2.py on a board; hashers.py for hashes that other programs made, strength.py and
blocklist.py to judge a new password::

    from dotlatch.passwords import check_strength, hash_password, verify_password

    await check_strength(password, context=('anna',))   # WeakPassword, or nothing
    hashed = await hash_password(password)
    await verify_password(password, hashed)             # True
    await verify_password(password, None)               # False, after as long
"""
import binascii
import hashlib

from .portable import (
    MICROPYTHON,
    Key,
    b64_decode,
    b64url_encode,
    compare_digest,
    in_thread,
    random_bytes,
    uptime_ms,
    utf8,
    warn_once,
)
from .portable import Busy as Busy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ALGORITHM = 'pbkdf2_sha256'
if in_thread is None:
    from . import pbkdf2
    # Less than a second on an RP2040, and on a slower port; see the docs for what that is worth, and calibrate.py.
    ITERATIONS = 10000 if pbkdf2.ENGINE == 'thumb' else 2500
else:
    ITERATIONS = 600000  # what OWASP's cheat sheet asks for
MAX_ITERATIONS = 1000000 if MICROPYTHON else 10000000
MAX_PASSWORD = 4096  # bytes
MAX_HASH = 512       # characters
RECENT_SECONDS = 300  # for which a password that was right is known again; 0 for never


async def hash_password(password: str, iterations: 'int | None' = None) -> str:
    """Return ``pbkdf2_sha256$iterations$salt$hash`` with a random 128-bit salt.

    :param iterations: the cost; the default is :data:`ITERATIONS`.
    :raises TypeError: when the password is not a str.
    :raises ValueError: for a password that is empty, above 4096 bytes or with a NUL at its end, or a cost above
        :data:`MAX_ITERATIONS`.
    """
    if not isinstance(password, str):
        raise TypeError('a password is a str')
    secret = _secret(password)
    if not secret:
        raise ValueError('a password is text of 1 to %d bytes that does not end with a NUL' % MAX_PASSWORD)
    rounds = ITERATIONS if iterations is None else iterations
    if not 0 < rounds <= MAX_ITERATIONS:
        raise ValueError('iterations are between 1 and %d' % MAX_ITERATIONS)
    salt = b64url_encode(random_bytes(16))
    digest = await pbkdf2_hmac_sha256(secret, salt.encode(), rounds)
    return '%s$%d$%s$%s' % (ALGORITHM, rounds, salt, binascii.b2a_base64(digest)[:-1].decode())


async def verify_password(password: str, hashed: 'str | None') -> bool:
    """Tell whether ``password`` is the one that was hashed.

    :param hashed: what :func:`hash_password` made, or one of the other formats that :mod:`dotlatch.hashers` lists.
        ``None``, for a user who is not there, costs as much as a wrong password and is always false, so that nobody
        learns who has an account (ASVS 6.3.8); see :func:`verify_login`.
    :raises Busy: an OSError, when so many passwords wait to be hashed that one more would only make it worse.

    Anything else is false at once, without an exception: a string that is malformed or costs too much, or a password
    above 4096 bytes.
    """
    check = (pbkdf2_hmac_sha256, (_dummy_salt, ITERATIONS), b'') if hashed is None else check_of(hashed)
    secret = _secret(password)
    if check is None or secret is None:
        return False
    seen = _recent_key.sign((hashed or '').encode() + b'\n' + secret)
    if hashed is not None and _is_recent(seen):
        return True
    derive, arguments, digest = check
    right = compare_digest(await derive(secret, *arguments), digest)
    if right:
        _remember_recent(seen)
    return right


async def verify_login(password: str, hashed: 'str | None', decoy: 'str | None' = None) -> bool:
    """Tell the same of somebody's account: a no takes as long as for ``None``, whatever is kept there.

    A hash that nobody can read is answered after the time of a hash, and one of fewer rounds after that of today's: who
    measures learns from neither that the account exists.

    :param decoy: a hash that no password opens, for users whose hashes are of another cost than :data:`ITERATIONS`.
    """
    check = None if hashed is None else check_of(hashed)
    if check is None:
        await verify_password(password, decoy)
        return False
    if await verify_password(password, hashed):
        return True
    derive, arguments, _ = check
    like = None if decoy is None else check_of(decoy)
    least = ITERATIONS if like is None else like[1][1] if like[0] is derive else 0
    secret = _secret(password)
    if derive is pbkdf2_hmac_sha256 and secret is not None and arguments[1] < least:
        await derive(secret, arguments[0], least - arguments[1])
    return False


def is_password(password: str) -> bool:
    """Tell whether a text can become a password: Unicode of 1 to 4096 bytes, without a NUL at its end."""
    return bool(_secret(password))


def _secret(password: 'object') -> 'bytes | None':
    """Return what is hashed, or ``None`` for what is not taken as a password.

    HMAC fills a key up with NULs, so a password that ends with one would be the same as without it.
    """
    if not isinstance(password, str) or len(password) > MAX_PASSWORD:  # before it is looked at: a form may be large
        return None
    try:
        secret = password.encode()
        utf8(secret)
    except ValueError:  # half a surrogate pair
        return None
    return secret if len(secret) <= MAX_PASSWORD and not secret.endswith(b'\0') else None


def needs_rehash(hashed: str, iterations: 'int | None' = None) -> bool:
    """Tell whether a hash is to be made anew, now that its password is at hand.

    It is, when it was made at a lower cost than ``iterations`` (default :data:`ITERATIONS`) or is of another format.
    """
    known = _parse(hashed)
    return known is None or known[1] < (ITERATIONS if iterations is None else iterations)


def check_of(hashed: 'object') -> 'tuple[Any, tuple[Any, ...], bytes] | None':
    """Return what derives the digest, what it takes beside the password, and what has to come out."""
    known = _parse(hashed)
    if known is not None:
        return pbkdf2_hmac_sha256, known[:2], known[2]
    if not isinstance(hashed, str) or len(hashed) > MAX_HASH or hashed.startswith(ALGORITHM):
        return None
    if '$' not in hashed and ':' not in hashed:
        return None
    try:
        from . import hashers  # few have hashes of others, and those only until the next login
    except ImportError:
        warn_once('a password hash of another program opens nothing: hashers.py is not there')
        return None
    return hashers.check_of(hashed)


_parsed: 'tuple[Any, Any]' = ('', None)  # the last one: on a board it is nearly always the next one too


def _parse(hashed: 'object') -> 'tuple[bytes, int, bytes] | None':
    """Return salt, iterations and digest, or ``None`` for anything but this format."""
    global _parsed
    last, known = _parsed
    if hashed is not last:  # not compared: whoever could look on learns nothing of it
        known = _read(hashed)
        _parsed = hashed, known
    return known  # type: ignore[no-any-return]  # what _read() has said


def _read(hashed: 'object') -> 'tuple[bytes, int, bytes] | None':
    if not isinstance(hashed, str) or len(hashed) > MAX_HASH:
        return None
    parts = hashed.split('$')
    if len(parts) != 4 or parts[0] != ALGORITHM or not parts[2]:
        return None
    try:
        rounds = number(parts[1], MAX_ITERATIONS)
        digest = b64_decode(parts[3])
        salt = parts[2].encode()
        utf8(salt)
    except ValueError:
        return None
    return (salt, rounds, digest) if len(digest) == 32 else None


def number(text: str, most: int) -> int:
    """Return the number from 1 to ``most`` that a hash states as a cost; ValueError for anything else."""
    for c in text:
        if c not in '0123456789':  # isdigit() and int() know the digits of every script
            raise ValueError('not a number')
    if not 0 < len(text) <= 8 or not 0 < int(text) <= most:
        raise ValueError('out of range')
    return int(text)


# What a user who is not there is checked against: no digest is as short as theirs.
_dummy_salt = b64url_encode(random_bytes(16)).encode()


# --- what was right a moment ago -------------------------------------------------------------------
#
# Basic sends the password with every request. What was found right is known again for a while by a keyed digest of the
# whole hash and the password: a changed hash is a miss, and the table tells nothing to who has not the key.

_RECENT = 8
_recent: 'dict[bytes, int]' = {}
_recent_key = Key(random_bytes(32))  # to sign() with, which keeps no text


def _is_recent(seen: bytes) -> bool:
    time = _recent.get(seen)
    return time is not None and uptime_ms() - time < 1000 * RECENT_SECONDS


def _remember_recent(seen: bytes) -> None:
    while len(_recent) >= _RECENT:
        known = list(_recent.items())  # in one piece, since threads remember too
        _recent.pop(min(known, key=lambda item: item[1])[0], None)
    _recent[seen] = uptime_ms()


# --- PBKDF2 ---------------------------------------------------------------------------------------

async def pbkdf2_hmac_sha256(password: bytes, salt: bytes, iterations: int, dklen: int = 32) -> bytes:
    """Return ``dklen`` bytes of PBKDF2 with HMAC-SHA256 (RFC 8018 section 5.2).

    On a server it runs in one of two threads; on a board in slices of about 20 ms, one password at a time. Who waits
    has a place in a queue, and leaves it when cancelled.

    :raises ValueError: unless ``iterations`` and ``dklen`` are positive.
    :raises Busy: when the queue is full.
    """
    if iterations < 1 or dklen < 1:
        raise ValueError('iterations and dklen are at least 1')
    if in_thread is not None:
        derived: bytes = await in_thread(hashlib.pbkdf2_hmac, 'sha256', password, salt, iterations, dklen)
        return derived
    return await pbkdf2.derive(password, salt, iterations, dklen)


if TYPE_CHECKING:
    from .strength import WeakPassword as WeakPassword
    from .strength import check_strength as check_strength
else:
    def __getattr__(name):
        # A password is judged when it is chosen, which is rarely: the rules are loaded then.
        if name not in ('check_strength', 'WeakPassword'):
            raise AttributeError(name)
        from . import strength
        return getattr(strength, name)
