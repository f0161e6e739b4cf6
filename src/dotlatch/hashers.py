"""Password hashes that other programs made, so that people who move here keep their passwords.

Needs portable.py and passwords.py, which loads it when it meets one; the next login replaces it by one of ours::

    await verify_password(password, 'pbkdf2:sha256:1000000$Kx2h0S...$8d5f...')   # True, made by Flask
    needs_rehash('pbkdf2:sha256:1000000$Kx2h0S...$8d5f...')                      # True

========================================  =============================  ==================================
made by                                   looks like                     is read on
========================================  =============================  ==================================
Django                                    ``pbkdf2_sha256$...``          both, by passwords.py itself
Werkzeug (Flask)                          ``pbkdf2:sha256:...``          both
passlib                                   ``$pbkdf2-sha256$...``         both
Microdot's login example                  ``pbkdf2-hmac-sha256:...``     both
the first three, with SHA-1 or SHA-512    ``pbkdf2_sha1$...`` and alike  CPython
Django, Werkzeug                          ``scrypt$...``, ``scrypt:...`` CPython
Django, argon2-cffi                       ``argon2$argon2id$...``,       CPython with argon2-cffi
                                          ``$argon2id$...``
Django, bcrypt                            ``bcrypt_sha256$$2b$...``,     CPython with bcrypt
                                          ``bcrypt$$2b$...``, ``$2b$...``
========================================  =============================  ==================================

What a string asks for is bounded before anything is computed, as `passwords.MAX_ITERATIONS` does for ours.
"""
import binascii
import hashlib

from . import passwords
from .portable import b64_decode, in_thread, utf8, warn_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Check = tuple[Any, tuple[Any, ...], bytes]

_SIZES = {'sha256': 32, 'sha1': 20, 'sha512': 64}


def check_of(hashed: str) -> 'Check | None':
    """Return what derives the digest, what it takes beside the password, and what has to come out.

    ``None`` for a string that is malformed, asks for too much, or needs what this Python has not.
    """
    try:
        utf8(hashed.encode())
        check = _pbkdf2(hashed)
        return check if check is not None or in_thread is None else _of_a_library(hashed)
    except ValueError:  # from everything below: parts too many or too few, no number, no base64
        return None


def _pbkdf2(hashed: str) -> 'Check | None':
    if hashed.startswith('$pbkdf2'):              # passlib
        _, name, cost, salt_text, digest_text = hashed.split('$')
        name = {'pbkdf2-sha256': 'sha256', 'pbkdf2': 'sha1', 'pbkdf2-sha512': 'sha512'}.get(name, '')
        salt = _b64_unpadded(salt_text, '.')
        digest = _b64_unpadded(digest_text, '.')
    elif hashed.startswith('pbkdf2:'):            # Werkzeug
        method, salt_text, digest_text = hashed.split('$')
        _, name, cost = method.split(':')
        salt = salt_text.encode()
        digest = _hex(digest_text)
    elif hashed.startswith('pbkdf2-hmac-sha256:'):  # Microdot's example
        _, salt_text, cost, digest_text = hashed.split(':')
        name = 'sha256'
        salt = _hex(salt_text)
        digest = _hex(digest_text)
    elif hashed.startswith('pbkdf2_sha1$'):       # Django; pbkdf2_sha256 is ours
        _, cost, salt_text, digest_text = hashed.split('$')
        name = 'sha1'
        salt = salt_text.encode()
        digest = b64_decode(digest_text)
    else:
        return None
    rounds = passwords.number(cost, passwords.MAX_ITERATIONS)
    if not salt or len(digest) != _SIZES.get(name, -1):
        raise ValueError('not a salt and a digest')
    if name == 'sha256':
        return passwords.pbkdf2_hmac_sha256, (salt, rounds), digest
    return (_run, (_derive_pbkdf2, name, salt, rounds), digest) if in_thread is not None else None


def _hex(text: str) -> bytes:
    data = binascii.unhexlify(text)
    if binascii.hexlify(data).decode() != text:
        raise ValueError('not lower-case hexadecimal')
    return data


def _b64_unpadded(text: str, plus: str = '+') -> bytes:
    """Decode base64 without its padding; ``plus`` is what stands for a plus sign."""
    if '=' in text or (plus != '+' and '+' in text):
        raise ValueError('not this base64')
    return b64_decode(text.replace(plus, '+') + '=' * (-len(text) % 4))


# --- what only CPython has ------------------------------------------------------------------------
#
# On a board these are not even kept in memory.

