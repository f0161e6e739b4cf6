"""PBKDF2-HMAC-SHA256 on a board: by its fastest engine, and in slices, so that the server goes on answering.

Needs portable.py, pbkdf2_hashlib.py, and for speed pbkdf2_blocks.py with pbkdf2_thumb.py (RP2040, RP2350, STM32: any
ARM Cortex-M) or pbkdf2_viper.py (ESP32: Xtensa and RISC-V). passwords.py loads it where there are no threads::

    from dotlatch import pbkdf2

    pbkdf2.ENGINE                                           # 'thumb'
    await pbkdf2.derive(b'password', b'salt', 10000, 32)    # 32 bytes
"""
import asyncio
import hashlib
import sys

from .portable import Busy, uptime_ms

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

MAX_WAITING = 8  # passwords, beside the one that is being hashed

_SLICE_MS = 20   # what it may take at a time
_SLICE = 512     # iterations at a time, however fast they seem to be

# --- engines --------------------------------------------------------------------------------------
#
# Each is called with the two pads of HMAC and gives an object that does the iterations: start(), run() and result().

def _thumb() -> 'Callable[[Any], Any]':
    from .pbkdf2_thumb import compress
    return _of_compress(compress)


def _viper() -> 'Callable[[Any], Any]':
    from .pbkdf2_viper import compress
    return _of_compress(compress)


def _of_compress(compress: 'Callable[[bytearray, int], object]') -> 'Callable[[Any], Any]':
    from .pbkdf2_blocks import Rounds
    return lambda pads: Rounds(pads, compress)


def _hashlib() -> 'Callable[[Any], Any]':
    from .pbkdf2_hashlib import Rounds
    return Rounds


def _candidates(mpy: int) -> 'tuple[tuple[str, Callable[[], Any]], ...]':
    """Return what a port may have, the fastest first, by the processor that its .mpy files are for.

    What the port cannot have is not even looked for.
    """
    last = ('hashlib', _hashlib)
    processor = mpy >> 10 & 15
    if 4 <= processor <= 8:  # ARMv6-M to ARMv7E-M, which ARMv8-M calls itself too
        return ('thumb', _thumb), ('viper', _viper), last
    if processor:  # Xtensa, RISC-V, x86
        return ('viper', _viper), last
    return (last,)


def _choose(candidates: 'Any') -> 'tuple[str, Any]':
    """Return the first that computes what is known to be right, with its name."""
    for name, load in candidates:
        try:
            engine = load()
            if _works(engine):
                return name, engine
        except Exception:  # not there; no such compiler; machine code of another processor; too little memory for it
            pass
    raise RuntimeError('no engine computes PBKDF2 here')


# Of the password 'password' with the salt 'salt', after five iterations.
_KNOWN = bytes.fromhex('65cc4b332e89aa90252ddca8fd3641d5b830f2216a6ab2669c15f30e652f542c')


def _works(engine: 'Any') -> bool:
    pads = _pads(b'password')
    rounds = engine(pads)
    rounds.start(_hmac(pads, b'salt\0\0\0\1'))
    rounds.run(1)
    rounds.run(3)
    return bool(rounds.result() == _KNOWN)


# --- HMAC -----------------------------------------------------------------------------------------

_INNER = int.from_bytes(b'\x36' * 64, 'big')
_OUTER = int.from_bytes(b'\x5c' * 64, 'big')


def _pads(password: bytes) -> 'tuple[bytes, bytes]':
    """Return what HMAC-SHA256 puts before the inner and the outer message (RFC 2104 section 2)."""
    if len(password) > 64:
        password = hashlib.sha256(password).digest()
    number = int.from_bytes(password + bytes(64 - len(password)), 'big')
    return (number ^ _INNER).to_bytes(64, 'big'), (number ^ _OUTER).to_bytes(64, 'big')


def _hmac(pads: 'tuple[bytes, bytes]', message: bytes) -> bytes:
    return hashlib.sha256(pads[1] + hashlib.sha256(pads[0] + message).digest()).digest()


# --- one at a time --------------------------------------------------------------------------------

_lock: 'asyncio.Lock | None' = None
_users = 0  # who is waiting, and the one whose turn it is


async def derive(password: bytes, salt: bytes, iterations: int, dklen: int) -> bytes:
    """Return ``dklen`` bytes (RFC 8018 section 5.2). One password is hashed at a time, others wait for their turn.

    A task that is cancelled frees its place, whether it waits or is being served.

    :raises Busy: when :data:`MAX_WAITING` are waiting.
    """
    global _lock, _users
    if _users > MAX_WAITING:
        raise Busy('too many passwords to hash')
    if _lock is None or not _users:
        _lock = asyncio.Lock()  # CPython's belongs to the loop it was first waited for in
    _users += 1
    try:
        async with _lock:
            pads = _pads(password)
            rounds = _engine(pads)
            blocks = []
            for number in range(1, (dklen + 31) // 32 + 1):
                rounds.start(_hmac(pads, salt + number.to_bytes(4, 'big')))
                await _run(rounds, iterations - 1)
                blocks.append(rounds.result())
            return b''.join(blocks)[:dklen]
    finally:
        _users -= 1


async def _run(rounds: 'Any', left: int) -> None:
    step = 4
    while True:
        await asyncio.sleep(0)
        if not left:
            return
        count = min(step, left)
        start = uptime_ms()
        rounds.run(count)
        left -= count
        # As many as fit a slice, found by looking: boards differ by a factor of a hundred.
        step = max(1, min(step * 2, step * _SLICE_MS // max(uptime_ms() - start, 1), _SLICE))


ENGINE, _engine = _choose(_candidates(getattr(sys.implementation, '_mpy', 0)))
