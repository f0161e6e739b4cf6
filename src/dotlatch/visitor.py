"""What a request tells of who sent it: the network it comes from, whether a page would help, the fields of a form.

Needs portable.py, origin.py, onepiece.py and http.py, where its functions are found too::

    from dotlatch.http import form, source

    fields = form(request)      # ends in a 400 for what is none
    source(request)             # '192.168.4.2'
"""
from microdot import abort

from .http import is_built_in, is_websocket
from .origin import quote
from .portable import json_value, utf8

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_IPV4 = bytes(10) + b'\xff\xff'  # before an IPv4 address, on a socket for both


def url_as_sent(request: 'Any') -> str:
    """Return path and query with the path percent-encoded, as a link to this page would have it.

    ASGI and WSGI hand the path out decoded, line ends and all, and the query as it was sent.
    """
    if is_built_in(request):
        return str(request.url)
    query = request.query_string
    return quote(request.path) + ('?' + query if query else '')


def wants_page(request: 'Any') -> bool:
    """Tell whether a redirect to a form would help: a person's browser asks for a page. So may who takes anything.

    WebSocket, EventSource, fetch() and JSON clients would only follow it to some HTML they cannot use.
    """
    headers = request.headers
    by = headers.get('X-Requested-With')
    if is_websocket(request) or (by and '.' not in by):  # Android's window for captive portals is named there
        return False
    if headers.get('Sec-Fetch-Mode', 'navigate') != 'navigate' or 'json' in (request.content_type or ''):
        return False
    accept = headers.get('Accept', '*/*')
    return 'text/html' in accept or accept.startswith('*/*')


def source(request: 'Any') -> str:
    """Return the network that a request comes from: its IPv4 address or the first half of its IPv6 address."""
    address = request.client_addr
    if isinstance(address, (bytes, bytearray)):  # a sockaddr, on MicroPython's unix port
        at = 4
        if address[0] == 10:  # IPv6
            if bytes(address[8:20]) != _IPV4:
                return ':'.join(['%x' % (address[i] << 8 | address[i + 1]) for i in (8, 10, 12, 14)])
            at = 20
        return '.'.join([str(b) for b in address[at:at + 4]])
    host = str(address[0]) if address else ''
    if ':' not in host:
        return host
    if '.' in host and host[:7].lower() == '::ffff:':  # an IPv4 address, on a socket for both
        return host[7:]
    groups = host.split('::')[0].split(':')[:4]  # zeros stand between '::' and the end of these
    return ':'.join(groups + ['0'] * (4 - len(groups))) if '::' in host else ':'.join(groups)


def form(request: 'Any') -> 'dict[str, str]':
    """Return the fields of an urlencoded or JSON body, the first of each name; ends in a 400 for anything else.

    What a board has no memory to take apart ends in a 413. ``request.form`` raises in the handler when a client sends
    bytes that are no UTF-8 or an escape that is none.
    """
    fields: 'dict[str, str]' = {}
    try:
        given = request.form
        if given is None and 'json' in (request.content_type or ''):
            given = json_value(request.body) if request.body else {}
        for name in given or ():
            value = given[name]
            if isinstance(value, bytes):  # empty: what Microdot makes of a name alone
                value = ''
            utf8((name + value).encode())  # no string, or none that UTF-8 has a form for
            fields[name] = value
    except MemoryError:
        abort(413, 'Form too large')
    except Exception:  # whatever a parser says of bytes from outside
        abort(400, 'Bad form')
    return fields
