"""What CPython does in its own way: see portable.py, which alone imports this file. Needs no other."""
import asyncio
import contextvars
import json
import logging
import os
import re
import sys
import threading
import time
import unicodedata
import weakref
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from functools import wraps as wraps
from hmac import compare_digest as compare_digest
from hmac import digest as _hmac_digest
from inspect import isawaitable
from typing import Any, BinaryIO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # the module is not there to be had

# --- clocks ---------------------------------------------------------------------------------------

TICKS_MASK = (1 << 62) - 1  # the ticks are a plain number here, and do not start again


def ticks_ms() -> int:
    """Return milliseconds of a monotonic clock."""
    return time.monotonic_ns() // 1000000


# A reference that keeps nothing alive: a request and what hangs on it go at once, and not when the collector comes.
weakly = weakref.proxy


# --- signatures and text --------------------------------------------------------------------------

class Key:
    """An HMAC-SHA256 key (RFC 2104) that is prepared once and used often.

    :param secret: the key, as bytes or as a string that is taken as UTF-8.
    :raises TypeError: when it is neither.
    :raises ValueError: when it is empty.
    """
    def __init__(self, secret: 'bytes | str') -> None:
        if not isinstance(secret, (bytes, str)):
            raise TypeError('a key is bytes or str')
        self._secret = secret.encode() if isinstance(secret, str) else secret
        self.size = len(self._secret)
        if not self.size:
            raise ValueError('an empty key signs nothing: give at least 32 random bytes')

    def sign(self, message: bytes) -> bytes:
        """Return the 32-byte HMAC-SHA256 of ``message``."""
        return _hmac_digest(self._secret, message, 'sha256')

    def __repr__(self) -> str:
        return '<Key>'


def utf8(data: bytes) -> str:
    """Return the text of UTF-8 bytes; ValueError for anything else (RFC 3629 section 3)."""
    return data.decode()


# A token68 (RFC 9110 section 11.2), which RFC 6750 calls a b64token.
_token68 = re.compile(r'[A-Za-z0-9\-._~+/]+=*').fullmatch


def is_token68(text: str) -> bool:
    """Tell whether ``text`` is a token68."""
    return _token68(text) is not None


_CONTROLS = bytes(range(32)) + b'\x7f'


def has_controls(data: bytes) -> bool:
    """Tell whether there is an ASCII control character in ``data``, which is not empty."""
    if data.decode('latin-1').isprintable():
        return False  # as nearly always, and in half the time
    return len(data.translate(None, _CONTROLS)) < len(data)


def plain_utf8(data: bytes) -> str:
    """Return the text of UTF-8 bytes, of which there are some; ValueError when an ASCII control is among them, too."""
    text = data.decode()
    if not text.isprintable() and has_controls(data):
        raise ValueError('a control character')
    return text


def is_word(text: str) -> bool:
    """Tell whether all of the text is printable ASCII without a space."""
    return text.isascii() and text.isprintable() and ' ' not in text


_LONG = 256  # characters: nobody's name


def alike(name: str) -> str:
    """Return what is the same for all names that some table of users may take for one: a throttle counts by it.

    Django's users are found by any form of a letter (Unicode's NFKC), and there are a dozen of each.
    """
    text = unicodedata.normalize('NFKC', name) if len(name) < _LONG else name  # which takes long for a long one
    return text.strip().lower()


# --- JSON -----------------------------------------------------------------------------------------

_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(',', ':'))


def json_text(value: Any) -> bytes:
    """Return compact JSON of a value that strictjson.py has looked at; UnicodeError for a lone surrogate."""
    return _encoder.encode(value).encode()


def json_value(data: bytes) -> Any:
    """Return the value of a JSON text; ValueError for all that strictjson.py does not take."""
    text = data.decode().strip(' \t\n\r')
    try:
        value, end = _scan(text, 0)
        # Every name has its colon: as many colons as names that were kept means that no two were equal.
        if text.count(':') != (len(value) if isinstance(value, dict) else 0):
            value, end = _scan_unique(text, 0)
    except (StopIteration, RecursionError):
        raise ValueError('not JSON') from None
    if end != len(text):
        raise ValueError('more after the JSON value')
    if text.count('[') + text.count('{') > 32 and _too_deep(value, 32):
        raise ValueError('nested deeper than 32')
    if '\\u' in text:
        _encoder.encode(value).encode()  # UnicodeError, a ValueError: a lone surrogate
    return value


def _object(pairs: 'list[tuple[str, Any]]') -> 'dict[str, Any]':
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError('two equal names in one JSON object')
    return members


def _number(text: str) -> float:
    number = float(text)
    if number - number != 0:
        raise ValueError('a number too large')
    return number


def _constant(text: str) -> Any:
    raise ValueError('not JSON: ' + text)


