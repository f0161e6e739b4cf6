"""What MicroPython does in its own way: see portable.py, which alone imports this file and on_micropython_files.py.

Needs viper.py, or noviper.py where the port has no viper, and jsongrammar.py for JSON that is not plain.
"""
import time
from hashlib import sha256
from json import dumps, loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .noviper import b64url_bytes as b64url_bytes
    from .noviper import b64url_decode as b64url_decode
    from .noviper import compare_digest as compare_digest
    from .noviper import is_plain as is_plain
    from .noviper import is_token68 as is_token68

    count_names: 'Callable[[bytes, int], int] | None'
else:
    try:
        from .viper import b64url_bytes, b64url_decode, compare_digest, count_names, is_plain, is_token68
    except (ImportError, SyntaxError, ValueError):  # not there; no viper in this port; machine code of another
        from .noviper import b64url_bytes, b64url_decode, compare_digest, is_plain, is_token68
        count_names = None

# --- clocks ---------------------------------------------------------------------------------------

_time: 'Any' = time  # the type checker knows CPython's
ticks_ms = _time.ticks_ms
TICKS_MASK = _time.ticks_add(0, -1)  # the highest tick, after which they start again: 2**30 - 1 on a board


# --- signatures and text --------------------------------------------------------------------------

_INNER = int.from_bytes(b'\x36' * 64, 'big')
_OUTER = int.from_bytes(b'\x5c' * 64, 'big')


def hmac_pads(key: bytes) -> 'tuple[bytes, bytes]':
    """Return the inner and outer block that HMAC-SHA256 with this key begins with (RFC 2104 section 2)."""
    if len(key) > 64:
        key = sha256(key).digest()
    number = int.from_bytes(key + bytes(64 - len(key)), 'big')
    return (number ^ _INNER).to_bytes(64, 'big'), (number ^ _OUTER).to_bytes(64, 'big')


class Key:
    """An HMAC-SHA256 key (RFC 2104) whose pads are prepared once; hashlib has no copy() there to keep more."""
    def __init__(self, secret: 'bytes | str') -> None:
        if not isinstance(secret, (bytes, str)):
            raise TypeError('a key is bytes or str')
        key = secret.encode() if isinstance(secret, str) else secret
        self.size = len(key)
        if not self.size:
            raise ValueError('an empty key signs nothing: give at least 32 random bytes')
        self._inner, self._outer = hmac_pads(key)
        self._message = self._signature = b''  # the last one, see signature()

    def sign(self, message: bytes) -> bytes:
        """Return the 32-byte HMAC-SHA256 of ``message``."""
        h = sha256(self._inner)
        h.update(message)
        mac = h.digest()
        h = sha256(self._outer)
        h.update(mac)
        return h.digest()


def signature(key: 'Key', message: bytes) -> bytes:
    """Return the key's HMAC-SHA256 of ``message`` as base64url, which is how tokens carry it.

    The last answer is kept: a device has few visitors, who show the same cookie with every request, and to compute it
    anew takes nearly a millisecond (RP2040).
    """
    if key._signature and key._message == message:
        return key._signature
    signature = b64url_bytes(key.sign(message))
    if type(message) is bytes and len(message) <= 1024:  # a buffer may change
        key._message = message
        key._signature = signature
    return signature


def utf8(data: bytes) -> str:
    """Return the text of UTF-8 bytes; ValueError for overlong forms, surrogates and the like (RFC 3629 section 3).

    ``bytes.decode()`` makes of ``C0 BA`` something that looks like ``:`` and is not: what is not ASCII is checked.
    """
    text = data.decode()
    if len(text) != len(data):
        from . import jsongrammar
        jsongrammar.check_utf8(data)
    return text


def is_word(text: str) -> bool:
    """Tell whether all of the text is printable ASCII without a space; of bytes, which an RP2040 reads much sooner."""
    coded = text.encode()
    return not coded or (min(coded) > 32 and max(coded) < 127)


def alike(name: str) -> str:
    """Return what is the same for all names that users may be found by: a throttle counts by it."""
    return name.strip().lower()


def has_controls(data: bytes) -> bool:
    """Tell whether there is an ASCII control character in ``data``, which is not empty."""
    return min(data) < 32 or b'\x7f' in data


