"""PBKDF2-HMAC-SHA256 over MicroPython's hashlib, in slices, so that the server goes on answering.

Needs portable.py and on_micropython.py; passwords.py loads it where there are no threads.
"""
import asyncio
import hashlib

from .on_micropython import hmac_pads
from .portable import uptime_ms

_SLICE_MS = 20  # what it may take at a time

_lock: 'asyncio.Lock | None' = None


async def derive(password: bytes, salt: bytes, iterations: int, dklen: int) -> bytes:
    """Return ``dklen`` bytes (RFC 8018 section 5.2). One password is hashed at a time, others wait for their turn."""
    global _lock
    if _lock is None:
        _lock = asyncio.Lock()
    async with _lock:
        pads = hmac_pads(password)
        blocks = []
        for number in range(1, (dklen + 31) // 32 + 1):
            blocks.append(await _block(pads, salt + number.to_bytes(4, 'big'), iterations))
        return b''.join(blocks)[:dklen]


async def _block(pads: 'tuple[bytes, bytes]', first: bytes, iterations: int) -> bytes:
    last, total = _rounds(pads, first, 0, 1)
    step = 16
    left = iterations - 1
    while left:
        count = min(step, left)
        start = uptime_ms()
        last, total = _rounds(pads, last, total, count)
        left -= count
        # As many rounds as fit a slice, found by looking: boards differ by a factor of a hundred.
        step = max(1, min(step * 2, step * _SLICE_MS // max(uptime_ms() - start, 1)))
        await asyncio.sleep(0)
    return total.to_bytes(32, 'big')


def _rounds(pads: 'tuple[bytes, bytes]', last: bytes, total: int, count: int) -> 'tuple[bytes, int]':
    sha256 = hashlib.sha256
    from_bytes = int.from_bytes
    inner, outer = pads
    for _ in range(count):
        h = sha256(inner)
        h.update(last)
        last = h.digest()
        h = sha256(outer)
        h.update(last)
        last = h.digest()
        total ^= from_bytes(last, 'big')
    return last, total