def _too_deep(value: Any, depth: int) -> bool:
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return False
    return not depth or any(_too_deep(item, depth - 1) for item in value)


_decoder: Any = json.JSONDecoder(parse_float=_number, parse_constant=_constant)
_scan = _decoder.scan_once
_decoder = json.JSONDecoder(object_pairs_hook=_object, parse_float=_number, parse_constant=_constant)
_scan_unique = _decoder.scan_once


# --- callbacks, threads, warnings -----------------------------------------------------------------

inner_of: 'dict[Any, Any]' = {}  # empty: wrappers say it themselves, in __wrapped__


def call(f: Callable[..., Any], *args: Any, **kwargs: Any) -> 'Awaitable[Any]':
    """Call ``f`` and return what is to be awaited for its result: an ``async def``'s own coroutine.

    A plain function may block, so it runs in a thread, as Microdot documents; ``async def`` runs inline. What a plain
    function, lambda, partial or object returns is awaited too: Microdot's own ``invoke_handler`` takes the coroutine
    itself for the answer, and a coroutine is true.
    """
    try:
        is_async = f.__code__.co_flags & 0x80  # CO_COROUTINE; a try takes half of what getattr() does
    except AttributeError:  # no plain function
        is_async = 0
    return f(*args, **kwargs) if is_async else _call_in_thread(f, *args, **kwargs)


def caller(f: Callable[..., Any]) -> 'Callable[..., Awaitable[Any]]':
    """Return what does as ``call(f, ...)``: an ``async def`` itself, at which there is no more to look."""
    code = getattr(f, '__code__', None)
    return f if code is not None and code.co_flags & 0x80 else partial(_call_in_thread, f)


async def _call_in_thread(f: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    context = contextvars.copy_context()
    result = await asyncio.get_running_loop().run_in_executor(None, partial(context.run, f, *args, **kwargs))
    if isawaitable(result):
        result = await result
    return result


async def deny_websocket(request: Any, status: int, args: 'tuple[Any, ...]') -> None:
    """Refuse an ASGI WebSocket before it opens; nothing for any other request.

    Microdot sends nothing for a WebSocket that was not accepted, which ASGI servers report as an error of ours.

    :param args: the handler's arguments: a WebSocket among them is open already.
    """
    scope = getattr(request, 'asgi_scope', None)
    if scope is None or scope['type'] != 'websocket' or any(hasattr(a, 'handshake') for a in args):
        return
    send = request.sock[1]
    if 'websocket.http.response' in (scope.get('extensions') or ()):
        headers = [(b'www-authenticate', c.encode()) for c in getattr(request.g, '_challenges', ())]
        await send({'type': 'websocket.http.response.start', 'status': status, 'headers': headers})
        await send({'type': 'websocket.http.response.body', 'body': b''})
    else:
        await send({'type': 'websocket.close', 'code': 1008})


class Busy(OSError):
    """As many passwords as may wait to be hashed are waiting already: the answer is 503, and later it may go."""


# Few threads and their own, so that a flood of logins takes neither every core nor the threads of plain handlers; and
# so many places, those at work among them, that the last in the queue waits seconds and no longer.
_workers = ThreadPoolExecutor(2, 'dotlatch')
_places = threading.BoundedSemaphore(64)


def _start_anew() -> None:
    global _workers, _places
    _workers = ThreadPoolExecutor(2, 'dotlatch')
    _places = threading.BoundedSemaphore(64)


if hasattr(os, 'register_at_fork'):  # threads stay behind: gunicorn --preload, after a first hash
    os.register_at_fork(after_in_child=_start_anew)


async def _in_thread(f: Callable[..., Any], *args: Any) -> Any:
    places = _places
    if not places.acquire(blocking=False):
        raise Busy('too many passwords wait to be hashed')
    try:
        # Cancelled while it waits, the call never begins.
        return await asyncio.get_running_loop().run_in_executor(_workers, f, *args)
    finally:
        places.release()


# Calls a function in one of two threads that are kept for hashing; None where there are no threads.
in_thread: 'Callable[..., Awaitable[Any]] | None' = _in_thread


def run(coroutine: Any) -> Any:
    """Run a coroutine to its end where nothing can be awaited: at a program's start.

    In a thread of its own, since a server may import the program from inside its event loop.
    """
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


def warn(message: str) -> None:
    """Log a warning under the name ``dotlatch``."""
    logging.getLogger('dotlatch').warning(message)


def server_problem(app: Any) -> str:
    """Return in words what will go wrong with this app under the server that loads it, or ``''``.

    gunicorn has loaded the module of its workers when it loads the app. Microdot's class has one event loop for all
    threads, which runs one request and fails the others.
    """
    wsgi = sys.modules.get('microdot.wsgi')
    if 'gunicorn.workers.gthread' not in sys.modules or wsgi is None:
        return ''
    if not isinstance(app, wsgi.Microdot) or 'loop' not in vars(app):
        return ''
    return ('gunicorn runs this app in several threads, and microdot.wsgi has one event loop for all of them: requests '
            'that come at the same time will fail. Import Microdot from dotlatch.server.wsgi, or leave out --threads')


# --- files ----------------------------------------------------------------------------------------

def temporary_name(path: str) -> str:
    """Return a name beside ``path`` that no other process uses, ending in ``.new``: _sweep() knows them by their form.
    """
    return '%s.%s.new' % (path, os.urandom(6).hex())


Lock = threading.Lock  # a WSGI server has several threads


def followed(path: str) -> str:
    """Return the file that a path leads to by a symbolic link, whether it is there or not; else the path itself.

    :raises OSError: for links in a circle, and for somebody else's in a folder such as /tmp, where Linux follows none.
    """
    if not os.path.islink(path):
        return path
    try:
        os.stat(path)
    except FileNotFoundError:  # it is to be made
        pass
    return os.path.realpath(path)


class FileLock:
    """Held by one process at a time, and let go when it ends::

        with FileLock('users.json'):
            ...

    Of a link it is that of the file, so that whoever came by another name has to wait, too.
    """
    def __init__(self, path: str) -> None:
        self.path = self._given = path  # that was locked, wherever a link may lead since; and that was asked for
        self._threads = threading.Lock()
        self._is_swept = False

    def __enter__(self) -> None:
        self._threads.acquire()
        self._file = -1
        try:
            self.path = followed(self._given)
            self._file = os.open(self.path + '.lock', os.O_RDWR | os.O_CREAT, 0o600)
            _lock(self._file)
        except OSError:
            if self._file >= 0:
                os.close(self._file)
            self._threads.release()
            raise
        if not self._is_swept:
            self._is_swept = True
            _sweep(self.path)

    def __exit__(self, *error: object) -> None:
        if fcntl is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)  # a process that was forked meanwhile has it open, too
        os.close(self._file)
        self._threads.release()


