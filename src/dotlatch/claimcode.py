"""The code for claiming a device, and the random bytes for its key, wherever the port's own may be weak.

Needs portable.py. claim.py loads it::

    codes = Codes(None, print, 600)
    codes.current()        # prints the first one, and returns it with the one before it
    codes.stir()           # 32 random bytes
"""
import time
from hashlib import sha256

from .portable import MICROPYTHON, Key, now, random_bytes, uptime_ms

try:
    from machine import unique_id  # type: ignore[import-not-found, unused-ignore]  # a board's
except ImportError:
    unique_id = None

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_LETTERS = '0123456789abcdefghjkmnpqrstvwxyz'  # no two of them look alike (Crockford's base 32)
_LENGTH = 10        # letters, of 5 bits each
_ROUNDS = 32        # looks at a clock that are mixed into a key
_ticks: 'Any' = getattr(time, 'ticks_us', None) or time.perf_counter_ns


class Codes:
    """A code that is another one each so many seconds.

    :param shared: what the processes of a server have in common, for them to ask for the same code; not for a board,
        where it may come from weak numbers.
    :param tell: is given each new code once.
    :param expires: seconds.
    """
    def __init__(self, shared: 'bytes | None', tell: 'Callable[[str], Any]', expires: int) -> None:
        self._pool = b''
        self.stir(unique_id and unique_id(), uptime_ms())
        self._seed = Key(b'claim' + (self._pool if MICROPYTHON or not shared else shared))
        self._tell = tell
        self._expires = expires
        self._told = -1

    def current(self) -> 'list[str]':
        """Return the code and the one before it, and tell a new one."""
        # A board's clock may be set at any moment; those of several processes agree.
        n = ((None if MICROPYTHON else now()) or uptime_ms() // 1000) // self._expires
        codes = []
        for i in (n, n - 1):
            mac = self._seed.sign(b'%d' % i)
            codes.append(''.join([_LETTERS[byte & 31] for byte in mac[:_LENGTH]]))
        if n != self._told:
            self._tell(codes[0][:5] + '-' + codes[0][5:])
            self._told = n
        return codes

    def stir(self, *seen: 'Any') -> bytes:
        """Return 32 random bytes of all there is: what was gathered so far, the port's own, and how long things take.
        """
        h = sha256(self._pool)
        h.update(random_bytes(32))
        h.update(repr(seen).encode())
        for _ in range(_ROUNDS):  # flash, caches and interrupts have a say in it
            h.update(repr(_ticks()).encode())
        self._pool = h.digest()
        return self._pool


def plain(text: str, longest: int = 64) -> str:
    """Return a code as it was meant by who has typed it."""
    text = text[:longest].lower().replace('-', '').replace(' ', '')
    return text.replace('o', '0').replace('i', '1').replace('l', '1')
