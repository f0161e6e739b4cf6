"""Recovery codes: a list on paper that lets somebody in once for each line, when the phone is gone.

Needs portable.py::

    codes, kept = make()              # show the codes now, keep the text with the account
    left = spend('7QX0-...', kept)    # what to keep from now on, or None: that is none of them

``spend`` changes nothing by itself. Whoever keeps the accounts asks it and writes what it returns in one step, under
the lock that other changes take, or with a condition that the old text is still there: else two requests could spend
the same code.

A code has 80 random bits (SP 800-63B-4 section 3.1.2.2 asks for 20), so that a fast hash with a salt is enough: of ten
codes one is found after 2**76 guesses, some 200 000 years at ten thousand million a second. Slow hashes are for what
people think up.
"""
from .portable import b64url_bytes, b64url_decode, b64url_encode, compare_digest, hmac_sha256, random_bytes

_ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'  # Crockford's base32: no I, L, O that look like digits, and no U
_TYPED = _ALPHABET + 'abcdefghjkmnpqrstvwxyzILOilo -'
_SIZE = 16             # characters of 5 bits
_MAX_TYPED = 64        # with whatever somebody puts in between
MAX_CODES = 20


def make(count: int = 10) -> 'tuple[list[str], str]':
    """Return new codes, such as ``7QX0-M2ZT-91VB-K4HE``, and the text to keep of them, which does not tell them.

    It takes the place of the text that was kept before: old codes go when there are new ones.

    :raises ValueError: when ``count`` is not 1 to 20.
    """
    if not 0 < count <= MAX_CODES:
        raise ValueError('a list of recovery codes has 1 to %d' % MAX_CODES)
    salt = random_bytes(16)
    codes = [_new_code() for _ in range(count)]
    kept = [b64url_encode(salt)]
    for code in codes:
        kept.append(_hashed(salt, code).decode())
    return [_in_groups(code) for code in codes], '$'.join(kept)


def spend(code: 'str | None', kept: 'str | None') -> 'str | None':
    """Return the text to keep once this code is spent, or ``None`` when it is none of those that are left.

    It takes as long whichever code it is. Ask a :class:`dotlatch.throttle.Throttle` first: each call is a guess.

    :param code: as typed: in capitals or not, with spaces and dashes anywhere, O for 0, I and L for 1.
    :param kept: the account's text; ``None`` for one without codes.
    :raises ValueError: when that text is none that :func:`make` returned.
    """
    plain = _plain(code)
    if plain is None or not kept:
        return None
    salt, *hashes = kept.split('$')
    given = _hashed(b64url_decode(salt), plain)
    left = [salt]
    for hashed in hashes:
        if not compare_digest(hashed.encode(), given):
            left.append(hashed)
    return '$'.join(left) if len(left) <= len(hashes) else None


def count_left(kept: 'str | None') -> int:
    """Return how many codes can still be used."""
    return kept.count('$') if kept else 0


def _plain(code: 'str | None') -> 'str | None':
    """Return the sixteen characters that were meant, or ``None`` for what is no code."""
    # Before anything is done to it: what upper() makes of other letters differs between the Pythons.
    if not isinstance(code, str) or len(code) > _MAX_TYPED or code.strip(_TYPED):
        return None
    plain = code.upper().replace('-', '').replace(' ', '')
    plain = plain.replace('O', '0').replace('I', '1').replace('L', '1')
    return plain if len(plain) == _SIZE else None


def _hashed(salt: bytes, plain: str) -> bytes:
    return b64url_bytes(hmac_sha256(salt, b'dotlatch-recovery\n' + plain.encode())[:16])


def _new_code() -> str:
    bits = int.from_bytes(random_bytes(_SIZE * 5 // 8), 'big')
    return ''.join([_ALPHABET[bits >> shift & 31] for shift in range(0, 5 * _SIZE, 5)])


def _in_groups(code: str) -> str:
    return '-'.join([code[i:i + 4] for i in range(0, _SIZE, 4)])
