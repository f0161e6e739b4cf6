"""Microdot for ASGI servers, with an answer for requests that it cannot read.

::

    from dotlatch.server.asgi import Microdot

    app = Microdot()   # uvicorn main:app

Under ASGI, Microdot builds its request outside of its own error handling: a query such as ``?x=%zz``, or a header that
is no UTF-8, is a 500 and a traceback for every client who likes one. Its own server answers those with a 400, and so
does this. A server on a UNIX socket names no client, which Microdot does not expect either.
"""
from typing import Any

import microdot.asgi

BaseMicrodot: Any = microdot.asgi.Microdot  # its stub leaves the server's half out


class Microdot(BaseMicrodot):  # type: ignore[misc]  # see above
    """The application class: what ``microdot.asgi.Microdot`` is."""

    async def asgi_app(self, scope: 'dict[str, Any]', receive: Any, send: Any) -> None:
        if scope['type'] not in ('http', 'websocket'):
            await super().asgi_app(scope, receive, send)
            return
        if scope.get('client') is None:
            scope = {**scope, 'client': ('', 0)}
        started = False

        async def watched_send(message: 'dict[str, Any]') -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await super().asgi_app(scope, receive, watched_send)
        except ValueError:
            # What a handler raises is answered by Microdot; this comes from reading the request.
            if started:
                raise
            await _bad_request(scope, send)


async def _bad_request(scope: 'dict[str, Any]', send: Any) -> None:
    if scope['type'] == 'websocket':
        await send({'type': 'websocket.close', 'code': 1008})
        return
    headers = [(b'content-type', b'text/plain; charset=UTF-8'), (b'content-length', b'11')]
    await send({'type': 'http.response.start', 'status': 400, 'headers': headers})
    await send({'type': 'http.response.body', 'body': b'Bad request'})
