"""Microdot for ASGI servers, with an answer for requests that it cannot read.

::

    from dotlatch.server.asgi import Microdot

    app = Microdot()   # uvicorn main:app

Under ASGI, Microdot builds its request outside of its own error handling: a query such as ``?x=%zz``, or a header that
is no UTF-8, is a 500 and a traceback for every client who likes one. Its own server answers those with a 400, and so
does this. A body whose client has gone halfway is a 400 too: half a password would be one. A server on a UNIX socket
names no client, which Microdot does not expect either, and a question mark that was escaped in the path would begin the
query.
"""
from typing import Any

import microdot.asgi

BaseMicrodot: Any = microdot.asgi.Microdot  # its stub leaves the server's half out

_HEADERS = [(b'content-type', b'text/plain; charset=UTF-8'), (b'content-length', b'11')]
_BODY = b'Bad request'


class Microdot(BaseMicrodot):  # type: ignore[misc]  # see above
    """The application class: what ``microdot.asgi.Microdot`` is."""

    async def asgi_app(self, scope: 'dict[str, Any]', receive: Any, send: Any) -> None:
        if scope['type'] not in ('http', 'websocket'):
            await super().asgi_app(scope, receive, send)
            return
        if scope.get('client') is None:
            scope = {**scope, 'client': ('', 0)}
        if '?' in scope['path']:
            scope = {**scope, 'path': scope['path'].replace('?', '%3F')}
        started = is_whole = False

        async def watched_receive() -> 'dict[str, Any]':
            nonlocal is_whole
            message: 'dict[str, Any]' = await receive()
            if message['type'] == 'http.disconnect' and not is_whole and not started:
                raise ValueError('the client has gone before the end of its request')
            is_whole = is_whole or not message.get('more_body', False)
            return message

        async def watched_send(message: 'dict[str, Any]') -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await super().asgi_app(scope, watched_receive, watched_send)
        except ValueError:
            # What a handler raises is answered by Microdot; this comes from reading the request.
            if started:
                raise
            await _bad_request(scope, send)


async def _bad_request(scope: 'dict[str, Any]', send: Any) -> None:
    kind = 'http.response'
    if scope['type'] == 'websocket':
        kind = 'websocket.http.response'
        if kind not in (scope.get('extensions') or ()):
            await send({'type': 'websocket.close', 'code': 1008})
            return
    await send({'type': kind + '.start', 'status': 400, 'headers': _HEADERS})
    await send({'type': kind + '.body', 'body': _BODY})
