"""Microdot for WSGI servers, with an answer for requests that it cannot read, and for several at a time.

::

    from dotlatch.server.wsgi import Microdot

    app = Microdot()   # gunicorn --threads 4 main:app

As with :mod:`dotlatch.server.asgi`: a query or a header that is no UTF-8 is a 400 here, not a 500, and so is a body
whose client has gone halfway. Text that is UTF-8 arrives as what it says: WSGI hands out every byte as a character of
its own (PEP 3333), which Microdot takes as it comes. Each of the server's threads has an event loop, where Microdot's
share one that runs one request at a time and fails the others. And gunicorn's socket is opened for WebSockets only, of
which there are none when gunicorn itself does TLS; Microdot opens it for every request without a body, and fails with
TLS.
"""
import asyncio
import io
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from typing import Any

import microdot
import microdot.wsgi

BaseMicrodot: Any = microdot.wsgi.Microdot  # its stub leaves the server's half out

_PATH = ('SCRIPT_NAME', 'PATH_INFO')
_SOCKET = 'gunicorn.socket'


class Microdot(BaseMicrodot):  # type: ignore[misc]  # see above
    """The application class: what ``microdot.wsgi.Microdot`` is."""

    def __init__(self) -> None:
        self._thread = threading.local()
        super().__init__()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop of this thread."""
        loop: 'asyncio.AbstractEventLoop | None' = getattr(self._thread, 'loop', None)
        if loop is None:
            loop = self._thread.loop = asyncio.new_event_loop()
        return loop

    @loop.setter
    def loop(self, loop: asyncio.AbstractEventLoop) -> None:
        self._thread.loop = loop

    async def dispatch_request(self, req: Any) -> Any:
        response = await super().dispatch_request(req)
        self._thread.opened = response is microdot.Response.already_handled
        return response

    def wsgi_app(self, environ: 'dict[str, Any]', start_response: 'Callable[..., Any]') -> 'Iterable[bytes]':
        started = False

        def watched_start(*args: Any) -> Any:
            nonlocal started
            started = True
            return start_response(*args)

        self._thread.opened = False
        try:
            body: 'Iterable[bytes]' = super().wsgi_app(_whole(_as_text(environ)), watched_start)
            if self._thread.opened and _SOCKET in environ:
                # It was a WebSocket: with threads, gunicorn would send a response after it and wait for more requests.
                try:
                    environ[_SOCKET].shutdown(socket.SHUT_RDWR)
                except OSError:  # the client has gone
                    pass
            return body
        except ValueError:
            # What a handler raises is answered by Microdot; this comes from reading the request.
            if started:
                raise
            start_response('400 Bad Request', [('Content-Type', 'text/plain; charset=UTF-8'), ('Content-Length', '11')])
            return [b'Bad request']


def _as_text(environ: 'dict[str, Any]') -> 'dict[str, Any]':
    """Return the environment with what the client sent as UTF-8; ValueError when it is not.

    In the path other bytes are replaced, as ASGI servers do, and a question mark stays out of the query.
    """
    texts: 'dict[str, Any]' = {}
    for name, value in environ.items():
        if name in _PATH:
            if '?' in value or not value.isascii():
                texts[name] = value.encode('latin-1').decode(errors='replace').replace('?', '%3F')
        elif (name.startswith('HTTP_') or name in ('QUERY_STRING', 'CONTENT_TYPE')) and not value.isascii():
            texts[name] = value.encode('latin-1').decode()
    if 'HTTP_UPGRADE' not in environ or isinstance(environ.get(_SOCKET), ssl.SSLSocket):
        return {name: value for name, value in {**environ, **texts}.items() if name != _SOCKET}
    return {**environ, **texts}


def _whole(environ: 'dict[str, Any]') -> 'dict[str, Any]':
    """Return the environment with a body that is all there, if Microdot reads it at once; ValueError when it is not."""
    length = int(environ.get('CONTENT_LENGTH') or 0)
    if not 0 < length <= microdot.Request.max_body_length:
        return environ
    body = environ['wsgi.input'].read(length)
    if len(body) < length:
        raise ValueError('the client has gone before the end of its request')
    return {**environ, 'wsgi.input': io.BytesIO(body)}
