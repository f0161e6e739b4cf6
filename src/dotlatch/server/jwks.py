"""Tokens of an outside issuer, such as an OpenID provider: its keys come from an address and are looked after.

Needs jwtauth.py and what that needs, and ``pip install dotlatch[jwks]``::

    keys = KeySet('https://login.example/.well-known/jwks.json')
    issuer = Issuer('https://login.example', audience='greenhouse', keys=keys, algorithms=['ES256'])
    auth = IssuerAuth(issuer)

    @app.get('/temperature')
    @auth.requires('read')
    async def temperature(request):
        return {'celsius': 21, 'for': request.g.current_user['id']}
"""
import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from http.client import HTTPConnection, HTTPSConnection
from socket import SHUT_RDWR
from typing import Any
from urllib.parse import urlsplit

import jwt
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from .. import strictjson
from ..jwtauth import ClaimsAuth
from ..portable import b64url_decode, uptime_ms, warn
from ..tokens import MAX_TOKEN, InvalidClaim, InvalidSignature, InvalidToken, check_lifetime

MAX_SIZE = 256 * 1024  # bytes of a key set
MAX_KEYS = 64
TIMEOUT = 5.0          # seconds to connect, and again to answer
RETRY = 10             # seconds after a key set that did not come

# The kinds of key that each algorithm takes (RFC 7518 section 3, RFC 8037 section 3.1).
_KINDS: 'dict[str, tuple[str, str | None, Any]]' = {
    'RS256': ('RSA', None, RSAAlgorithm),
    'ES256': ('EC', 'P-256', ECAlgorithm),
    'EdDSA': ('OKP', 'Ed25519', OKPAlgorithm),
}
_JWS = jwt.PyJWS()
_RSA_SIZES = range(2048, 8193)  # bits: fewer are refused by RFC 7518 section 3.3, more take long


class KeysUnavailable(OSError):
    """The issuer's keys cannot be had now, so nothing can be said of a token: the answer is 503.

    What happened is its ``__cause__``.
    """


# --- keys -----------------------------------------------------------------------------------------

