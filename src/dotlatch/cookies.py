"""Cookies read one way on every server, and written as RFC 6265bis wants them.

Needs portable.py, onepiece.py and http.py; origin.py at a refusal::

    from dotlatch import cookies

    cookies.read(request, 'session')   # every value sent under that name, at most 4
    cookies.write(response, 'session', token, {'path': '/', 'secure': True}, 'Lax')
"""
from microdot import Request

from .http import is_built_in, is_https
from .portable import is_word, warn_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAX_COOKIE = 1800

_MOST = 4  # values of one name that are looked at


def read(request: 'Any', name: str) -> 'list[str]':
    """Return the different values that the request carries under ``name``: none, one, or up to 4.

    Two of one name are two paths or domains, or somebody's attempt to plant one: which came first proves nothing, so
    the caller sees both. Microdot keeps the last; ASGI hands out several Cookie lines and WSGI joins them with a
    comma, which no cookie value of ours contains.
    """
    text = as_sent = request.headers.get('Cookie') or ''
    if hasattr(request, 'asgi_scope'):
        sent = request.asgi_scope['headers']
        if len(sent) != len(request.headers):  # some header came twice
            text = b';'.join([value for header, value in sent if header == b'cookie']).decode()
    elif hasattr(request, 'environ'):
        text = text.replace(',', ';')
    if text is as_sent and text.count(name) < 2:  # as nearly always: then what Microdot has read is all there is
        value = request.cookies.get(name)
        return [] if value is None else [value]
    return _read_all(text, name + '=')


def is_sent(request: 'Any', name: str) -> bool:
    """Tell whether there may be a cookie of that name: most often there is not, and nothing has to be read."""
    if name in (request.headers.get('Cookie') or ''):
        return True
    if not hasattr(request, 'asgi_scope'):
        return False
    sought = name.encode()  # in any of several lines, of which Microdot keeps the last
    return any(header == b'cookie' and sought in value for header, value in request.asgi_scope['headers'])


def _read_all(text: str, start: str) -> 'list[str]':
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
            value = text[at + len(start):end].strip()
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


def check_value(value: str) -> None:
    """Raise ValueError when a cookie cannot have the value (RFC 6265bis section 4.1.1)."""
    if not is_word(value) or '"' in value or ',' in value or ';' in value or '\\' in value:
        raise ValueError('the cookie value has a character that cookies cannot carry')


def write(response: 'Any', name: str, value: str, options: 'dict[str, Any]', same_site: 'str | None') -> None:
    """Set a cookie in the response, in place of one of that name.

    :param options: what Microdot's ``set_cookie`` takes: path, domain, max_age, secure, http_only and so on.
    :param same_site: ``'Lax'``, ``'Strict'`` or ``'None'``, which Microdot's has no option for.
    :raises ValueError: for a value with anything but printable ASCII, or with a quote, comma, semicolon or backslash.
    """
    check_value(value)
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


class CookieTransport:
    """A session's token in a cookie, which is how it travels unless told otherwise.

    :param name: the cookie's name. Over TLS it gets the prefix ``__Host-`` where path and domain allow it, so that no
        other host or port can plant one (RFC 6265bis section 4.1.3.2).
    :param options: what Microdot's ``set_cookie`` takes, and ``same_site`` (``'Lax'``). ``path`` is ``'/'``,
        ``http_only`` is on and ``secure`` is on when the request came over TLS, unless given.
    :param host_prefix: ``False`` for the same name over TLS.
    :param max_cookie: bytes that name and value may have: 1800, since Microdot's own server drops Cookie lines above
        2048. Browsers take 4096.
    :raises ValueError: for a name or an option that cookies cannot carry.
    """
    header = 'Cookie'

    def __init__(self, name: str = 'session', options: 'dict[str, Any] | None' = None, host_prefix: bool = True,
                 max_cookie: int = MAX_COOKIE) -> None:
        check_name(name)
        self.name = name
        self.host_prefix = host_prefix
        self.max_cookie = max_cookie
        self.set_options(options or {})

    def set_options(self, options: 'dict[str, Any]') -> None:
        """Use other options from now on."""
        options = options.copy()
        self.same_site: 'str | None' = options.pop('same_site', 'Lax')
        if self.same_site not in ('Lax', 'Strict', 'None', None):
            raise ValueError("same_site is 'Lax', 'Strict', 'None' or None")
        options.setdefault('path', '/')
        options.setdefault('http_only', True)
        for name in options:
            check_attribute(name, options[name])
        self.options = options
        # As RFC 6265bis section 4.1.3.2 wants it.
        self._may_have_prefix = options['path'] == '/' and not options.get('domain') and options.get('secure', True)

    def name_for(self, request: 'Any', name: 'str | None' = None) -> str:
        """Return the name that a cookie of this app has for this request: the session's, or another one's."""
        if self._may_have_prefix and self.host_prefix and is_https(request):
            return '__Host-' + (name or self.name)
        return name or self.name

    def options_for(self, request: 'Any') -> 'dict[str, Any]':
        """Return the options with ``secure`` as the request has it."""
        options = self.options
        if 'secure' not in options:
            options = options.copy()
            options['secure'] = is_https(request)
            if not options['secure']:
                warn_once('cookies travel over plain HTTP: whoever can listen to the network can use them')
        return options

    # --- what every transport has -----------------------------------------------------------------

    def is_there(self, request: 'Any') -> bool:
        """Tell whether the request carries a token, good or bad."""
        return is_sent(request, self.name_for(request))

    def read(self, request: 'Any') -> 'list[str]':
        """Return the tokens that the request carries."""
        return read(request, self.name_for(request))

    def check(self, request: 'Any', token: str) -> None:
        """Raise ValueError when the response could not carry the token, or the next request not bring it back."""
        check_value(token)
        name = self.name_for(request)
        size = len(name) + 1 + len(token)
        limit = self.max_cookie
        if is_built_in(request):
            # All the cookies of a host come back in one line, which the server drops with the request when it is too
            # long: the visitor would be locked out of every page.
            room = Request.max_readline - len('Cookie: \r\n')
            planned = getattr(request.g, '_planned', {})
            for other in planned:
                room -= len(other) + 1 + len(planned[other]) + len('; ')
            for pair in request.headers.get('Cookie', '').split(';'):
                other = pair.strip().split('=', 1)[0]
                if other != name and other not in planned:
                    room -= len(pair.strip()) + len('; ')
            limit = min(limit, room)
        if size > limit:
            raise ValueError('the session cookie would be %d bytes, %d fit: keep less in the session' % (size, limit))

    def write(self, request: 'Any', response: 'Any', token: str) -> None:
        """Have the client keep the token, or forget it when it is empty."""
        name = self.name_for(request)
        if token:
            write(response, name, token, self.options_for(request), self.same_site)
        else:
            clear(response, name, self.options_for(request), self.same_site)

    def challenge(self, login_url: str) -> str:
        """Return what a 401 says of the way in (draft-broyer-http-cookie-auth)."""
        from .origin import quote  # at a refusal only
        return 'Cookie realm="login", form-action="%s"' % quote(login_url, b'?=&')


def plan(request: 'Any', name: str, value: str) -> None:
    """Say that the response will set another cookie than the session's, which has to fit beside it."""
    planned = getattr(request.g, '_planned', None)
    if planned is None:
        request.g._planned = planned = {}
    planned[name] = value
