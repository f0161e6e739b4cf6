"""One login for a fleet: a central app gives people and scripts tokens of minutes, each for one board.

Needs what jwtauth.py needs. On the central app, which alone has the master key::

    key = board_key(master_key, 'pump-7')                     # once, for the board's flash
    token = issue(master_key, 'pump-7', user, ['read'])       # for somebody who is logged in

On the board, which asks nobody::

    auth = FleetAuth(key, 'pump-7')

    @app.get('/pressure')
    @auth.requires('read')
    async def pressure(request):
        return {'bar': 2, 'for': request.g.current_user['name']}

For people in browsers there is fleetlogin.py.
"""
from . import tokens
from .identity import get, user_id
from .jwtauth import JWTAuth
from .portable import Key, b64url_decode, b64url_encode, is_word, now, random_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

TYP = 'dl-fleet+jwt'
MAX_TTL = 3600  # seconds: a token that was given out cannot be taken back
MAX_AHEAD = 60  # seconds: a token that comes from later than this shows that the board's clock is behind
MAX_TOKEN = 1500  # bytes: a board's server takes lines of 2 KB, and the session that comes of it has to fit too

_MAX_ID = 64
_ID = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._:'


# --- the central app ------------------------------------------------------------------------------

def board_key(master_key: 'bytes | str | Key', board_id: str) -> str:
    """Return a board's own key, 43 characters of base64url: the only secret of the fleet that the board ever has.

    It is HKDF-Expand (RFC 5869 section 2.3) with HMAC-SHA256, for ``dotlatch fleet board``, a line end and the id. So
    nothing about the master key or another board's key can be learned from it.

    :param master_key: at least 32 random bytes, see :func:`dotlatch.files.load_or_create`.
    :param board_id: 1 to 64 letters, digits and ``-._:``.
    :raises ValueError: for a shorter key, which could be guessed from one stolen board, or another id.
    """
    key = master_key if isinstance(master_key, Key) else Key(master_key)
    if key.size < 32:
        raise ValueError('a master key under 32 bytes could be guessed from one stolen board')
    check_id(board_id)
    return b64url_encode(key.sign(b'dotlatch fleet board\n' + board_id.encode() + b'\x01'))


def issue(master_key: 'bytes | str | Key', board_id: str, user: 'Any', scopes: 'Any' = (), ttl: int = 300,
          typ: str = TYP) -> str:
    """Return a token with which one board takes its bearer for this user.

    :param user: an object or dictionary with an ``id`` and perhaps a ``name``, or a bare name or number.
    :param scopes: what the bearer may do on that board.
    :param ttl: seconds it is good for, an hour at most.
    :param typ: what it is for: :data:`TYP` in a script's ``Authorization``; fleetlogin.py has another.
    :raises ValueError: for a scope that is not one word, a longer life or a token above 1500 bytes, and for what
        :func:`board_key` refuses.
    :raises RuntimeError: while the clock is not set, by which the token would end.
    """
    if now() is None:
        raise RuntimeError('the clock of this machine is not set: no board could tell when the token ends')
    if not 0 < ttl <= MAX_TTL:
        raise ValueError('a token for a board is good for a second at least and an hour at most')
    if isinstance(scopes, (str, dict)):  # of {'write': False} the names would count
        raise TypeError("scopes are a list, such as ['read']")
    for scope in scopes:
        if not isinstance(scope, str) or not scope or not is_word(scope):
            raise ValueError('a scope is one word of printable ASCII')
    name = user if isinstance(user, str) else get(user, 'name')
    claims = {'aud': board_id, 'sub': user_id(user), 'scope': ' '.join(scopes), 'jti': random_id()}
    if isinstance(name, str):
        claims['name'] = name
    token = tokens.encode(claims, _prepared(board_key(master_key, board_id)), typ, ttl)
    if len(token) > MAX_TOKEN:
        raise ValueError('the token would be %d bytes, %d fit: name fewer scopes' % (len(token), MAX_TOKEN))
    return token


# --- the board ------------------------------------------------------------------------------------

class FleetAuth(JWTAuth):
    """Bearer authentication by tokens that :func:`issue` made for this board.

    Nothing is asked over the network. A board whose clock is not set cannot tell whether a token has ended, and takes
    none; the 401 says so. Neither does one whose clock is more than a minute and the ``leeway`` behind.

    :param key: what :func:`board_key` returned; or a list, newest first, while the master key changes.
    :param board_id: the id that it was made for. Tokens for any other are refused, even when two boards share a key.
    :param leeway: seconds by which the clocks of the board and the central app may differ.
    :param options: see :class:`~dotlatch.auth.TokenAuth`. The realm is the board's id unless given.
    """
    def __init__(self, key: 'Any', board_id: str, leeway: int = 0, **options: 'Any') -> None:
        options.setdefault('realm', board_id)
        super().__init__(keys_of(key), TYP, audience=check_id(board_id), leeway=leeway, **options)

    def _decode(self, token: str) -> 'dict[str, Any]':
        return decode(token, self._key, self.typ, self.audience, self.leeway)


def decode(token: str, key: 'Any', typ: str, board_id: 'str | None', leeway: int = 0) -> 'dict[str, Any]':
    """Return the claims of a token that :func:`issue` made for this board and purpose; TokenError for any other."""
    claims = tokens.decode(token, key, typ, board_id, None, leeway)
    if 'exp' not in claims or type(claims.get('sub')) not in (str, int):
        raise tokens.InvalidClaim('not made by the fleet')
    for name in ('aud', 'jti', 'scope'):  # for this board alone, where a list could name others
        if not isinstance(claims.get(name), str):
            raise tokens.InvalidClaim('not made by the fleet')
    # To a clock that is behind, tokens are good for as much longer, and those of before a restart look new.
    if claims.get('iat', 0) - (now() or 0) > MAX_AHEAD + leeway:
        raise tokens.InvalidClaim('of a later time: the clock of this device is behind')
    return claims


def check_id(board_id: str) -> str:
    """Return a board's id; ValueError for what is none."""
    if not isinstance(board_id, str) or not 0 < len(board_id) <= _MAX_ID or board_id.strip(_ID):
        raise ValueError("a board's id is 1 to 64 letters, digits and -._:")
    return board_id


def keys_of(key: 'Any') -> 'list[Key]':
    """Return the prepared keys of what :func:`board_key` returned, or of a list of that."""
    return [_prepared(k) for k in (key if isinstance(key, (list, tuple)) else (key,))]


def _prepared(key: 'bytes | str') -> Key:
    try:
        raw = b64url_decode(key)
    except ValueError:
        raw = b''
    if len(raw) != 32:
        raise ValueError("a board's key is the 43 characters that board_key() returned, without a line end")
    return Key(raw)