class KeySet:
    """An issuer's public keys (RFC 7517), fetched when they are needed and kept.

    Requests that need them at the same time wait for one fetch, in a thread. Nothing of a token but the name of its
    key has a say, and that only whether there is a fetch: once in ``pause`` seconds at most.

    :param url: the address of the key set. Redirects are not followed.
    :param lifetime: seconds after which keys are fetched anew, so that one that was withdrawn is dropped.
    :param max_age: seconds for which the keys that are known still count while no new ones can be had.
    :param pause: seconds in which there is one fetch at most, whatever keys tokens name. A new key of the issuer is
        known after so long at the latest. Where a fetch failed the next may come after 10 seconds.
    :param timeout: seconds to connect, and again to answer.
    :param allow_http: take an ``http://`` address too, for an issuer on this machine.
    :param fetch: another function that takes address and timeout and returns the bytes, or raises anything.
    :raises ValueError: for an address that is not https, or has a password in it.
    """
    def __init__(self, url: str, lifetime: int = 600, max_age: int = 24 * 3600, pause: int = 60,
                 timeout: float = TIMEOUT, allow_http: bool = False,
                 fetch: 'Callable[[str, float], bytes] | None' = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in (('https', 'http') if allow_http else ('https',)) or not parts.hostname:
            raise ValueError('keys come over https: who can change them on the way can be anybody')
        if '@' in parts.netloc or parts.port == 0:  # a password would be sent to nobody, and be in the log
            raise ValueError('the address of a key set is one that anybody may know, without a password')
        self.url = url
        self.lifetime = lifetime
        self.max_age = max_age
        self.pause = pause
        self.timeout = timeout
        self._fetch = fetch or fetch_url
        self._lock = threading.Lock()  # a WSGI server has a thread, and in it an event loop, for each request
        self._keys: 'dict[tuple[str | None, str], Any]' = {}
        self._fetched: 'int | None' = None  # seconds of uptime when the keys came
        self._next = 0                      # and before which there is no other fetch
        self._is_failing = False
        self._fetching: 'Future[None] | None' = None

    async def find(self, kid: 'str | None', algorithm: str) -> Any:
        """Return the key of that name and for that algorithm, or ``None`` when the issuer has none.

        :param kid: ``None`` for a token that names none: then it is the only one for the algorithm.
        :raises KeysUnavailable: when that cannot be told now.
        """
        is_known = (kid, algorithm) in self._keys
        if not is_known or self._age() >= self.lifetime:
            fetching = self._start()
            # While it goes on failing, nobody waits who can do without.
            if fetching is not None and not (is_known and self._is_failing and self._age() < self.max_age):
                await self._wait(fetching)
            is_known = (kid, algorithm) in self._keys
            if self._age() >= self.max_age or (self._is_failing and not is_known):
                raise KeysUnavailable('the keys of the issuer cannot be had')
        return self._keys.get((kid, algorithm))

    def _age(self) -> float:
        return float('inf') if self._fetched is None else _seconds() - self._fetched

    def _start(self) -> 'Future[None] | None':
        """Return the fetch that is under way, or a new one if it is time for that."""
        with self._lock:
            if self._fetching is None and _seconds() >= self._next:
                self._next = _seconds() + self.pause
                fetching: 'Future[None]' = Future()
                fetching.set_running_or_notify_cancel()  # so that a request that goes away takes nothing with it
                try:
                    threading.Thread(target=self._run, args=(fetching,), daemon=True).start()
                except RuntimeError:  # there are as many as this machine takes
                    self._is_failing = True
                    self._next = _seconds() + min(self.pause, RETRY)
                    return None
                self._fetching = fetching
            return self._fetching

    async def _wait(self, fetching: 'Future[None]') -> None:
        try:
            await asyncio.wait_for(asyncio.wrap_future(fetching), 3 * self.timeout)
        except asyncio.TimeoutError:  # a name server that is silent, which nothing can interrupt
            self._is_failing = True

    def _run(self, fetching: 'Future[None]') -> None:
        try:
            self._keys = _read(self._fetch(self.url, self.timeout))
            self._fetched = _seconds()
            self._is_failing = False
        except Exception as error:  # whatever a connection, TLS or a parser says of bytes from outside
            self._is_failing = True
            self._next = _seconds() + min(self.pause, RETRY)
            warn(f'the keys of an issuer could not be fetched from {self.url}: {type(error).__name__}: {error}')
        with self._lock:
            self._fetching = None
        fetching.set_result(None)


def _seconds() -> int:
    return uptime_ms() // 1000


def fetch_url(url: str, timeout: float) -> bytes:
    """Return what is at an http or https address; OSError or HTTPException for any answer but 200, and late ones."""
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == 'https' else HTTPConnection
    connection = kind(str(parts.hostname), parts.port, timeout=timeout)
    try:
        connection.connect()
        # The timeout is for each piece; a server that sends one byte at a time is cut off after all.
        late = threading.Event()
        cut = threading.Timer(timeout, _cut, (connection.sock, late))
        cut.daemon = True
        cut.start()
        try:
            target = (parts.path or '/') + ('?' + parts.query if parts.query else '')
            connection.request('GET', target, headers={'Accept': 'application/json'})
            response = connection.getresponse()
            if response.status != 200:
                raise OSError(f'an answer with the status {response.status}')
            body = response.read(MAX_SIZE + 1)
            if late.is_set():
                raise TimeoutError('an answer that was cut off')
        finally:
            cut.cancel()
    finally:
        connection.close()
    if len(body) > MAX_SIZE:
        raise OSError(f'a key set of more than {MAX_SIZE} bytes')
    return body


def _cut(sock: Any, late: threading.Event) -> None:
    late.set()
    try:
        sock.shutdown(SHUT_RDWR)
    except OSError:
        pass  # it has ended by itself


def _read(text: bytes) -> 'dict[tuple[str | None, str], Any]':
    """Return the keys of a key set that can verify something here: by name and algorithm, and one alone by ``None``.

    Others are left out (RFC 7517 section 5). ValueError for what is no key set.
    """
    found = strictjson.loads(text)
    entries = found.get('keys') if isinstance(found, dict) else None
    if not isinstance(entries, list) or len(entries) > MAX_KEYS:
        raise ValueError(f'not a set of up to {MAX_KEYS} keys')
    keys: 'dict[tuple[str | None, str], Any]' = {}
    counts = dict.fromkeys(_KINDS, 0)
    for entry in entries:
        algorithm = _algorithm_of(entry)
        key = _public_key(entry, algorithm) if algorithm else None
        if algorithm is None or key is None:
            continue
        counts[algorithm] += 1
        keys.setdefault((None, algorithm), key)
        if isinstance(entry.get('kid'), str):
            keys.setdefault((entry['kid'], algorithm), key)
    if not keys:
        warn('an issuer has withdrawn its keys, or has none of a kind that is taken: all its tokens are refused')
    for algorithm, count in counts.items():
        if count > 1:  # which of them a token without a name means is not to be guessed
            del keys[None, algorithm]
    return keys


def _algorithm_of(entry: Any) -> 'str | None':
    """Return the algorithm that a key is for; ``None`` when it is for none that is taken, or not for signatures."""
    if not isinstance(entry, dict) or entry.get('use', 'sig') != 'sig' or 'd' in entry:  # with d, it is no secret
        return None
    operations = entry.get('key_ops', ['verify'])
    if not isinstance(operations, list) or 'verify' not in operations:
        return None
    for name, (kty, curve, _) in _KINDS.items():
        if entry.get('kty') == kty and entry.get('crv') == curve and entry.get('alg', name) == name:
            return name
    return None


def _public_key(entry: 'dict[str, Any]', algorithm: str) -> Any:
    try:
        key = _KINDS[algorithm][2].from_jwk(entry)
    except Exception:  # whatever a parser says of bytes from outside
        return None
    return key if algorithm != 'RS256' or key.key_size in _RSA_SIZES else None


# --- tokens ---------------------------------------------------------------------------------------

class Issuer:
    """Who makes the tokens, and for whom they have to be.

    :param issuer: the ``iss`` of each token, exactly.
    :param audience: what each ``aud`` has to name, exactly: the name of this service at the issuer.
    :param keys: a :class:`KeySet`, or another object with its ``find``.
    :param algorithms: the ones that are taken: ``'RS256'``, ``'ES256'`` and ``'EdDSA'`` (with Ed25519).
    :param typ: the only ``typ`` of a header that is taken, such as ``'at+jwt'`` for access tokens of RFC 9068. Without
        it ``JWT``, ``at+jwt`` and none are.
    :param leeway: seconds by which clocks may differ.
    :raises ValueError: for any other algorithm, such as ``'HS256'`` or ``'none'``.
    """
    def __init__(self, issuer: str, audience: str, keys: Any, algorithms: 'Sequence[str]' = ('RS256',),
                 typ: 'str | None' = None, leeway: int = 60) -> None:
        if not all(isinstance(name, str) and name for name in (issuer, audience)):
            raise ValueError('name the issuer and the audience, one each: without them, tokens for others would pass')
        if isinstance(algorithms, str) or not algorithms or not set(algorithms) <= set(_KINDS):
            raise ValueError('the algorithms are a list of ' + ', '.join(_KINDS))
        self.issuer = issuer
        self.audience = audience
        self.keys = keys
        self.algorithms = tuple(algorithms)
        self.types = ('', 'jwt', 'at+jwt') if typ is None else (_media_type(typ),)
        self.leeway = leeway

    async def claims(self, token: str) -> 'dict[str, Any]':
        """Return the claims of a token of this issuer for this audience, in time.

        :raises TokenError: for any other token.
        :raises OSError: when the keys cannot be had.
        """
        algorithm, kid = self._read_header(token)
        key = await self.keys.find(kid, algorithm)
        if key is None:
            raise InvalidSignature('signed with none of the keys of the issuer')
        try:
            payload = _JWS.decode(token, key, algorithms=[algorithm])
        except (jwt.PyJWTError, ValueError, TypeError):
            raise InvalidSignature('signed with none of the keys of the issuer') from None
        claims = _object(payload)
        self._check(claims)
        return claims

    def _read_header(self, token: str) -> 'tuple[str, str | None]':
        """Return algorithm and name of the key; nothing else in a header ever chooses a key (RFC 8725 section 3.10)."""
        parts = token.split('.') if isinstance(token, str) and len(token) <= MAX_TOKEN else []
        if len(parts) != 3:
            raise InvalidToken('not a token: three parts are expected')
        try:
            raw, _, _ = map(b64url_decode, parts)
        except ValueError:
            raise InvalidToken('not a token: canonical base64url is expected') from None
        header = _object(raw)
        if header.get('alg') not in self.algorithms:
            raise InvalidToken('of an algorithm that is not taken')
        for name in ('crit', 'b64', 'zip', 'enc', 'cty'):
            if name in header:
                raise InvalidToken('a header parameter that is not understood: ' + name)
        kid = header.get('kid')
        if kid is not None and not isinstance(kid, str):
            raise InvalidToken('the name of its key is none')
        typ = header.get('typ', '')
        if not isinstance(typ, str) or _media_type(typ) not in self.types:
            raise InvalidClaim('for another purpose')
        return header['alg'], kid

    def _check(self, claims: 'dict[str, Any]') -> None:
        for name in ('exp', 'nbf', 'iat'):
            if type(claims.get(name, 0)) not in (int, float):
                raise InvalidToken(name + ' is not a number of seconds')
        if 'exp' not in claims:
            raise InvalidClaim('without an end')
        check_lifetime(claims, self.leeway)
        if claims.get('iss') != self.issuer:
            raise InvalidClaim('of another issuer')
        named = claims.get('aud')
        if self.audience not in (named if isinstance(named, list) else [named]):
            raise InvalidClaim('for another audience')


def _object(text: bytes) -> 'dict[str, Any]':
    try:
        found = strictjson.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise InvalidToken('not one strict JSON object')
    return found


def _media_type(typ: str) -> str:
    return typ.lower().removeprefix('application/') if typ.isascii() else typ


class IssuerAuth(ClaimsAuth):
    """Bearer authentication by tokens of an outside issuer.

    The user is as with :class:`~dotlatch.jwtauth.ClaimsAuth`, and so is a callback of your own.

    :param issuer: who makes the tokens, and for whom.
    :param options: see :class:`~dotlatch.jwtauth.ClaimsAuth`.
    """
    def __init__(self, issuer: Issuer, **options: Any) -> None:
        super().__init__(**options)
        self.issuer = issuer

    async def claims(self, token: str) -> 'dict[str, Any]':
        """Return the claims of a token that the issuer made for this audience; see :meth:`Issuer.claims`."""
        return await self.issuer.claims(token)
