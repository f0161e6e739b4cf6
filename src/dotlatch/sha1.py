"""SHA-1 for ports whose hashlib has none: totp.py loads it there, and nowhere else.

Needs no other file. It is slow, and made for the few short texts that HMAC-SHA1 hashes (FIPS 180-4 section 6.1)::

    sha1(b'abc').digest()   # 20 bytes
"""
_WORD = 0xffffffff


class sha1:
    """What hashlib's has, by the same names; a ``digest()`` may be followed by more."""
    def __init__(self, data: bytes = b'') -> None:
        self._state: 'tuple[int, ...]' = (0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0)
        self._size = 0
        self._rest = b''
        self.update(data)

    def update(self, data: bytes) -> None:
        """Hash more bytes."""
        self._size += len(data)
        data = self._rest + data
        whole = len(data) - len(data) % 64
        for start in range(0, whole, 64):
            self._state = _compressed(self._state, data[start:start + 64])
        self._rest = data[whole:]

    def digest(self) -> bytes:
        """Return the hash of all bytes so far: 20 bytes."""
        size = len(self._rest)
        last = self._rest + b'\x80' + bytes((55 - size) % 64) + (8 * self._size).to_bytes(8, 'big')
        state = self._state
        for start in range(0, len(last), 64):
            state = _compressed(state, last[start:start + 64])
        return b''.join([word.to_bytes(4, 'big') for word in state])


def _compressed(state: 'tuple[int, ...]', block: bytes) -> 'tuple[int, ...]':
    w = [int.from_bytes(block[i:i + 4], 'big') for i in range(0, 64, 4)]
    for i in range(16, 80):
        x = w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16]
        w.append((x << 1 | x >> 31) & _WORD)
    a, b, c, d, e = state
    for i in range(80):
        if i < 20:
            f = (b & (c ^ d) ^ d) + 0x5a827999
        elif i < 40:
            f = (b ^ c ^ d) + 0x6ed9eba1
        elif i < 60:
            f = (b & c | d & (b | c)) + 0x8f1bbcdc
        else:
            f = (b ^ c ^ d) + 0xca62c1d6
        a, b, c, d, e = ((a << 5 | a >> 27) + f + e + w[i]) & _WORD, a, (b << 30 | b >> 2) & _WORD, c, d
    return tuple([(x + y) & _WORD for x, y in zip(state, (a, b, c, d, e))])
