"""Bearer tokens that say themselves who comes and what for: JWTs of your own (RFC 7519, RFC 9068).

Needs what auth.py needs, and strictjson.py and tokens.py::

    auth = JWTAuth(key, audience='greenhouse')

    @app.get('/temperature')
    @auth.requires('read')
    async def temperature(request):
        return {'celsius': 21, 'for': request.g.current_user['id']}

    claims = {'sub': 'pump-7', 'scope': 'read', 'aud': 'greenhouse'}
    tokens.encode(claims, key, typ='at+jwt', ttl=3600)   # what pump-7 sends
"""
from . import tokens
from .auth import TokenAuth
from .portable import MICROPYTHON, now

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

TYP = 'at+jwt'  # an access token (RFC 9068 section 2.1)

_MOST_VERIFIED = 4 if MICROPYTHON else 512  # tokens; about 1 KB each on a board


class ClaimsAuth(TokenAuth):
    """What all tokens share that name their bearer: a scheme of your own has :meth:`claims`.

    The user is a dictionary with ``id`` (the token's ``sub``), ``name`` and ``scopes``. A callback of your own,
    ``@auth.authenticate``, takes the request and the claims and returns another one, or ``None``; what the user may do
    is then limited to the token's scopes, where it names any. A token without ``sub`` is refused.

    :param scope_claim: the claim with the scopes: a string with spaces between them (RFC 8693 section 4.2), or a list.
    :param options: see :class:`~dotlatch.auth.TokenAuth`.
    """
    def __init__(self, scope_claim: str = 'scope', **options: 'Any') -> None:
        super().__init__(**options)
        self.scope_claim = scope_claim
        self.auth_callback = _as_claimed

    async def claims(self, token: str) -> 'dict[str, Any]':
        """Return the claims of a token that is accepted.

        :param token: whatever the client has sent.
        :raises TokenError: for any other.
        :raises OSError: when that cannot be told now; the request ends in a 503.
        """
        raise NotImplementedError  # each kind of token has its own

    def find(self, request: 'Any') -> 'tuple[str, ...] | None':
        """Return what stands where the token should be. Who reads it refuses what is none: a look at each of its few
        hundred characters takes a board 4 ms, and is taken when it was refused."""
        token = self._given(request)
        return (token,) if token else None

    async def verify(self, request: 'Any', credentials: 'tuple[str, ...]') -> 'Any':
        """Return the user that the token names, or ``None``."""
        try:
            claims = await self.claims(credentials[0])
            scopes = self._scopes(claims)
        except tokens.TokenError:
            return None
        subject = claims.get('sub')
        if subject == '' or type(subject) not in (str, int):
            return None
        if 'exp' in claims:
            request.g._ends = int(claims['exp'])  # for tickets
        if self.auth_callback is _as_claimed:
            name = claims.get('name')
            return {'id': subject, 'name': name if isinstance(name, str) else str(subject), 'scopes': scopes or []}
        user = self._judged(request, await super().verify(request, (_copied(claims),)))
        if user is not None and scopes is not None:
            request.g._granted = scopes
        return user

    def challenge(self, request: 'Any') -> str:
        """Return the challenge. It says so when tokens are refused because the clock is not set."""
        value = super().challenge(request)
        if now() is None and value.endswith('error="invalid_token"'):
            value += ', error_description="the clock of this device is not set"'
        return value

    def _scopes(self, claims: 'dict[str, Any]') -> 'list[str] | None':
        """Return the scopes that the token was given for; ``None`` when it does not say."""
        if self.scope_claim not in claims:
            return None
        given = claims[self.scope_claim]
        if isinstance(given, str):
            return [scope for scope in given.split(' ') if scope]
        if not isinstance(given, list) or not all(isinstance(scope, str) for scope in given):
            raise tokens.InvalidClaim('with scopes that are none')
        return given[:]


def _copied(value: 'Any') -> 'Any':
    """Return claims of which a callback may do what it likes: they are kept."""
    if isinstance(value, dict):
        return {name: _copied(value[name]) if isinstance(value[name], (dict, list)) else value[name] for name in value}
    return [_copied(item) for item in value] if isinstance(value, list) else value


async def _as_claimed(request: 'Any', claims: 'dict[str, Any]') -> 'Any':
    """Stands where a callback of the app's would."""


class JWTAuth(ClaimsAuth):
    """Bearer authentication by tokens that :func:`dotlatch.tokens.encode` makes with the same key.

    A token without an end is refused, since it could not be taken back.

    :param key: bytes, str or Key, or a list of them; each of them verifies.
    :param typ: what such tokens are for. No token of another purpose passes.
    :param audience: the ``aud`` that a token must name; without it one that names any is refused.
    :param issuer: the ``iss`` that a token must have; ``None`` takes any.
    :param leeway: seconds by which clocks may differ.
    :param options: see :class:`ClaimsAuth`.
    """
    def __init__(self, key: 'Any', typ: str = TYP, audience: 'str | None' = None, issuer: 'str | None' = None,
                 leeway: int = 0, **options: 'Any') -> None:
        super().__init__(**options)
        keys = tokens.make_keys(key)
        self._key: 'Any' = keys[0] if len(keys) == 1 else keys
        self.typ = typ
        self.audience = audience
        self.issuer = issuer
        self.leeway = leeway
        self._verified: 'dict[str, dict[str, Any]]' = {}

    async def claims(self, token: str) -> 'dict[str, Any]':
        """Return the claims, not to be changed, of a token that is signed, for this purpose and audience, and in time.

        A client comes with the same token again and again. The last ones are known by their whole text; that they have
        not ended is looked at every time.
        """
        claims = self._verified.get(token)
        if claims is not None:
            tokens.check_lifetime(claims, self.leeway)
            return claims
        claims = self._decode(token)
        if len(self._verified) >= _MOST_VERIFIED:
            self._verified.clear()
        self._verified[token] = claims
        return claims

    def _decode(self, token: str) -> 'dict[str, Any]':
        claims = tokens.decode(token, self._key, self.typ, self.audience, self.issuer, self.leeway)
        if 'exp' not in claims and tokens.BOOT_CLAIM not in claims:
            raise tokens.InvalidClaim('without an end')
        return claims
