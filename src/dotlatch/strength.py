"""Whether a new password is good enough, by NIST SP 800-63B-4 section 3.1.1.2.

Needs portable.py, names.py, passwords.py, through which it is used, and blocklist.py::

    from dotlatch.passwords import WeakPassword, check_strength

    try:
        await check_strength(password, context=(user.name, 'greenhouse'))
    except WeakPassword as problem:
        return str(problem), 400

Length decides; no digit, capital or sign is asked for. What is refused beside short passwords is what everybody tries
first: common passwords, names that a stranger knows, and patterns, with no more than a little added.
"""
import hashlib

from .names import folded
from .passwords import MAX_PASSWORD, is_password
from .portable import call, unload

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Along the alphabet, the digits and the keyboards of a few countries, by row and by column.
_WALKS = ('abcdefghijklmnopqrstuvwxyz 01234567890 147258369 qwertyuiop qwertzuiop azertyuiop asdfghjkl zxcvbnm yxcvbnm '
          '1qaz2wsx3edc4rfv5tgb6yhn7ujm qazwsxedcrfvtgbyhnujmikolp 1q2w3e4r5t6y7u8i9o0p q1w2e3r4t5y6u7i8o9p0 '
          '!@#$%^&*()')
_IN_WORDS = 'abcdefghijklmnopqrstuvwxyz0123456789'
_LOOKED_AT = 256  # characters: more would only hold a board up, and no list has any so long
_KNOWN = '\0'  # stands for a word that a guesser has anyway
_ADVICE = 'use four or five words that you pick at random'


class WeakPassword(ValueError):
    """A password that is not to be taken. Its message says what to do, and never quotes the password."""


async def check_strength(password: str, context: 'Any' = (), min_length: int = 15, check: 'Any' = None) -> None:
    """Return when the password may be taken.

    :param context: words that a stranger knows or would try: the user's name, the device's, the Wi-Fi's (ASVS 6.2.11).
    :param min_length: characters (code points): 15 where the password is all there is, 8 beside a second factor.
    :param check: asks somebody else, such as a service that knows leaked passwords: called with the password, a plain
        function or ``async def``; true for a password that is known. What it raises goes to the caller.
    :raises WeakPassword: when the password may not be taken.
    :raises TypeError: when the password is not a str.
    :raises ValueError: for a ``min_length`` below 8.
    """
    if not isinstance(password, str):
        raise TypeError('a password is a str')
    if min_length < 8:
        raise ValueError('min_length is at least 8 (SP 800-63B-4)')
    if len(password) < min_length:
        raise WeakPassword('use at least %d characters: four or five words, say' % min_length)
    if not is_password(password):
        raise WeakPassword('use at most %d bytes of text, without a NUL at the end' % MAX_PASSWORD)
    text = folded(password[:_LOOKED_AT])
    needed = min_length // 2 + 1
    if len(_unit(text)) < min_length or is_pattern(text, needed):
        raise WeakPassword('this repeats itself or follows the keyboard: ' + _ADVICE)
    without = _without(text, context)
    if is_pattern(without, needed):
        raise WeakPassword('this is little more than a name that others know: ' + _ADVICE)
    try:
        if is_common(text) or is_pattern(_without_common(without), needed):
            raise WeakPassword('this is one of the first that anybody would try: ' + _ADVICE)
    finally:
        unload('blocklist')  # its 4 KB are a page of HTML until the next new password
    if check is not None and await call(check, password):
        raise WeakPassword('this is on a list of stolen passwords: ' + _ADVICE)


def _unit(text: str) -> str:
    """Return what the text says over and over, if that is no longer than 32 characters; or the text."""
    for size in range(1, min(len(text) // 2, 32) + 1):
        if text.startswith(text[size:]):
            return text[:size]
    return text


def is_pattern(text: str, needed: int) -> bool:
    """Tell whether fewer than ``needed`` characters do not follow from those before.

    One follows when it is the same as the last one, when it ends three that were there before, or three that walk along
    the alphabet, the digits or the keyboard, in either direction.
    """
    seen = ''
    for c in text:
        if c == seen[-1:]:
            continue
        three = seen[-2:] + c
        back = c + seen[-1:] + seen[-2:-1]
        if len(three) < 3 or not (three in seen or three in _WALKS or back in _WALKS):
            needed -= 1
            if not needed:
                return False
        seen = (seen + c)[-100:]  # not all of a long text: each step would copy it
    return True


def _without(text: str, context: 'Any') -> str:
    """Return the text with each word of the context, and each part of one, as a single character."""
    if isinstance(context, str):
        context = (context,)
    words = set()
    for word in context:
        word = folded(str(word)[:_LOOKED_AT])
        words.add(word)
        for part in ''.join([c if c in _IN_WORDS or c > '\x7f' else ' ' for c in word]).split():
            words.add(part)
    for word in sorted(words, key=len, reverse=True):
        if len(word) >= 3:
            text = text.replace(word, _KNOWN)
    return text


# --- the common ones ------------------------------------------------------------------------------

def stem(text: str) -> str:
    """Return the text without digits and signs at its ends: ``sunshine`` of ``!sunshine2024``."""
    start, end = 0, len(text)
    while start < end and not 'a' <= text[start] <= 'z':
        start += 1
    while end > start and not 'a' <= text[end - 1] <= 'z':
        end -= 1
    return text[start:end]


def _without_common(text: str) -> str:
    word = stem(text)
    return text.replace(word, _KNOWN) if len(word) >= 4 and is_common(word) else text


def is_common(text: str) -> bool:
    """Tell whether a text in lower case is on the list of blocklist.py. One in a thousand others is taken for one."""
    from . import blocklist
    for bit in bits_of(text):
        if not blocklist.BITS[bit >> 10][bit >> 3 & 127] >> (bit & 7) & 1:
            return False
    return True


def bits_of(text: str) -> 'list[int]':
    """Return the places of a text in the Bloom filter: ten numbers below 2**15."""
    digest = hashlib.sha256(text.encode()).digest()
    return [(digest[i] << 8 | digest[i + 1]) & 32767 for i in range(0, 20, 2)]
