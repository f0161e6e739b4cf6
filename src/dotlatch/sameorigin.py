"""Which page a request comes from: one of this site's own, or somebody else's (RFC 6454).

Needs portable.py, origin.py and http.py::

    from dotlatch import sameorigin

    sameorigin.allow(app, 'https://app.example')              # its pages may do what ours may
    sameorigin.hosts(app, 'device.lan', '192.168.1.50')       # by no other name is this device known
    sameorigin.is_same_origin(request)                        # True, False, or None when nothing tells
"""
from microdot import abort

from . import http
from .portable import deny_websocket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_DIGITS = '0123456789'
_LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'
_NAME = _LETTERS + _DIGITS + '-._~'
_SCHEME = _LETTERS + _DIGITS + '+-.'
_IPV6 = _DIGITS + 'abcdefABCDEF:.'
_DEFAULT_PORTS = {'http': 80, 'https': 443}

_last = ('', '')  # what was asked for last, and the answer: on a device it is nearly always its own origin again


def is_same_origin(request: 'Any') -> 'bool | None':
    """Tell whether a browser sent the request for a page of this origin, or of one that is allowed.

    ``None`` when it has neither Origin nor Sec-Fetch-Site: then it comes from no browser of today, or from a link. An
    Origin has to be well formed, and equal to the scheme and Host of the request. Browsers send Sec-Fetch-Site to HTTPS
    and localhost only (W3C Fetch Metadata); where it is there, it has to agree.
    """
    headers = request.headers
    given = headers.get('Origin')
    site = headers.get('Sec-Fetch-Site')
    below = getattr(request.app, '_allows_sub_domains', False)
    if given is None:
        return None if site is None else site in ('same-origin', 'none') or (below and site == 'same-site')
    origin = normal(given)
    if not origin:  # 'null', which a sandboxed frame of anybody's has, or junk
        return False
    allowed = getattr(request.app, '_allowed_origins', ())
    if origin in allowed:
        return True
    # Nearly always it is spelled like the Host, and one look at both is half the work on a board.
    scheme = 'https' if http.is_https(request) else 'http'
    mine = origin if given == scheme + '://' + headers.get('Host', '') else own(request)
    if below and _is_below(origin, allowed if site not in (None, 'same-site') else allowed + (mine,)):
        return True
    if site == 'same-origin':  # a proxy that nobody told us of may have ended the TLS: the browser knows the scheme
        origin, mine = origin.partition('://')[2], mine.partition('://')[2]
    return origin == mine and site in (None, 'same-origin', 'none')


def _is_below(origin: str, others: 'tuple[str, ...]') -> bool:
    """Tell whether the origin is of a sub-domain of one of the others, with its scheme and port."""
    scheme, _, host = origin.partition('://')
    for other in others:
        other_scheme, _, parent = other.partition('://')
        if scheme == other_scheme and host.endswith('.' + parent):
            return True
    return False


def own(request: 'Any') -> str:
    """Return the origin that a request was sent to, such as ``'http://device.lan:5000'``; ``''`` without a good Host.
    """
    scheme = 'https' if http.is_https(request) else 'http'
    return normal(scheme + '://' + request.headers.get('Host', ''))


def normal(origin: str) -> str:
    """Return an origin in the one spelling that browsers send (RFC 6454 section 6.2), or ``''`` for what is none."""
    global _last
    last, found = _last
    if origin != last:
        found = _normal(origin)
        _last = (origin, found)
    return found


def _normal(origin: str) -> str:
    scheme, _, rest = origin.partition('://')
    host, port = host_and_port(rest)
    if not host or not scheme or scheme.strip(_SCHEME):
        return ''
    scheme = scheme.lower()
    return '%s://%s' % (scheme, host) + (':%d' % port if port and port != _DEFAULT_PORTS.get(scheme) else '')


def host_and_port(text: str) -> 'tuple[str, int]':
    """Return host, in lower case, and port of a Host header (RFC 9110 section 7.2).

    Without a port that is 0, and for what is no Host ``('', 0)``.
    """
    host, colon, port = text, '', ''
    if not text.endswith(']') and ':' in text:
        host, colon, port = text[:text.rfind(':')], ':', text[text.rfind(':') + 1:]
    good = not host[1:-1].strip(_IPV6) and len(host) > 3 and host[-1] == ']' if host[:1] == '[' else (
        host and not host.strip(_NAME))
    if not good or (colon and (not 0 < len(port) < 6 or port.strip(_DIGITS) or not 0 < int(port) < 65536)):
        return '', 0
    return host.lower(), int(port or 0)


# --- what an app may say ----------------------------------------------------------------------------

def allow(app: 'Any', *origins: str, sub_domains: bool = False) -> None:
    """Have pages of these origins taken for the app's own: they may do what a user could do who is logged in there.

    :param origins: scheme, host, and port unless it is the scheme's own, such as ``'https://app.example'``.
    :param sub_domains: allow the sub-domains of the app's own origin, and of all allowed ones, too.
    :raises ValueError: for what is no origin; there is no ``'*'``.
    """
    known = getattr(app, '_allowed_origins', ())
    for origin in origins:
        if not normal(origin):
            raise ValueError("an origin is scheme, host and port, such as 'https://app.example'")
        known += (normal(origin),)
    app._allowed_origins = known
    app._allows_sub_domains = sub_domains or getattr(app, '_allows_sub_domains', False)


def hosts(app: 'Any', *names: str) -> None:
    """Answer only requests whose Host is one of these; others get a 421, and those without any a 400.

    A page of a stranger's can have its own name point to a device of your network, and is of the same origin then (DNS
    rebinding). It cannot make the browser send another name.

    :param names: host names and addresses, without ports; an IPv6 address in brackets.
    :raises ValueError: for what is no host, and for a port.
    """
    wanted = known(names)

    async def check_host(request: 'Any') -> None:
        host, _ = host_and_port(request.headers.get('Host', ''))
        if host not in wanted:
            status = 421 if host else 400  # RFC 9110 sections 15.5.20 and 7.2
            await deny_websocket(request, status, ())
            abort(status)

    http.ask_first(app, 1, check_host)


def known(names: 'tuple[str, ...]') -> 'list[str]':
    """Return hosts as :func:`host_and_port` has them; ValueError for what is none, and for a port."""
    found = []
    for name in names:
        host, port = host_and_port(name)
        if not host or port:
            raise ValueError("a host is a name or address without a port, such as 'device.lan'")
        found.append(host)
    return found
