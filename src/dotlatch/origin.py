"""Where a redirect may lead: only to this site, for every spelling a browser would follow elsewhere.

Needs no other file::

    from dotlatch.origin import safe_next

    safe_next('/log?day=3', '/')       # '/log?day=3'
    safe_next('/\\evil.example', '/')  # '/'

``CSRF`` of csrf.py, and ``is_same_origin``, ``allow`` and ``hosts`` of sameorigin.py, are found here too: a board loads
those files when they are asked for.
"""
TYPE_CHECKING = False
if TYPE_CHECKING:
    from .csrf import CSRF as CSRF
    from .sameorigin import allow as allow
    from .sameorigin import hosts as hosts
    from .sameorigin import is_same_origin as is_same_origin
else:
    def __getattr__(name):
        if name == 'CSRF':
            from .csrf import CSRF
            return CSRF
        if name not in ('is_same_origin', 'allow', 'hosts'):
            raise AttributeError(name)
        from . import sameorigin
        return getattr(sameorigin, name)

_SAFE = frozenset(b'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/')


def quote(text: str, also: bytes = b'') -> str:
    """Percent-encode ``text`` as UTF-8 (RFC 3986 section 2.1), but for unreserved characters, ``/`` and ``also``."""
    return ''.join([chr(b) if b in _SAFE or b in also else '%%%02X' % b for b in text.encode()])


def with_query(url: str, query: str) -> str:
    """Return the URL with more in its query, or as it is when there is no more."""
    return url + ('&' if '?' in url else '?') + query if query else url


def safe_next(target: 'object', default: str) -> str:
    """Return ``target`` when a browser would stay on this site with it, or else ``default``.

    It has to be a path: one slash, then no slash and no backslash, which browsers take for a slash. Browsers drop
    tabs and line ends before they look, so a control character anywhere is a no, as is a backslash.
    What is not ASCII is percent-encoded, since a header cannot carry it.
    """
    if not isinstance(target, str) or not target.startswith('/') or target.startswith('//'):
        return default
    for c in target:
        if c <= ' ' or c == '\x7f' or c == '\\':
            return default
    try:
        return quote(target, b"%?#[]@!$&'()*+,;=:")
    except UnicodeError:  # half a surrogate pair
        return default