def _sweep(path: str) -> None:
    """Remove what was written beside a file, an hour ago or more, by a process that was killed before it had a name."""
    folder, name = os.path.split(path)
    if not name:  # the lock of a folder: FileStore looks after that itself
        return
    is_left = re.compile(re.escape(name) + r'(\.copy)?\.[0-9a-f]{12}\.new').fullmatch
    try:
        for other in os.listdir(folder or '.'):
            left = os.path.join(folder, other)
            if is_left(other) and os.stat(left).st_mtime < time.time() - 3600:
                os.remove(left)
    except OSError:  # a folder that cannot be listed, or another process was quicker
        pass


def _lock(file: int) -> None:
    """Wait until no other process has locked the open file."""
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX)
        return
    import msvcrt
    windows: Any = msvcrt
    while True:
        try:
            windows.locking(file, windows.LK_NBLCK, 1)
            return
        except PermissionError:  # its own way of waiting looks once a second, and gives up after ten
            time.sleep(0.01)


def open_private(path: str) -> BinaryIO:
    """Open a new file to write, readable by nobody else on the machine."""
    return open(path, 'wb', opener=lambda name, flags: os.open(name, flags | os.O_EXCL, 0o600))


def renames_whole(new: str) -> bool:
    """Tell whether a file can be renamed onto another in one step (POSIX rename)."""
    return True


def name_new_file(new: str, path: str) -> None:
    """Give a file that was just written its name; OSError (EEXIST) when another process has made one."""
    try:
        os.link(new, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: a stick's, or a folder that a virtual machine shares
        with FileLock(path):
            if os.path.exists(path):
                raise FileExistsError(17, 'File exists', path) from None
            os.rename(new, path)
    else:
        os.remove(new)


def sync(file: BinaryIO, path: str) -> None:
    """Have what was written reach the medium, as something newer than the file at that path."""
    file.flush()
    number = file.fileno()
    if os.utime in os.supports_fd:
        # A removed file's number is given to the next one, and some clocks tick 250 times a second: file_version()
        # would take the second of two quick changes for what it knows.
        last = file_version(path)
        if last and last[-1] >= os.fstat(number).st_mtime_ns:
            os.utime(number, ns=(last[-1] + 1, last[-1] + 1))
    os.fsync(number)


def file_version(path: str) -> 'tuple[int, ...] | None':
    """Return something that changes with the file, which other processes may write."""
    try:
        known = os.stat(path)
    except OSError:
        return ()
    return known.st_ino, known.st_size, known.st_mtime_ns


def unload(*names: str) -> None:
    """Do nothing: there is room."""
