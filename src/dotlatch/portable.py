"""The only file that knows which Python it runs on: clocks, random bytes, HMAC, strict base64, callbacks.

Needs no other file of dotlatch. Everything else is written once, in what both Pythons share::

    from dotlatch.portable import now, hmac_sha256

    now()                          # Unix seconds, or None while the clock is not set
    hmac_sha256(b'key', b'text')   # 32 bytes
"""
import binascii
import hashlib
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

MICROPYTHON = sys.implementation.name == 'micropython'

# A clock before this moment (2026-01-01) has never been set: an RP2040 wakes in 2021, an ESP32 in 2000.
CLOCK_FLOOR = 1767225600

# --- clocks -------------------------------------------------------------------------------------

# The port's own clocks, by names of this module so that tests can put others in their place.
_wall_clock = time.time
_epoch = 946684800 if time.gmtime(0)[0] == 2000 else 0
if MICROPYTHON:
    port: 'Any' = time  # the type checker knows CPython's only
    _ticks_ms = port.ticks_ms
    _ticks_mask = port.ticks_add(0, -1)  # the highest tick, after which they start again: 2**30 - 1 on a board
else:
    def _ticks_ms() -> int:
        return time.monotonic_ns() // 1000000
    _ticks_mask = (1 << 62) - 1
_ticks_last = _ticks_ms()
_uptime: int = _ticks_last


def now() -> 'int | None':
    """Return the time in Unix seconds, whatever epoch the port counts from; ``None`` while the clock is not set."""
    seconds = int(_wall_clock()) + _epoch
    return seconds if seconds >= CLOCK_FLOOR else None


def uptime_ms() -> int:
    """Return milliseconds on a clock that never jumps, never goes back and does not wrap.

    Boards count milliseconds modulo 2**30 (12.4 days). What has passed since the last call is added up modulo that
    period, so the sum is right as long as it is asked for once in 12 days.
    """
    global _ticks_last, _uptime
    ticks: int = _ticks_ms()
    _uptime += (ticks - _ticks_last) & _ticks_mask
    _ticks_last = ticks
    return _uptime


# --- randomness, hashing, comparison --------------------------------------------------------------

def random_bytes(n: int) -> bytes:
    """Return ``n`` bytes from the port's cryptographic source (``os.urandom``)."""
    return os.urandom(n)


def random_id() -> str:
    """Return 128 random bits as 22 characters of base64url (ASVS 7.2.3)."""
    return b64url_encode(os.urandom(16))


