"""Microdot for WSGI servers, with an answer for requests that it cannot read.

::

    from dotlatch.server.wsgi import Microdot

    app = Microdot()   # gunicorn main:app

As with :mod:`dotlatch.server.asgi`: a query that is no UTF-8 is a 400 here, not a 500.
"""
from collections.abc import Callable, Iterable
from typing import Any

import microdot.wsgi

BaseMicrodot: Any = microdot.wsgi.Microdot  # its stub leaves the server's half out


class Microdot(BaseMicrodot):  # type: ignore[misc]  # see above
    """The application class: what ``microdot.wsgi.Microdot`` is."""

    def wsgi_app(self, environ: 'dict[str, Any]', start_response: 'Callable[..., Any]') -> 'Iterable[bytes]':
        started = False

        def watched_start(*args: Any) -> Any:
            nonlocal started
            started = True
            return start_response(*args)

        try:
            body: 'Iterable[bytes]' = super().wsgi_app(environ, watched_start)
            return body
        except ValueError:
            if started:
                raise
            start_response('400 Bad Request', [('Content-Type', 'text/plain; charset=UTF-8')])
            return [b'Bad request']
