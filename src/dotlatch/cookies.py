"""Cookies read one way on every server, and written as RFC 6265bis wants them.

Needs no other file::

    from dotlatch import cookies

    cookies.read(request, 'session')   # every value sent under that name, at most 4
    cookies.write(response, 'session', token, {'path': '/', 'secure': True}, 'Lax')
"""
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MOST = 4  # values of one name that are looked at


def read(request: 'Any', name: str) -> 'list[str]':
    """Return the different values that the request carries under ``name``: none, one, or up to 4.

    Two of one name are two paths or domains, or somebody's attempt to plant one: which came first proves nothing, so
    the caller sees both. Microdot keeps the last; ASGI hands out several Cookie lines and WSGI joins them with a
    comma, which no cookie value of ours contains.
    """
    text = request.headers.get('Cookie') or ''
    if hasattr(request, 'asgi_scope'):
        sent = request.asgi_scope['headers']
        if len(sent) != len(request.headers):  # some header came twice
            text = b';'.join([value for header, value in sent if header == b'cookie']).decode()
    elif hasattr(request, 'environ'):
        text = text.replace(',', ';')
    start = name + '='
    values: 'list[str]' = []
    at = text.find(start)
    while at >= 0:
        end = text.find(';', at)
        if end < 0:
            end = len(text)
        before = at - 1
        while before >= 0 and text[before] in ' \t':
            before -= 1
        if before < 0 or text[before] == ';':  # a name, and not the end of one or a part of some value
            value = text[at + len(start):end]
            if value[-1:] in ' \t':  # strip() alone takes a millisecond on an RP2040
                value = value.strip()
            if value not in values:
                if len(values) == _MOST:
                    return []  # nobody has so many by accident
                values.append(value)
        at = text.find(start, end)
    return values


def check_name(name: 'Any') -> None:
    """Raise ValueError when ``name`` is not a cookie name: a token of RFC 9110 section 5.6.2."""
    for c in name or ' ':
        if not '!' <= c <= '~' or c in '()<>@,;:\\"/[]?={}':
            raise ValueError('a cookie name is made of letters, digits and -_.! and the like')


def check_attribute(name: str, value: 'Any') -> None:
    """Raise ValueError when a cookie's attribute would end it or begin another (RFC 6265bis section 4.1.1)."""
    if isinstance(value, str):
        for c in value:
            if not ' ' <= c <= '~' or c == ';':
                raise ValueError('the cookie option %s has a character that cookies cannot carry' % name)


def write(response: 'Any', name: str, value: str, options: 'dict[str, Any]', same_site: 'str | None') -> None:
    """Set a cookie in the response, in place of one of that name.

    :param options: what Microdot's ``set_cookie`` takes: path, domain, max_age, secure, http_only and so on.
    :param same_site: ``'Lax'``, ``'Strict'`` or ``'None'``, which Microdot's has no option for.
    :raises ValueError: for a value with anything but printable ASCII, or with a quote, comma, semicolon or backslash.
    """
    for c in value:
        if not '!' <= c <= '~' or c in '",;\\':
            raise ValueError('the cookie value has a character that cookies cannot carry')
    known = response.headers.get('Set-Cookie')
    if known:  # one of a name: what was set last
        known[:] = [cookie for cookie in known if not cookie.startswith(name + '=')]
    response.set_cookie(name, value, **options)
    if same_site:
        response.headers['Set-Cookie'][-1] += '; SameSite=' + same_site


def clear(response: 'Any', name: str, options: 'dict[str, Any]', same_site: 'str | None') -> None:
    """Have the browser drop a cookie; ``options`` are the ones it was written with (RFC 6265bis section 5.7)."""
    options = options.copy()
    options['max_age'] = 0
    options['expires'] = 'Thu, 01 Jan 1970 00:00:01 GMT'
    write(response, name, '', options, same_site)
