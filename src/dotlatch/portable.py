"""The only file that knows which Python it runs on: clocks, random bytes, HMAC, strict base64, callbacks.

Needs on_micropython.py and on_micropython_files.py on a board, on_cpython.py and noviper.py elsewhere: they hold each
Python's half of what differs, under the same names, and only this file imports them. Everything else is written once,
in what both Pythons share::

    from dotlatch.portable import now, hmac_sha256

    now()                          # Unix seconds, or None while the clock is not set
    hmac_sha256(b'key', b'text')   # 32 bytes
"""
import os
import sys
import time
from binascii import a2b_base64, b2a_base64

TYPE_CHECKING = False

MICROPYTHON = sys.implementation.name == 'micropython'

if TYPE_CHECKING or not MICROPYTHON:
    from .noviper import b64url_bytes as b64url_bytes
    from .noviper import b64url_decode as b64url_decode
    from .noviper import is_plain as is_plain
    from .on_cpython import TICKS_MASK as _ticks_mask
    from .on_cpython import Busy as Busy
    from .on_cpython import FileLock as FileLock
    from .on_cpython import Key as Key
    from .on_cpython import Lock as Lock
    from .on_cpython import alike as alike
    from .on_cpython import call as call
    from .on_cpython import caller as caller
    from .on_cpython import compare_digest as compare_digest
    from .on_cpython import deny_websocket as deny_websocket
    from .on_cpython import file_version as file_version
    from .on_cpython import followed as followed
    from .on_cpython import has_controls as has_controls
    from .on_cpython import in_thread as in_thread
    from .on_cpython import inner_of as inner_of
    from .on_cpython import is_token68 as is_token68
    from .on_cpython import is_word as is_word
    from .on_cpython import json_text as json_text
    from .on_cpython import json_value as json_value
    from .on_cpython import name_new_file as name_new_file
    from .on_cpython import open_private as open_private
    from .on_cpython import plain_utf8 as plain_utf8
    from .on_cpython import renames_whole as renames_whole
    from .on_cpython import run as run
    from .on_cpython import server_problem as server_problem
    from .on_cpython import sync as sync
    from .on_cpython import temporary_name as temporary_name
    from .on_cpython import ticks_ms as _ticks_ms
    from .on_cpython import unload as unload
    from .on_cpython import utf8 as utf8
    from .on_cpython import warn as warn
    from .on_cpython import weakly as weakly
    from .on_cpython import wraps as wraps

    def signature(key: Key, message: bytes) -> bytes:
        """Return the key's HMAC-SHA256 of ``message`` as base64url, which is how tokens carry it."""
        return b64url_bytes(key.sign(message))
else:
    from .on_micropython import TICKS_MASK as _ticks_mask
    from .on_micropython import (
        Busy,
        Key,
        Lock,
        alike,
        b64url_bytes,
        b64url_decode,
        call,
        caller,
        compare_digest,
        deny_websocket,
        has_controls,
        in_thread,
        inner_of,
        is_plain,
        is_token68,
        is_word,
        json_text,
        json_value,
        plain_utf8,
        run,
        signature,
        utf8,
        warn,
        weakly,
        wraps,
    )
    from .on_micropython import ticks_ms as _ticks_ms

    def __getattr__(name):
        # Not all boards keep files: what they take is loaded with the first module that does.
        from . import on_micropython_files
        return getattr(on_micropython_files, name)

# A clock before this moment (2026-01-01) has never been set: an RP2040 wakes in 2021, an ESP32 in 2000.
CLOCK_FLOOR = 1767225600

# --- clocks -------------------------------------------------------------------------------------

# The port's own clocks, by names of this module so that tests can put others in their place.
_wall_clock = time.time
_epoch = 946684800 if time.gmtime(0)[0] == 2000 else 0
_seen = (_ticks_ms(), _ticks_ms())  # the ticks when last asked, and what they had come to


def now() -> 'int | None':
    """Return the time in Unix seconds, whatever epoch the port counts from; ``None`` while the clock is not set."""
    seconds = int(_wall_clock()) + _epoch
    return seconds if seconds >= CLOCK_FLOOR else None


def uptime_ms() -> int:
    """Return milliseconds on a clock that never jumps, never goes back and does not wrap.

    Boards count milliseconds modulo 2**30 (12.4 days). What has passed since the last call is added up modulo that
    period, so the sum is right as long as it is asked for once in 12 days.
    """
    global _seen
    last, total = _seen  # first, and in one piece: another thread's ticks must not be later than ours
    ticks = _ticks_ms()
    total += (ticks - last) & _ticks_mask
    _seen = (ticks, total)
    return total


# --- random bytes, signatures ---------------------------------------------------------------------

def random_bytes(n: int) -> bytes:
    """Return ``n`` bytes from the port's cryptographic source (``os.urandom``)."""
    return os.urandom(n)


def random_id() -> str:
    """Return 128 random bits as 22 characters of base64url (ASVS 7.2.3)."""
    return b64url_encode(os.urandom(16))


def hmac_sha256(key: 'Key | bytes | str', message: bytes) -> bytes:
    """Return HMAC-SHA256 of ``message`` (RFC 2104, FIPS 198-1): 32 bytes. Keep a :class:`Key` to sign often."""
    return (key if isinstance(key, Key) else Key(key)).sign(message)


# --- base64 ---------------------------------------------------------------------------------------

def b64url_encode(data: bytes) -> str:
    """Return base64url without padding (RFC 7515 section 2)."""
    return b64url_bytes(data).decode()


def b64_decode(text: 'bytes | str') -> bytes:
    """Decode canonical base64 with its padding (RFC 4648 section 4); ValueError for anything else."""
    coded = text.encode() if isinstance(text, str) else text
    data = a2b_base64(coded)
    if b2a_base64(data, newline=False) != coded:
        raise ValueError('not canonical base64')
    return data


# --- warnings -------------------------------------------------------------------------------------

_warned: 'list[str]' = []


def warn_once(message: str) -> None:
    """Give a warning the first time it comes up in this process."""
    if message not in _warned and len(_warned) < 32:
        _warned.append(message)
        warn(message)