def to_bytes(value: 'bytes | str') -> bytes:
    """Return ``value`` itself, or its UTF-8 bytes; TypeError for anything else."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    raise TypeError('expected str or bytes')


_INNER = int.from_bytes(b'\x36' * 64, 'big')
_OUTER = int.from_bytes(b'\x5c' * 64, 'big')


def hmac_pads(key: bytes) -> 'tuple[bytes, bytes]':
    """Return the inner and outer block that HMAC-SHA256 with this key begins with (RFC 2104 section 2)."""
    if len(key) > 64:
        key = hashlib.sha256(key).digest()
    number = int.from_bytes(key + bytes(64 - len(key)), 'big')
    return (number ^ _INNER).to_bytes(64, 'big'), (number ^ _OUTER).to_bytes(64, 'big')


class Key:
    """An HMAC-SHA256 key (RFC 2104) that is prepared once and used often.

    :param secret: the key, as bytes or as a string that is taken as UTF-8. ValueError when it is empty.
    """
    def __init__(self, secret: 'bytes | str') -> None:
        key = to_bytes(secret)
        if not key:
            raise ValueError('an empty key signs nothing: give at least 32 random bytes')
        self.size = len(key)
        if MICROPYTHON:
            self._inner, self._outer = hmac_pads(key)
            self._last = (b'', b'')
        else:
            self._secret = key

    if MICROPYTHON:
        # hashlib has no copy() there, so the pads are what can be kept. So is the last answer: a device has few
        # visitors, who show the same cookie with every request, and it is half a millisecond (RP2040).
        def sign(self, message: bytes) -> bytes:
            """Return the 32-byte HMAC-SHA256 of ``message``."""
            last = self._last
            if last[0] == message and message:
                return last[1]
            h = hashlib.sha256(self._inner)
            h.update(message)
            inner = h.digest()
            h = hashlib.sha256(self._outer)
            h.update(inner)
            mac = h.digest()
            if len(message) <= 1024:
                self._last = (message, mac)
            return mac
    else:
        def sign(self, message: bytes) -> bytes:
            """Return the 32-byte HMAC-SHA256 of ``message``."""
            return _hmac_digest(self._secret, message, 'sha256')

    def __repr__(self) -> str:
        return '<Key>'


def hmac_sha256(key: 'Key | bytes | str', message: bytes) -> bytes:
    """Return HMAC-SHA256 of ``message`` (RFC 2104, FIPS 198-1): 32 bytes. Keep a :class:`Key` to sign often."""
    return (key if isinstance(key, Key) else Key(key)).sign(message)


if MICROPYTHON:
    def compare_digest(a: bytes, b: bytes) -> bool:
        """Tell whether two byte strings are equal, in a time that does not depend on where they differ.

        As integers they are combined whole: the two prefixes leave one bit above every difference, so no leading
        zero is stripped and no comparison stops early. A tenth of the time of a loop over the bytes (RP2040).
        """
        if len(a) != len(b):
            return False
        difference = int.from_bytes(b'\3' + a, 'big') ^ int.from_bytes(b'\2' + b, 'big')
        return not (difference - 1) >> (8 * len(a))
else:
    from hmac import compare_digest as compare_digest  # type: ignore[assignment]  # it takes text as well
    from hmac import digest as _hmac_digest


# --- text -----------------------------------------------------------------------------------------

def utf8(data: bytes) -> str:
    """Return the text of UTF-8 bytes; ValueError for overlong forms, surrogates and the like (RFC 3629 section 3).

    MicroPython decodes ``C0 BA`` to something that looks like ``:`` and is not, so whatever is not ASCII is checked.
    """
    text = data.decode()
    if MICROPYTHON and len(text) != len(data):
        _check_utf8(data)
    return text


def _check_utf8(data: bytes) -> None:
    more = 0                # continuation bytes still to come
    low, high = 0x80, 0xbf  # what the next of them may be
    for b in data:
        if more:
            if not low <= b <= high:
                raise ValueError('not UTF-8')
            low, high = 0x80, 0xbf
            more -= 1
        elif b > 127:
            if not 0xc2 <= b <= 0xf4:
                raise ValueError('not UTF-8')
            more = 1 if b < 0xe0 else 2 if b < 0xf0 else 3
            if b in (0xe0, 0xf0):    # overlong
                low = 0xa0 if b == 0xe0 else 0x90
            elif b in (0xed, 0xf4):  # surrogates, above U+10FFFF
                high = 0x9f if b == 0xed else 0x8f
    if more:
        raise ValueError('not UTF-8')


_ENDS = (-1, -3, -2)          # what to cut off: the newline, and the padding by the length modulo 3
_PADS = (b'', b'', b'==', b'=')


def b64url_bytes(data: bytes) -> bytes:
    """Return base64url without padding (RFC 7515 section 2), as bytes."""
    return binascii.b2a_base64(data)[:_ENDS[len(data) % 3]].replace(b'+', b'-').replace(b'/', b'_')


def b64url_encode(data: bytes) -> str:
    """Return base64url without padding (RFC 7515 section 2)."""
    return b64url_bytes(data).decode()


def b64url_decode(text: 'bytes | str') -> bytes:
    """Decode canonical base64url: no padding, no other character, unused bits zero (RFC 4648 section 3.3, 3.5).

    :raises ValueError: for anything else. Both Pythons' decoders skip what they do not know, so what they give is
        encoded again and has to be the same text.
    """
    coded = text.encode() if isinstance(text, str) else text
    plain = coded.replace(b'-', b'+').replace(b'_', b'/')
    data = binascii.a2b_base64(plain + _PADS[len(plain) % 4])
    if b'+' in coded or b'/' in coded or binascii.b2a_base64(data)[:_ENDS[len(data) % 3]] != plain:
        raise ValueError('not canonical base64url')
    return data


def b64_decode(text: 'bytes | str') -> bytes:
    """Decode canonical base64 with its padding (RFC 4648 section 4); ValueError for anything else."""
    coded = to_bytes(text)
    data = binascii.a2b_base64(coded)
    if binascii.b2a_base64(data, newline=False) != coded:
        raise ValueError('not canonical base64')
    return data


# --- callbacks ------------------------------------------------------------------------------------

if MICROPYTHON:
    def wraps(wrapped: 'Callable[..., Any]') -> 'Callable[[Any], Any]':
        """Do nothing: functions have no attributes to copy there."""
        return lambda wrapper: wrapper

    async def call(f: 'Callable[..., Any]', *args: 'Any', **kwargs: 'Any') -> 'Any':
        """Call ``f`` and await whatever awaitable comes back."""
        result = f(*args, **kwargs)
        if hasattr(result, 'send') and hasattr(result, 'throw'):
            result = await result
        return result

    in_thread = None

    def run(coroutine: 'Any') -> 'Any':
        """Run a coroutine to its end where nothing can be awaited: at a program's start."""
        import asyncio
        return asyncio.run(coroutine)

    def warn(message: str) -> None:
        """Tell the person at the serial console."""
        print('dotlatch: ' + message)
else:
    import asyncio
    import contextvars
    import logging
    from concurrent.futures import ThreadPoolExecutor
    from functools import partial
    from functools import wraps as wraps
    from inspect import isawaitable

    async def call(f: 'Callable[..., Any]', *args: 'Any', **kwargs: 'Any') -> 'Any':
        """Call ``f`` and await whatever awaitable comes back.

        A plain function may block, so it runs in a thread, as Microdot documents; ``async def`` runs inline. What a
        plain function, lambda, partial or object returns is awaited too: Microdot's own ``invoke_handler`` takes
        the coroutine itself for the answer, and a coroutine is true.
        """
        code = getattr(f, '__code__', None)
        if code is not None and code.co_flags & 0x80:  # CO_COROUTINE
            return await f(*args, **kwargs)
        context = contextvars.copy_context()
        result = await asyncio.get_running_loop().run_in_executor(None, partial(context.run, f, *args, **kwargs))
        if isawaitable(result):
            result = await result
        return result

    # Few and their own, so that a flood of logins takes neither every core nor the threads of plain handlers.
    _workers = ThreadPoolExecutor(2, 'dotlatch')

    async def in_thread(f: 'Callable[..., Any]', *args: 'Any') -> 'Any':
        """Call ``f`` in one of two threads that are kept for hashing; ``None`` where there are no threads."""
        return await asyncio.get_running_loop().run_in_executor(_workers, f, *args)

    def run(coroutine: 'Any') -> 'Any':
        """Run a coroutine to its end where nothing can be awaited: at a program's start.

        In a thread of its own, since a server may import the program from inside its event loop.
        """
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(asyncio.run, coroutine).result()

    def warn(message: str) -> None:
        """Log a warning under the name ``dotlatch``."""
        logging.getLogger('dotlatch').warning(message)


_warned: 'list[str]' = []


def warn_once(message: str) -> None:
    """Give a warning the first time it comes up in this process."""
    if message not in _warned and len(_warned) < 32:
        _warned.append(message)
        warn(message)
