"""PBKDF2's iterations for engines that have SHA-256's compression function itself: two of them an iteration, not four.

Needs no other file; pbkdf2.py brings it together with pbkdf2_thumb.py or pbkdf2_viper.py. HMAC begins both of its
hashes with a block that depends on the password alone. What these two blocks come to is computed once, and what then
follows is always 32 bytes, which fit one more block each. Nothing is allocated after :meth:`Rounds.start`.
"""
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# What an engine reads and writes, in 32-bit words of the board's own byte order:
#
#      0 to  7   the state after the inner pad
#      8 to 15   the state after the outer pad
#     16 to 31   the block: eight words that a hash came to, then the padding after 96 bytes
#     32 to 39   all iterations, combined
#     40 to 103  the constants of the 64 rounds
#    104 to 167  for the engine
#
# compress(state, count) hashes the block ``count`` times, from the first state and the second in turns; the result is
# the beginning of the next block, and every second one goes into the total.
_PADDING = b'\0\0\0\x80' + bytes(24) + b'\0\3\0\0'

# FIPS 180-4, sections 5.3.3 and 4.2.2: from the square roots of the first primes, and from their cube roots.
_INITIAL = (
    b'\x67\xe6\x09\x6a\x85\xae\x67\xbb\x72\xf3\x6e\x3c\x3a\xf5\x4f\xa5\x7f\x52\x0e\x51\x8c\x68\x05\x9b'
    b'\xab\xd9\x83\x1f\x19\xcd\xe0\x5b'
)
_CONSTANTS = (
    b'\x98\x2f\x8a\x42\x91\x44\x37\x71\xcf\xfb\xc0\xb5\xa5\xdb\xb5\xe9\x5b\xc2\x56\x39\xf1\x11\xf1\x59'
    b'\xa4\x82\x3f\x92\xd5\x5e\x1c\xab\x98\xaa\x07\xd8\x01\x5b\x83\x12\xbe\x85\x31\x24\xc3\x7d\x0c\x55'
    b'\x74\x5d\xbe\x72\xfe\xb1\xde\x80\xa7\x06\xdc\x9b\x74\xf1\x9b\xc1\xc1\x69\x9b\xe4\x86\x47\xbe\xef'
    b'\xc6\x9d\xc1\x0f\xcc\xa1\x0c\x24\x6f\x2c\xe9\x2d\xaa\x84\x74\x4a\xdc\xa9\xb0\x5c\xda\x88\xf9\x76'
    b'\x52\x51\x3e\x98\x6d\xc6\x31\xa8\xc8\x27\x03\xb0\xc7\x7f\x59\xbf\xf3\x0b\xe0\xc6\x47\x91\xa7\xd5'
    b'\x51\x63\xca\x06\x67\x29\x29\x14\x85\x0a\xb7\x27\x38\x21\x1b\x2e\xfc\x6d\x2c\x4d\x13\x0d\x38\x53'
    b'\x54\x73\x0a\x65\xbb\x0a\x6a\x76\x2e\xc9\xc2\x81\x85\x2c\x72\x92\xa1\xe8\xbf\xa2\x4b\x66\x1a\xa8'
    b'\x70\x8b\x4b\xc2\xa3\x51\x6c\xc7\x19\xe8\x92\xd1\x24\x06\x99\xd6\x85\x35\x0e\xf4\x70\xa0\x6a\x10'
    b'\x16\xc1\xa4\x19\x08\x6c\x37\x1e\x4c\x77\x48\x27\xb5\xbc\xb0\x34\xb3\x0c\x1c\x39\x4a\xaa\xd8\x4e'
    b'\x4f\xca\x9c\x5b\xf3\x6f\x2e\x68\xee\x82\x8f\x74\x6f\x63\xa5\x78\x14\x78\xc8\x84\x08\x02\xc7\x8c'
    b'\xfa\xff\xbe\x90\xeb\x6c\x50\xa4\xf7\xa3\xf9\xbe\xf2\x78\x71\xc6'
)


class Rounds:
    """The iterations for one password."""
    def __init__(self, pads: 'tuple[bytes, bytes]', compress: 'Callable[[bytearray, int], object]') -> None:
        self._compress = compress
        self._state = state = bytearray(160) + _CONSTANTS + bytes(256)
        after = []
        for pad in pads:
            state[:32] = _INITIAL
            state[64:128] = _turned(pad)
            compress(state, 1)
            after.append(bytes(state[64:96]))
        state[:32], state[32:64] = after
        state[96:128] = _PADDING

    def start(self, first: bytes) -> None:
        """Begin with the result of the first iteration."""
        self._state[64:96] = self._state[128:160] = _turned(first)

    def run(self, count: int) -> None:
        """Do ``count`` more iterations."""
        self._compress(self._state, 2 * count)

    def result(self) -> bytes:
        """Return the 32 bytes of all iterations so far."""
        return _turned(self._state[128:160])


def _turned(words: 'bytes | bytearray') -> bytes:
    """Change between SHA-256's byte order and the boards'."""
    form = '%dI' % (len(words) // 4)
    return struct.pack('<' + form, *struct.unpack('>' + form, words))
