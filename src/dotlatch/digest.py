"""Digest authentication (RFC 7616) with SHA-256: a password that never travels, for devices on plain HTTP.

Needs auth.py, digestheader.py, http.py, identity.py, nonces.py and portable.py::

    auth = DigestAuth(realm='Greenhouse')

    @auth.authenticate
    async def find(request, username):
        return users.get(username)   # a user with a digest_ha1, or None

    @app.get('/')
    @auth
    async def index(request):
        return 'Hello, ' + request.g.current_user['name']

``digest_ha1`` is what ``auth.make_ha1(username, password)`` returned when the password was set. Whoever reads it can
log in with it, so it is a secret like the password, and changes with it (RFC 7616 section 5.2).
"""
import hashlib
from binascii import hexlify

from microdot import abort

from . import digestheader, http
from .auth import BaseAuth, quoted_string
from .identity import get
from .nonces import GOOD, STALE, Nonces
from .portable import MICROPYTHON, call, compare_digest, has_controls, random_bytes, warn_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .throttle import Throttle

MAX_NONCES = 32 if MICROPYTHON else 512

_NEEDED = (b'nonce', b'nc', b'cnonce', b'uri', b'response')


def make_ha1(username: str, realm: str, password: str, algorithm: str = 'SHA-256') -> str:
    """Return ``algorithm$realm$H(username:realm:password)``, what a server keeps for Digest.

    :raises TypeError: when name or password are not strings.
    :raises ValueError: for a realm that is not printable ASCII, or an algorithm that is not there.
    """
    if not isinstance(username, str) or not isinstance(password, str):
        raise TypeError('a name and a password are str')
    quoted_string(realm)
    ha1 = _hex(_hash(algorithm), username.encode(), realm.encode(), password.encode())
    return '%s$%s$%s' % (algorithm, realm, ha1.decode())


def make_userhash(username: str, realm: str, algorithm: str = 'SHA-256') -> str:
    """Return ``H(username:realm)``, which clients send in place of the name when userhash is on (section 3.4.4)."""
    return _hex(_hash(algorithm), username.encode(), realm.encode()).decode()


def _hash(algorithm: str) -> 'Any':
    """Return the constructor of a hash; ValueError when this Python has none."""
    new: 'Any' = None
    if algorithm in ('SHA-256', 'MD5'):
        new = getattr(hashlib, algorithm.replace('-', '').lower(), None)
    elif algorithm == 'SHA-512-256' and 'sha512_256' in getattr(hashlib, 'algorithms_available', ()):
        new = _sha512_256
    if new is None:
        raise ValueError('no Digest algorithm that is to be had here: ' + str(algorithm))
    return new


def _sha512_256(text: bytes) -> 'Any':
    return hashlib.new('sha512_256', text)


def _hex(new: 'Callable[..., Any]', *parts: bytes) -> bytes:
    return hexlify(new(b':'.join(parts)).digest())