def plain_utf8(data: bytes) -> str:
    """Return the text of UTF-8 bytes, of which there are some; ValueError when an ASCII control is among them, too."""
    if min(data) < 32 or b'\x7f' in data:
        raise ValueError('a control character')
    return utf8(data)


# --- JSON -----------------------------------------------------------------------------------------

_COMPACT = (',', ':')
_LEAVES = (str, int, bool, type(None), float)


def json_text(value: 'Any') -> bytes:
    """Return compact JSON of a value that strictjson.py has looked at; UnicodeError for a lone surrogate."""
    text = dumps(value, separators=_COMPACT)
    data = text.encode()
    if len(data) != len(text):
        from . import jsongrammar
        try:
            jsongrammar.check_utf8(data)
        except ValueError:
            raise UnicodeError() from None
    return data


def json_value(data: bytes) -> 'Any':
    """Return the value of a JSON text; ValueError for all that strictjson.py does not take.

    ``json`` takes much more there, so the grammar is checked first: plain text in machine code, where the port has it,
    and anything else character by character.
    """
    names = count_names(data, len(data)) if count_names else -1
    if names < 0:
        from . import jsongrammar
        text, names = jsongrammar.checked(utf8(data))
        value = loads(text)
    else:
        value = loads(data)
    try:
        # An object with all the names in it has no other objects inside that could have lost one.
        if (type(value) is not dict or len(value) != names) and _count_names(value) != names:
            raise ValueError('two equal names in one JSON object')
    except RuntimeError:  # a board's stack holds few levels, and fewer still inside a handler
        raise ValueError('nested deeper than this port can follow') from None
    return value


def _count_names(value: 'Any') -> int:
    count = 0
    if isinstance(value, dict):
        count = len(value)
        value = value.values()
    elif not isinstance(value, list):
        return 0
    for item in value:
        if type(item) not in _LEAVES:
            count += _count_names(item)
    return count


# --- callbacks, threads, warnings -----------------------------------------------------------------

in_thread = None  # there are none


inner_of: 'dict[Any, Any]' = {}  # what wrappers wrap, from a function that csrf.py has marked outwards


def wraps(wrapped: 'Callable[..., Any]') -> 'Callable[[Any], Any]':
    """Keep in mind what a wrapper of a marked function wraps: functions have no attributes to say it themselves."""
    def settle(wrapper: 'Any') -> 'Any':
        if wrapped in inner_of:
            inner_of[wrapper] = wrapped
        return wrapper
    return settle


def call(f: 'Callable[..., Any]', *args: 'Any', **kwargs: 'Any') -> 'Any':
    """Call ``f`` and return what is to be awaited for its result: its own coroutine, which saves one around it."""
    result = f(*args, **kwargs)
    return result if hasattr(result, 'send') and hasattr(result, 'throw') else _ready(result)


async def _ready(result: 'Any') -> 'Any':
    return result


def caller(f: 'Callable[..., Any]') -> 'Callable[..., Any]':
    """Return what does as ``call(f, ...)``: an ``async def`` itself, at which there is no more to look."""
    return f if type(f) is type(_ready) else lambda *args, **kwargs: call(f, *args, **kwargs)


def weakly(value: 'Any') -> 'Any':
    """Return the value: all references are alike there, and the collector comes often."""
    return value


class _NoLock:
    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        pass


try:
    from _thread import allocate_lock as Lock  # an RP2040 has two cores
except ImportError:
    Lock = _NoLock  # type: ignore[assignment]


class Busy(OSError):
    """As many passwords as may wait to be hashed are waiting already: the answer is 503, and later it may go."""


async def deny_websocket(request: 'Any', status: int, args: 'tuple[Any, ...]') -> None:
    """Do nothing: there is no ASGI there, and the server answers a WebSocket as any other request."""


def run(coroutine: 'Any') -> 'Any':
    """Run a coroutine to its end where nothing can be awaited: at a program's start."""
    import asyncio
    return asyncio.run(coroutine)


def warn(message: str) -> None:
    """Tell the person at the serial console."""
    print('dotlatch: ' + message)