if TYPE_CHECKING or in_thread is not None:
    # 256 MB for each of the two threads, and about a second or two of work.
    _MAX_KILOBYTES = 256 * 1024    # argon2: memory
    _MAX_FILLED = 1024 * 1024      # argon2: kilobytes times passes
    _MAX_LANES = 16                # argon2, scrypt: parallelism
    _MAX_BLOCK = 64                # scrypt: r
    _MAX_BLOCKS = 2 * 1024 * 1024  # scrypt: N * r, in units of 128 bytes
    _MAX_MIXED = 4 * 1024 * 1024   # scrypt: N * r * p
    _MAX_DOUBLINGS = 15            # bcrypt: cost
    _BCRYPT_ALPHABET = './ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

    async def _run(secret: bytes, f: 'Any', *arguments: 'Any') -> bytes:
        derived: bytes = await in_thread(f, secret, *arguments)  # type: ignore[misc]  # called with threads only
        return derived

    def _derive_pbkdf2(secret: bytes, name: str, salt: bytes, rounds: int) -> bytes:
        return hashlib.pbkdf2_hmac(name, secret, salt, rounds)

    def _of_a_library(hashed: str) -> 'Check | None':
        if hashed.startswith('scrypt'):
            return _scrypt(hashed)
        if hashed.startswith('argon2$argon2i') or hashed.startswith('$argon2i'):
            return _argon2(hashed)
        if hashed.startswith('bcrypt_sha256$$2'):
            return _bcrypt(hashed[len('bcrypt_sha256$'):], True)
        if hashed.startswith('bcrypt$$2'):
            return _bcrypt(hashed[len('bcrypt$'):], False)
        return _bcrypt(hashed, False) if hashed.startswith('$2') else None

    def _scrypt(hashed: str) -> 'Check | None':
        if hashed.startswith('scrypt$'):  # Django
            _, n_text, salt, r_text, p_text, digest_text = hashed.split('$')
            digest = b64_decode(digest_text)
        else:                             # Werkzeug
            method, salt, digest_text = hashed.split('$')
            name, n_text, r_text, p_text = method.split(':')
            digest = _hex(digest_text)
            if name != 'scrypt':
                return None
        n = passwords.number(n_text, _MAX_BLOCKS)
        r = passwords.number(r_text, min(_MAX_BLOCK, _MAX_BLOCKS // n))
        p = passwords.number(p_text, min(_MAX_LANES, _MAX_MIXED // (n * r)))
        if n < 2 or n & (n - 1) or n >> 16 * r or not salt or len(digest) != 64:  # RFC 7914 section 2
            return None
        if not hasattr(hashlib, 'scrypt'):  # an OpenSSL without it
            warn_once("a password hash opens nothing: this Python's OpenSSL has no scrypt")
            return None
        return _run, (_derive_scrypt, salt.encode(), n, r, p), digest

    def _derive_scrypt(secret: bytes, salt: bytes, n: int, r: int, p: int) -> bytes:
        try:
            return hashlib.scrypt(secret, salt=salt, n=n, r=r, p=p, maxmem=128 * r * (n + p + 2) + 4096)
        except (ValueError, MemoryError):  # no memory left, say
            return b''

    def _argon2(hashed: str) -> 'Check | None':
        _, variety, version, costs, salt_text, digest_text = hashed.split('$')
        m_text, t_text, p_text = costs.split(',')
        memory = passwords.number(m_text[2:], _MAX_KILOBYTES)
        passes = passwords.number(t_text[2:], _MAX_FILLED // memory)
        lanes = passwords.number(p_text[2:], _MAX_LANES)
        if costs != 'm=%d,t=%d,p=%d' % (memory, passes, lanes) or version != 'v=19':
            return None
        if variety != 'argon2id' and variety != 'argon2i':
            return None
        salt = _b64_unpadded(salt_text)
        digest = _b64_unpadded(digest_text)
        if memory < 8 * lanes or not 8 <= len(salt) <= 64 or not 16 <= len(digest) <= 64:  # RFC 9106 section 3.1
            return None
        try:
            from argon2 import low_level
        except ImportError:
            warn_once('a password hash opens nothing: argon2-cffi is not installed')
            return None
        kind = low_level.Type.ID if variety == 'argon2id' else low_level.Type.I
        return _run, (_derive_argon2, salt, passes, memory, lanes, len(digest), kind), digest

    def _derive_argon2(secret: bytes, *arguments: 'Any') -> bytes:
        from argon2 import exceptions, low_level
        try:
            return low_level.hash_secret_raw(secret, *arguments)
        except exceptions.HashingError:  # no memory left, say
            return b''

    def _bcrypt(hashed: str, of_sha256: bool) -> 'Check | None':
        _, variety, cost, rest = hashed.split('$')
        if variety not in ('2a', '2b', '2y') or len(cost) != 2 or len(rest) != 53 or rest.strip(_BCRYPT_ALPHABET):
            return None
        if passwords.number(cost, _MAX_DOUBLINGS) < 4 or any(c not in _BCRYPT_ALPHABET for c in rest):
            return None
        try:
            import bcrypt  # noqa: F401
        except ImportError:
            warn_once('a password hash opens nothing: bcrypt is not installed')
            return None
        return _run, (_derive_bcrypt, hashed[:29].encode(), of_sha256), rest[22:].encode()

    def _derive_bcrypt(secret: bytes, salt: bytes, of_sha256: bool) -> bytes:
        """Return the last 31 characters; nothing for a password that bcrypt could not tell from another.

        It looks at 72 bytes, and repeats the password, with a NUL after it, until it has them.
        """
        import bcrypt
        if of_sha256:
            secret = binascii.hexlify(hashlib.sha256(secret).digest())
        if len(secret) > 72 or b'\0' in secret:
            return b''
        try:
            return bcrypt.hashpw(secret, salt)[29:]
        except ValueError:
            return b''
