"""Nonces for Digest: signed with a key of this boot, timed, and each with its own count of requests.

Needs portable.py::

    nonces = Nonces(300, 32)          # seconds, and how many may be in use at once
    nonce = nonces.new()
    nonces.use(nonce, 1)              # GOOD
    nonces.use(nonce, 1)              # REPLAY
    nonces.use('made up', 1)          # STALE

Anybody can ask for a nonce, so nothing is kept of one until somebody with the right password has used it. What is kept
then is a table of fixed size, and a *floor*: the highest number of a nonce that had to leave it. Nonces are numbered as
they are made, and one from the floor down is taken only while it is in the table. So whatever has left it is refused
for good, and no nonce begins its count twice.
"""
from .portable import Key, Lock, b64url_decode, b64url_encode, compare_digest, random_bytes, uptime_ms

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

GOOD = 'good'
STALE = 'stale'     # too old, or of another boot, or its count is not known any more
REPLAY = 'replay'

_WINDOW = 64                 # requests of one nonce that may overtake each other
_ALL = (1 << _WINDOW) - 1
_SIGNED = 12                 # bytes of a nonce: when it was made, and its number
_SIZE = 27


class _Window:
    """What is known of a nonce in use: bit n of ``seen`` stands for the count ``highest - n``."""
    def __init__(self, number: int, made: int) -> None:
        self.number = number
        self.made = made
        self.highest = 0
        self.seen = 1  # counts begin with 1

    def take(self, count: int) -> str:
        """Say what a request with that count is, and remember it (the window of RFC 4303 section 3.4.3)."""
        ahead = count - self.highest
        if ahead > 0:
            self.highest = count
            self.seen = ((self.seen << ahead) | 1) & _ALL if ahead < _WINDOW else 1
            return GOOD
        if ahead <= -_WINDOW:
            return STALE
        bit = 1 << -ahead
        if self.seen & bit:
            return REPLAY
        self.seen |= bit
        return GOOD


class Nonces:
    """Makes nonces and tells whether a request may use one.

    :param seconds: how long one may be used; on a clock that never jumps.
    :param max_used: how many may be in use at once; the oldest makes room.
    """
    def __init__(self, seconds: int, max_used: int) -> None:
        if seconds < 1 or max_used < 1:
            raise ValueError('a nonce lasts at least a second, and at least one is in use')
        self._lifetime = 1000 * seconds
        self._max_used = max_used
        self._key = Key(random_bytes(32))
        self._made = 0
        self._floor = 0
        self._used: 'dict[str, _Window]' = {}
        self._lock: 'Any' = Lock()

    def new(self) -> str:
        """Return a nonce of 36 characters that nobody has had before; nothing is kept of it."""
        with self._lock:
            self._made += 1
            signed = uptime_ms().to_bytes(6, 'big') + self._made.to_bytes(6, 'big')
        return b64url_encode(signed + self._mac(signed))

    def use(self, nonce: str, count: int) -> str:
        """Take a request whose digest was right: GOOD once for each ``count``, else STALE or REPLAY.

        Ask only when the digest was right: who has no password must not get into the table, nor others out of it.
        """
        with self._lock:
            window = self._used.get(nonce)
            if window is None:
                window = self._read(nonce)
                if window is None or window.number <= self._floor:
                    return STALE
                is_new = True
            else:
                is_new = False
            if uptime_ms() - window.made >= self._lifetime:
                return STALE
            if is_new:
                self._keep(nonce, window)
            return window.take(count)

    def _keep(self, nonce: str, window: _Window) -> None:
        used = self._used
        if len(used) >= self._max_used:
            oldest = min(used, key=lambda n: used[n].number)
            self._floor = max(self._floor, used.pop(oldest).number)
        used[nonce] = window

    def _read(self, nonce: str) -> '_Window | None':
        try:
            raw = b64url_decode(nonce)
        except ValueError:
            return None
        if len(raw) != _SIZE or not compare_digest(self._mac(raw[:_SIGNED]), raw[_SIGNED:]):
            return None
        return _Window(int.from_bytes(raw[6:_SIGNED], 'big'), int.from_bytes(raw[:6], 'big'))

    def _mac(self, signed: bytes) -> bytes:
        return self._key.sign(b'dotlatch-nonce\n' + signed)[:_SIZE - _SIGNED]
