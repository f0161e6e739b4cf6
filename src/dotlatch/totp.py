"""A second factor: six digits from an authenticator app, new every 30 seconds (RFC 6238).

Needs portable.py, and sha1.py where hashlib has no SHA-1::

    totp = Totp(new_secret())
    totp.uri('anna', 'Greenhouse')           # for the app, as text or as a QR picture
    user.totp = totp.stored()                # once totp.verify(code, 0) has shown that the app has it

    totp = load(user.totp)                   # at a login
    step = totp.verify(code, user.totp_step) # which code it was, to be kept in user.totp_step; or None

A code passes once. That takes somebody who keeps the number of the last one and compares and writes it in one step:
see :meth:`Totp.spend`. The number has to outlast a restart; where the account has no place for it, usedsteps.py
refuses what may have been used before the restart.
"""
from .portable import Key, call, compare_digest, now, random_bytes, utf8

try:
    from hashlib import sha1
except ImportError:  # a port without
    from .sha1 import sha1  # type: ignore[assignment]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

PERIOD = 30            # seconds: what apps take for granted
_DIGITS = '0123456789'
_BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
_MAX_TYPED = 256       # characters of a secret, with whatever is in between
_MAX_LABEL = 64
_UNRESERVED = b'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~'  # RFC 3986 section 2.3


class ClockNotSet(Exception):
    """Nobody knows what time it is, so no code can be right or wrong: say so, and count it as no guess."""


class Totp:
    """What an authenticator app and this program agreed on.

    :param secret: base32 as :func:`new_secret` and :func:`typed_secret` return it: 128 to 512 bits.
    :param digits: of a code: 6 to 8.
    :param algorithm: ``'SHA1'``, which every app knows, or ``'SHA256'``, which some take and do not do.
    :param window: how many steps the phone's clock may be off, either way: 1 or 0 (RFC 6238 section 5.2).
    :raises ValueError: for anything else.
    """
    def __init__(self, secret: str, digits: int = 6, algorithm: str = 'SHA1', window: int = 1) -> None:
        if type(digits) is not int or not 6 <= digits <= 8:
            raise ValueError('a code has 6 to 8 digits')
        if algorithm not in ('SHA1', 'SHA256'):
            raise ValueError('the algorithm is SHA1 or SHA256')
        if type(window) is not int or not 0 <= window <= 1:
            raise ValueError('a window is 0 or 1')
        key = b32_decode(secret)
        if not 16 <= len(key) <= 64:
            raise ValueError('a secret has 128 to 512 bits')  # RFC 4226 section 4, R6
        self.secret = secret
        self.digits = digits
        self.algorithm = algorithm
        self.window = window
        self._key: 'Any' = Key(key) if algorithm == 'SHA256' else _SHA1Key(key)
        self._modulus = 10 ** digits
        self._format = '%%0%dd' % digits

    def __repr__(self) -> str:
        return '<Totp>'

    def stored(self) -> str:
        """Return what to keep with the account. It holds the secret, in clear: codes cannot be checked without."""
        return '%s$%d$%s' % (self.algorithm, self.digits, self.secret)

    def uri(self, name: str, issuer: str) -> str:
        """Return the ``otpauth:`` address that authenticator apps take, typed in or as a QR picture.

        :param name: whose account it is.
        :param issuer: what it is for, such as the device's name. Apps replace an entry of the same issuer and name.
        :raises ValueError: when one of them is empty, longer than 64 characters, or has a colon.
        """
        label = escaped(issuer) + ':' + escaped(name)
        return 'otpauth://totp/%s?secret=%s&issuer=%s&algorithm=%s&digits=%d&period=%d' % (
            label, self.secret, escaped(issuer), self.algorithm, self.digits, PERIOD)

    def code_at(self, step: int) -> str:
        """Return the code of a step, that is of the ``PERIOD`` seconds from ``step * PERIOD`` on (RFC 4226, 5.3)."""
        mac = self._key.sign(step.to_bytes(8, 'big'))
        start = mac[len(mac) - 1] & 15
        number = int.from_bytes(mac[start:start + 4], 'big') & 0x7fffffff
        return str(self._format % (number % self._modulus))

    def verify(self, code: 'str | None', last_step: int) -> 'int | None':
        """Return the step that a code belongs to, or ``None`` for one that is wrong, over, or used.

        Keep the step as the account's ``last_step`` before anything is opened. It takes as long whichever step it is.
        Ask a :class:`dotlatch.throttle.Throttle` first: each call is a guess.

        :param code: as typed: exactly ``digits`` digits, and nothing else.
        :param last_step: the step of the last code that was taken; 0 before the first one. No code of this step or an
            older one is taken.
        :raises ClockNotSet: while the clock is not set, or is behind the last code.
        :raises TypeError: when ``last_step`` is no int.
        """
        if type(last_step) is not int:
            raise TypeError('last_step is an int, 0 before the first code')
        current = current_step()
        if last_step > current + self.window:
            # It was set to the future then, or to the past now: until it is right nobody gets in, and should know why.
            raise ClockNotSet('the clock is behind the last code that was used')
        if not isinstance(code, str) or len(code) != self.digits or code.strip(_DIGITS):
            return None  # int() and isdigit() take more: signs, spaces, other scripts' digits
        given = code.encode()
        found = 0
        for step in range(current - self.window, current + self.window + 1):
            # Each of them, also after a hit. Of two steps with the same code the later one: it must not come again.
            if compare_digest(self.code_at(step).encode(), given):
                found = step
        return found if found > last_step else None

    async def spend(self, code: 'str | None', user: 'Any', use: 'Callable[..., Any]', last_step: int = 0) -> bool:
        """Take a code once, and tell whether it was right.

        :param use: ``use(user, step)``, plain or async: keeps the step as the user's last one and returns ``True``, or
            returns ``False`` when it is not above the one that is kept. It compares and writes in one step: under the
            lock that other changes take, or as a database does (``UPDATE ... WHERE totp_step < :step``).
        :param last_step: what is kept now, if it is at hand: then a clock that is behind it is told of.
        :raises ClockNotSet: as :meth:`verify` does.
        :raises TypeError: when ``use`` returns no bool.
        """
        step = self.verify(code, last_step)
        if step is None:
            return False
        is_first = await call(use, user, step)
        if type(is_first) is not bool:
            raise TypeError('use(user, step) returns True or False')
        return is_first


