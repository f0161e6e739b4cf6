"""Sessions that are their token: all data is in it, signed, and nothing is kept but the ids of those that were ended.

Needs portable.py, strictjson.py, tokens.py, lifetime.py and revoked.py; session.py loads it where there is no store.

Which token that is, is up to the codec: any object with ``encode(claims)``, which returns a string, and
``decode(token)``, which returns the claims or raises a :class:`~dotlatch.tokens.TokenError`. One that knows several
keys has ``is_current(token)`` too.
"""
from . import lifetime, tokens
from .portable import MICROPYTHON

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .session import Session, SessionDict

TYP = 'dl-session+jwt'

_MOST_VERIFIED = 4 if MICROPYTHON else 512  # tokens; about 1 KB each on a board


class HS256:
    """The codec that is used unless another one is given: a JWT, signed with the newest of the app's keys."""
    def __init__(self, ext: 'Session') -> None:
        self.ext = ext

    def encode(self, claims: 'dict[str, Any]') -> str:
        """Return a token that carries the claims."""
        return tokens.encode(claims, self.ext.keys[0], TYP)

    def decode(self, token: str) -> 'dict[str, Any]':
        """Return the claims of a token that one of the keys has signed, or raise TokenError."""
        return tokens.decode(token, self.ext.keys, TYP)

    def is_current(self, token: str) -> bool:
        """Tell whether a token that was decoded is signed with the newest key."""
        keys = self.ext.keys
        return len(keys) == 1 or tokens.is_signed(token, keys[0])


class Signed:
    """What :class:`~dotlatch.session.Session` asks and tells where there is no store.

    :param ext: the session extension.
    :param codec: what makes and reads the tokens; :class:`HS256` unless given.
    """
    def __init__(self, ext: 'Session', codec: 'Any' = None) -> None:
        self.ext = ext
        self.codec = codec or HS256(ext)
        self._is_ours = codec is None
        self._secret: 'Any' = None
        self._verified: 'dict[str, tuple[dict[str, Any], bool]]' = {}

    def find(self, sent: 'list[str]') -> 'tuple[dict[str, Any], bool] | None':
        """Return the claims, not to be changed, of the only token that is a session, and whether it is to be re-signed.

        A visitor comes with the same token again and again. The last ones that our keys have verified are known by
        their whole text; that they have not ended is looked at every time.

        :raises OSError: when the list of ended ones cannot be read.
        """
        ext = self.ext
        if self._is_ours and (self._secret is None or ext.secret_key is not self._secret):
            self._verified.clear()
            self._secret = ext.keys and ext.secret_key  # a ValueError where there are none
        found = None
        for token in sent:
            known = self._verified.get(token)
            if known is None:
                claims = self.decode(token)
                if claims is None:
                    continue
                known = claims, not self._is_current(token)
            elif lifetime.is_over(known[0], ext.idle) or ext.is_ended(known[0]):
                continue
            if found is not None:  # two sessions at once: somebody planted one, and nothing tells which
                return None
            found = known
            if token not in self._verified:
                if len(self._verified) >= _MOST_VERIFIED:
                    self._verified.clear()
                self._verified[token] = known
        if found is None and sent and ext.revoked.is_lost():
            raise OSError('nobody can tell which sessions were ended')
        return found

    def encode(self, claims: 'dict[str, Any]', secret_key: 'Any' = None) -> str:
        """Return a token, of the codec or of another key."""
        return tokens.encode(claims, secret_key, TYP) if secret_key else str(self.codec.encode(claims))

    def decode(self, token: str, secret_key: 'Any' = None) -> 'dict[str, Any] | None':
        """Return the claims of a token that is a live session, or ``None``."""
        try:
            claims: 'dict[str, Any]' = (tokens.decode(token, tokens.make_keys(secret_key), TYP) if secret_key
                                        else self.codec.decode(token))
            if type(claims['data']) is dict and type(claims['jti']) is str and self.ext.is_live(claims):
                return claims
        except (ValueError, KeyError, TypeError):  # a TokenError, or what another codec's claims lack
            pass
        return None

    def _is_current(self, token: str) -> bool:
        is_current = getattr(self.codec, 'is_current', None)
        return is_current is None or bool(is_current(token))

    def start(self, session: 'SessionDict', claims: 'dict[str, Any]') -> None:
        """Complete the claims of a new session."""
        self.ext.begin_token(claims)

    def put(self, session: 'SessionDict', claims: 'dict[str, Any]') -> None:
        """Make the token that the response will carry; ValueError for one that does not fit."""
        token = self.codec.encode(claims)
        self.ext.transport.check(session.request, token)
        session.token = token

    def touch(self, session: 'SessionDict', claims: 'dict[str, Any]') -> None:
        """Make the token anew with the time of this use."""
        try:
            self.put(session, claims)
        except (ValueError, RuntimeError):  # no room beside the cookies that have come since, or no key that signs
            pass  # the old token holds on

    def end(self, session: 'SessionDict', claims: 'dict[str, Any]') -> None:
        """End a session before its time."""
        self.ext.end_token(claims)

    def bury(self, session: 'SessionDict') -> None:
        """End what a session goes on from; the session too, when somebody else was sooner: that was a logout."""
        ext = self.ext
        for claims in session._doomed:
            if session._claims is not None and ext.is_ended(claims):
                ext.end_token(session._claims)
            ext.end_token(claims)
        session._doomed = ()
