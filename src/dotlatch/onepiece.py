"""A response in one piece: Microdot's own server writes line by line, and each is a packet and 0.9 ms of an RP2040.

Needs no other file. http.py has it done on a board, for the responses that it adds lines to::

    in_one_piece(response)
"""
from microdot import Response
from microdot.microdot import MUTED_SOCKET_ERRORS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_WITH_HEAD = 512  # bytes of a body that are sent with the head; more are hard to find in one piece on a small heap


def in_one_piece(response: 'Any') -> None:
    """Have Microdot's server write the response with :func:`write`, unless it has a way of its own."""
    if type(response) is Response and 'write' not in response.__dict__:
        response.write = lambda stream: write(response, stream)  # type: ignore[method-assign]  # of this one response


async def write(response: 'Any', stream: 'Any') -> None:
    """Write what ``Response.write()`` would. Files, generators and event streams are left to it."""
    body = response.body
    if type(body) is not bytes:
        return await Response.write(response, stream)
    response.complete()
    head = _head(response)
    if response.is_head:
        body = b''
    try:
        if len(body) > _WITH_HEAD:
            await stream.awrite(head)
            await stream.awrite(body)
        else:
            await stream.awrite(head + body)
    except OSError as error:  # who hangs up is no error; what is, Microdot's server tells
        if error.errno not in MUTED_SOCKET_ERRORS:
            raise


def _head(response: 'Any') -> bytes:
    reason = response.reason
    if reason is None:
        reason = 'OK' if response.status_code == 200 else 'N/A'
    parts = ['HTTP/1.0 %s %s' % (response.status_code, reason)]
    add = parts.append  # four of these take half as long as one '%s: %s'
    for name, value in response.headers.items():
        for one in value if isinstance(value, list) else (value,):
            add('\r\n')
            add(name)
            add(': ')
            add(one if isinstance(one, str) else str(one))
    add('\r\n\r\n')
    return ''.join(parts).encode()