class DigestAuth(BaseAuth):
    """Digest authentication (RFC 7616), with ``qop=auth``.

    The callback that :meth:`authenticate` decorates takes the request and a name, and returns the user or ``None``.
    The user's ``digest_ha1`` is what :meth:`make_ha1` made of that name and the password; without one the user cannot
    log in by Digest.

    :param realm: what the browser shows when it asks; printable ASCII. It is part of every ``digest_ha1``: another
        realm needs new ones.
    :param algorithms: those that are offered, the best first: ``'SHA-256'``, and for old clients ``'MD5'`` or
        ``'SHA-512-256'``. ValueError for one that this Python's hashlib has not.
    :param nonce_seconds: how long a nonce may be used. Clients take a new one by themselves.
    :param nonces: where several processes keep them, such as :class:`~dotlatch.server.redis_nonces.RedisNonces`, in
        place of ``nonce_seconds`` and ``max_nonces``.
    :param max_nonces: how many may be in use at once: about so many clients. On a board 32, with about 80 bytes each.
    :param error_status: the status of a refusal. A header that is malformed is a 400.
    :param allow_http: see :class:`dotlatch.auth.BaseAuth`; so are ``throttle`` and ``events``. Plain HTTP is what
        Digest is for, so here it is allowed unless this is ``False``.
    :param allow_one_factor: see :class:`dotlatch.auth.BasicAuth`.
    """
    scheme = 'Digest'

    def __init__(self, realm: str = 'Please login', algorithms: 'tuple[str, ...]' = ('SHA-256',),
                 nonce_seconds: int = 300, max_nonces: int = MAX_NONCES, error_status: int = 401,
                 allow_http: 'bool | None' = True, throttle: 'Throttle | None' = None, events: 'Any' = None,
                 allow_one_factor: bool = False, nonces: 'Any' = None) -> None:
        super().__init__(error_status, allow_http, throttle, events)
        self.allow_one_factor = allow_one_factor
        if not algorithms or isinstance(algorithms, str):
            raise ValueError("algorithms is a tuple such as ('SHA-256',)")
        self.realm = realm
        self.algorithms = tuple(algorithms)
        self._hashes = {algorithm.encode(): _hash(algorithm) for algorithm in self.algorithms}
        self._nobody = {name: _hex(self._hashes[name], random_bytes(16)) for name in self._hashes}
        self._is_shared = nonces is not None  # then its methods wait for a server
        self._nonces: 'Any' = nonces or Nonces(nonce_seconds, max_nonces)
        self._realm = quoted_string(realm)
        self._find_username: 'Callable[..., Any] | None' = None

    def make_ha1(self, username: str, password: str) -> str:
        """Return what to keep as the user's ``digest_ha1``: a line for each algorithm, see :func:`make_ha1`."""
        return '\n'.join([make_ha1(username, self.realm, password, name) for name in self.algorithms])

    def find_username(self, f: 'Callable[..., Any]') -> 'Callable[..., Any]':
        """Decorator for the callback that takes the request and a userhash and returns the name that it is of.

        ``None`` when it is nobody's. A hash cannot be turned back, so keep a table of :func:`make_userhash`. With this
        callback, clients are told that they may hide names (RFC 7616 section 3.4.4).
        """
        self._find_username = f
        return f

    # --- credentials ------------------------------------------------------------------------------

    async def identify(self, request: 'Any') -> 'Any':
        """Return the user whose digest is right, or ``None``."""
        g = request.g
        proven = getattr(g, '_proven', None)
        if proven is not None and proven[0] is self:  # a guard has asked, and asking again would be a replay
            return proven[1]
        g._digest = g._digest_bad = g._digest_stale = None
        if self._is_shared:
            await http.asked(request, self._nonces.ready())
        try:
            g._digest = self._read(request)
        except ValueError:
            g._digest_bad = self
        if g._digest is not None and b'userhash' in g._digest[1]:
            g._digest = await self._name_of(request, g._digest[0]), g._digest[1]
        return await super().identify(request)

    def find(self, request: 'Any') -> 'tuple[str, ...] | None':
        found = request.g._digest
        return None if found is None else (found[0], found[1][b'response'])

    def _read(self, request: 'Any') -> 'tuple[str, dict[bytes, bytes]] | None':
        """Return the name and what came with it; ``None`` when that is for another realm or not as offered.

        :raises ValueError: when it is malformed, or for another address than this one.
        """
        text = http.credentials(request, self.header, self.scheme)
        if text is None:
            return None
        given = digestheader.parse(text)
        algorithm = given.get(b'algorithm', b'').upper()
        if (given.get(b'realm') != self.realm.encode() or algorithm not in self._hashes
                or given.get(b'qop') != b'auth'):
            return None
        given[b'algorithm'] = algorithm
        username = _username(given)
        userhash = given.pop(b'userhash', b'false').lower()
        if userhash == b'true':
            if self._find_username is None:
                return None
            if len(username) != len(self._nobody[algorithm]):
                raise ValueError('no hash')
            given[b'userhash'] = userhash
        elif userhash != b'false':
            raise ValueError('userhash is true or false')
        nonce, nc, cnonce, uri, response = [given.get(name, b'') for name in _NEEDED]
        if (not nonce or not response or not _is_count(nc) or not _is_printable(cnonce)
                or not _is_target(request, uri)):
            raise ValueError('a parameter is missing or wrong')  # RFC 7616 sections 3.4 and 3.4.6
        return username, given

    async def _name_of(self, request: 'Any', userhash: str) -> str:
        try:
            name = await call(self._find_username, request, userhash)  # type: ignore[arg-type]  # its caller has looked
        except OSError as error:
            http.unavailable(request, error)
        if name is not None and not isinstance(name, str):
            raise TypeError('find_username returns a name or None, not ' + type(name).__name__)
        return name or userhash  # nobody's name, which is looked up all the same

    # --- verification -----------------------------------------------------------------------------

    async def verify(self, request: 'Any', given: 'tuple[str, ...]') -> 'Any':
        user = self._judged(request, await super().verify(request, given[:1]))
        sent = request.g._digest[1]
        nonce, nc, cnonce, uri, response = [sent[name] for name in _NEEDED]
        algorithm = sent[b'algorithm']
        known = self._ha1(user, algorithm)
        new = self._hashes[algorithm]
        ha1 = known or self._nobody[algorithm]  # who is not there costs as much (ASVS 6.3.8)
        expected = _hex(new, ha1, nonce, nc, cnonce, b'auth', _hex(new, request.method.encode(), uri))
        if not compare_digest(expected, response) or not known:
            if user is not None:
                request.g._why = self, 'password', user
            return None
        verdict = self._nonces.use(nonce.decode(), int(nc, 16))
        if self._is_shared:
            verdict = await http.asked(request, verdict)
        if verdict is not GOOD:
            request.g._why = self, 'replay', user
            if verdict is STALE:
                request.g._why = self, '', user  # the client comes again with a new one, and by itself
                request.g._digest_stale = self
            return None
        proof = _hex(new, ha1, nonce, nc, cnonce, b'auth', _hex(new, b'', uri))
        cnonce = cnonce.replace(b'\\', b'\\\\').replace(b'"', b'\\"')
        request.g._digest_info = 'rspauth="%s", qop=auth, cnonce="%s", nc=%s' % (
            proof.decode(), cnonce.decode(), nc.decode())
        http.on_response(request, _inform)
        return user

    def _ha1(self, user: 'Any', algorithm: bytes) -> bytes:
        """Return the user's H(A1), or ``b''`` when there is none of this realm and algorithm."""
        kept = get(user, 'digest_ha1')
        if not kept:
            return b''
        start = algorithm + b'$' + self.realm.encode() + b'$'
        size = len(self._nobody[algorithm])
        for line in kept.encode().split(b'\n'):
            if line.startswith(start) and len(line) == len(start) + size:
                found: bytes = line[-size:]
                return found
        warn_once('a user has a digest_ha1, but none for %s in the realm %s: set the password anew'
                  % (algorithm.decode(), self.realm))
        return b''

    # --- refusal ----------------------------------------------------------------------------------

    def challenge(self, request: 'Any') -> str:
        nonce = self._nonces.new()
        rest = ', charset=UTF-8'
        if self._find_username is not None:
            rest += ', userhash=true'
        if getattr(request.g, '_digest_stale', None) is self:
            rest += ', stale=true'
        lines = ['Digest realm=%s, qop="auth", algorithm=%s, nonce="%s"%s' % (self._realm, algorithm, nonce, rest)
                 for algorithm in self.algorithms]
        for line in lines[:-1]:
            http.challenge(request, line)
        return lines[-1]

    async def authentication_error(self, request: 'Any') -> 'Any':
        """The default error callback."""
        abort(400 if getattr(request.g, '_digest_bad', None) is self else self.error_status)