class _SHA1Key:
    """HMAC-SHA1 (RFC 2104) with a key of at most 64 bytes."""
    def __init__(self, key: bytes) -> None:
        number = int.from_bytes(key + bytes(64 - len(key)), 'big')
        self._inner = (number ^ int.from_bytes(b'\x36' * 64, 'big')).to_bytes(64, 'big')
        self._outer = (number ^ int.from_bytes(b'\x5c' * 64, 'big')).to_bytes(64, 'big')

    def sign(self, message: bytes) -> bytes:
        return sha1(self._outer + sha1(self._inner + message).digest()).digest()


def current_step() -> int:
    """Return the number of the step that it is now. :raises ClockNotSet: while the clock is not set."""
    time = now()
    if time is None:
        raise ClockNotSet('the clock is not set')
    return time // PERIOD


def new_secret() -> str:
    """Return a secret of 160 random bits (RFC 4226 section 4, R6), as 32 characters of base32."""
    return b32_encode(random_bytes(20))


def load(stored: str, window: int = 1) -> Totp:
    """Return what :meth:`Totp.stored` has kept. ValueError for anything else."""
    algorithm, digits, secret = stored.split('$') if isinstance(stored, str) else ('', '', '')
    if digits not in ('6', '7', '8'):
        raise ValueError('a code has 6 to 8 digits')
    return Totp(secret, int(digits), algorithm, window)


# --- base32 ---------------------------------------------------------------------------------------

def typed_secret(text: str) -> str:
    """Return the secret that somebody has typed: in capitals or not, in groups, with padding or without.

    It is for the form where somebody brings a secret along. What is kept is read without any such kindness.

    :raises ValueError: when it is no base32.
    """
    if not isinstance(text, str) or len(text) > _MAX_TYPED or text.strip(_BASE32 + 'abcdefghijklmnopqrstuvwxyz =-'):
        raise ValueError('a secret is made of the letters A to Z and the digits 2 to 7')
    secret = text.upper().replace(' ', '').replace('-', '')
    size = len(secret)
    secret = secret.rstrip('=')
    if size != len(secret) and (size % 8 or size - len(secret) > 6):
        raise ValueError('not base32')
    b32_decode(secret)
    return secret


def b32_encode(data: bytes) -> str:
    """Return base32 without padding (RFC 4648 section 6)."""
    size = (8 * len(data) + 4) // 5
    bits = int.from_bytes(data, 'big') << (5 * size - 8 * len(data))
    return ''.join([_BASE32[bits >> shift & 31] for shift in range(5 * size - 5, -1, -5)])


def b32_decode(text: str) -> bytes:
    """Decode canonical base32: capitals, no padding, unused bits zero; ValueError for all else."""
    if not isinstance(text, str) or not text or len(text) > _MAX_TYPED or text.strip(_BASE32):
        raise ValueError('not base32')
    bits = 0
    for c in text.encode():
        bits = bits << 5 | (c - 65 if c >= 65 else c - 24)
    spare = 5 * len(text) % 8
    if spare >= 5 or bits & (1 << spare) - 1:
        raise ValueError('not base32')
    return (bits >> spare).to_bytes(5 * len(text) // 8, 'big')


def escaped(text: str) -> str:
    if not isinstance(text, str) or not 0 < len(text) <= _MAX_LABEL or ':' in text:
        raise ValueError('a name and an issuer have 1 to %d characters and no colon' % _MAX_LABEL)
    coded = text.encode()  # UnicodeError, a ValueError
    utf8(coded)
    return ''.join([chr(c) if c in _UNRESERVED else '%%%02X' % c for c in coded])