def _inform(request: 'Any', response: 'Any') -> None:
    """Show the client that the server knows the password too (RFC 7616 section 3.5)."""
    response.headers['Authentication-Info'] = request.g._digest_info


def _username(given: 'dict[bytes, bytes]') -> str:
    """Return the name; ValueError when there is none, or two, or one with a control character."""
    if b'username*' in given:
        if b'username' in given or given.get(b'userhash', b'').lower() == b'true':
            raise ValueError('two names')
        name = digestheader.extended(given[b'username*'])
    else:
        name = given.get(b'username', b'').decode()
    sent = name.encode()
    if not sent or has_controls(sent):
        raise ValueError('no name')
    return name


def _is_count(nc: bytes) -> bool:
    """Tell whether ``nc`` is 8 hexadecimal digits and not 0; int() alone takes signs and blanks."""
    count = int(nc, 16)
    return count > 0 and len(nc) == 8 and nc.lower() == ('%08x' % count).encode()


def _is_printable(text: bytes) -> bool:
    """Tell whether there is a text and it is printable ASCII: a cnonce is sent back, and a uri is never else."""
    return bool(text) and min(text) >= 32 and max(text) < 127


def _is_target(request: 'Any', uri: bytes) -> bool:
    """Tell whether ``uri`` is the target of the request as it was sent, path and query (RFC 7616 section 3.4.6)."""
    if not _is_printable(uri):
        return False
    scope = getattr(request, 'asgi_scope', None)
    if scope is None:
        environ = getattr(request, 'environ', None) or {}  # WSGI servers have it under one of two names, if at all
        target = environ.get('RAW_URI') or environ.get('REQUEST_URI') or http.url_as_sent(request)
        return uri == bytes(target.encode())
    path, _, query = uri.partition(b'?')  # ASGI has it in two parts, and none tells of a query that is empty
    raw = scope.get('raw_path') or http.url_as_sent(request).split('?')[0].encode()
    return path == bytes(raw) and query == bytes(scope.get('query_string', b''))
